/* The layer writer: a directory as an uncompressed tar stream, the counterpart of extract.h.
 *
 * The same tree always gives the same bytes: entries are sorted by name, times have whole seconds as in docker's layers,
 * and there are no names of users in it. Called without the interpreter lock; the tree may change meanwhile.
 */
#ifndef TUIDOCK_TARWRITE_H
#define TUIDOCK_TARWRITE_H

#include <stdint.h>

#define TD_TAR_LAYER 1        /* an overlay's upper directory: its whiteouts and opaque marks become .wh. entries */
#define TD_TAR_ROOT 2         /* the root directory itself is an entry too */
#define TD_TAR_USERXATTR 4    /* the marks are user.overlay.*: the overlay of a user namespace */

struct td_tar {
    /* in */
    int flags;
    const char **omit;         /* sorted paths that are left out, each with all below it */
    int omits;
    /* shared: another thread may set stop, and read the counters while it runs */
    int stop;
    uint64_t bytes_written;
    uint64_t entries;
    /* out */
    uint64_t file_bytes;       /* sum of the sizes of all regular files */
    uint64_t skipped_sockets;  /* a tar cannot hold them */
    uint64_t skipped_names;    /* names of a layer that would read as whiteouts */
    char message[1024];        /* why it failed: raw bytes, names in them are not cleaned */
};

/* 0; or -errno with message. */
int td_tar_write(int root, int out, struct td_tar *tar);

#endif
