/* The layer extractor: reads an uncompressed tar stream and writes what it holds below one directory.
 *
 * Written in C because 7000 files need 50 000 system calls, which Python cannot make while others run; called without
 * the interpreter lock. The archive is hostile: see extract.c for what is refused.
 */
#ifndef TUIDOCK_EXTRACT_H
#define TUIDOCK_EXTRACT_H

#include <stdint.h>

#define TD_EXTRACT_LAYER 1        /* .wh. names are whiteouts; else they are plain names (import of a root file system) */
#define TD_EXTRACT_KEEP_OWNER 2   /* do not chown: rootless with one id only */
#define TD_EXTRACT_USERXATTR 4    /* opaque marks as user.overlay.*: the overlay of a user namespace */
#define TD_EXTRACT_NO_DEVICES 16  /* left out: the place is one of the host's, where everybody could open them */
#define TD_EXTRACT_HOLES 32       /* what is empty for a page and more becomes a hole, as it was in the tree that this comes from */
#define TD_EXTRACT_EARLY 8        /* the disk begins with each file at once: the syncfs that follows finds it done */

struct td_extract {
    /* in */
    int flags;
    uint64_t max_entries;
    uint64_t max_bytes;        /* of the tar stream */
    const int *lower;          /* directories of the layers below, topmost first: parents that the archive does not name */
    int lowers;                /* look as they do there */
    int follow;                /* -1, or a pipe that says when the file behind `tar` has grown; its end is the file's end */
    /* shared: another thread may set stop, and read the counters while it runs */
    int stop;
    uint64_t bytes_read;
    uint64_t entries;
    /* out */
    uint64_t file_bytes;       /* sum of the sizes of all regular files */
    uint64_t skipped_devices;  /* device nodes that this kernel or user may not make */
    uint64_t skipped_xattrs;   /* attributes that the file system or user may not set */
    uint64_t implied;          /* directories that the archive uses but does not name */
    int root_seen;             /* the archive says how its root directory looks */
    int bad_content;           /* the archive is at fault, not the machine */
    char message[1024];        /* why it failed: raw bytes, entry names in them are not cleaned */
};

/* 0; or -errno with message. The descriptor is read to its end after the archive's end, so that a digest made on the
 * other side of a pipe covers all of it. */
int td_extract(int tar, int root, struct td_extract *extract);

#endif
