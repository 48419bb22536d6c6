/* What the files of the extractor share. */
#ifndef TUIDOCK_TAR_H
#define TUIDOCK_TAR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "extract.h"

#define BLOCK 512
#define NAME_LIMIT 4096             /* PATH_MAX: no longer name can be used anyway */
#define SPECIAL_LIMIT (1024 * 1024) /* a pax header; the limit of Go's archive/tar, so of docker */

struct reader {
    int fd;
    char *buffer;
    size_t capacity, start, end;
    struct td_extract *extract;
};

struct segment { uint64_t offset, length; };
struct attribute { const char *name; const char *value; size_t size; };

struct entry {
    char type;
    char name[NAME_LIMIT + 1], link[NAME_LIMIT + 1];
    uint64_t size;              /* bytes that follow in the archive */
    uint64_t real_size;         /* of the file: differs when it is sparse */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
    unsigned major, minor;
    bool sparse;
    struct segment *segment;
    size_t segments;
    struct attribute *attribute;
    size_t attributes;
    /* owners of what the pointers above point to */
    char *pax;
    size_t segment_capacity, attribute_capacity;
};

/* Record why it ends: bad content of the archive, or a system call that failed. Both return a negative errno. */
int bad(struct td_extract *extract, const char *format, ...) __attribute__((format(printf, 2, 3)));
int failed(struct td_extract *extract, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* tar.c: the stream */
int reader_open(struct reader *reader, int fd, struct td_extract *extract);
void reader_close(struct reader *reader);
int reader_some(struct reader *reader, size_t limit, const char **bytes);   /* > 0 bytes, or bad: ends too early */
int reader_skip(struct reader *reader, uint64_t count);
int reader_drain(struct reader *reader);
int entry_next(struct reader *reader, struct entry *entry);                 /* 1 an entry, 0 the end */
void entry_free(struct entry *entry);
static inline uint64_t padding(uint64_t size) { return (BLOCK - size % BLOCK) % BLOCK; }

/* pax.c */
struct pax_sparse { int major, minor; bool named; };
struct pax {
    const char *path, *linkpath;
    int64_t size, uid, gid;                 /* -1: not given */
    bool has_mtime;
    struct timespec mtime;
    struct pax_sparse sparse;
    int64_t sparse_offset, real_size;
};
int pax_parse(struct reader *reader, struct entry *entry, struct pax *pax, char *text, size_t size);

/* sparse.c */
int sparse_old(struct reader *reader, struct entry *entry, const char *header);
int sparse_pax(struct reader *reader, struct entry *entry, const struct pax_sparse *pax);
int sparse_add(struct reader *reader, struct entry *entry, uint64_t offset, uint64_t length);
int tar_number(const char *field, size_t size, int64_t *value);

/* tree.c: the directory that is filled */
#define CACHED 64
struct tree {
    int root;
    struct td_extract *extract;
    struct { char *path; int fd; } cached[CACHED];
};
void tree_open(struct tree *tree, int root, struct td_extract *extract);
void tree_close(struct tree *tree);
int tree_clean_name(struct tree *tree, const char *what, const char *name, char *clean); /* clean: NAME_LIMIT + 1 */
int tree_parent(struct tree *tree, const char *path, const char **base);    /* a descriptor that the tree owns */
int tree_existing_parent(struct tree *tree, const char *path, const char **base); /* the same, nothing is made */
int tree_clear(struct tree *tree, int parent, const char *base, const char *path, bool keep_directory,
               bool *was_whiteout, bool *kept);

/* times.c */
struct directory_time { char *path; struct timespec mtime; };
struct times { struct directory_time *of; size_t count, capacity, bytes; };
int times_remember(struct times *times, struct tree *tree, const char *path, struct timespec mtime);
int times_set(struct times *times, struct tree *tree);      /* all of them, and forgets them */
void times_forget(struct times *times);

#endif
