/* What tarwrite.c shares with tarout.c, tarattr.c, tarlinks.c and tarnames.c. */
#ifndef TUIDOCK_TAROUT_H
#define TUIDOCK_TAROUT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>

#include "tarwrite.h"

struct output {
    int fd;
    char *buffer;
    size_t used;
    char *record;               /* of the pax header that is being made */
    size_t recorded, record_capacity;
    struct td_tar *tar;
};

struct out_attribute { const char *name; const char *value; size_t size; };

struct out_entry {
    char type;
    const char *name, *link;    /* link NULL: none */
    uint32_t mode, uid, gid;
    uint64_t size;
    int64_t mtime;
    unsigned major, minor;
    const struct out_attribute *attribute;      /* sorted */
    size_t attributes;
};

/* Record why it ends; returns a negative errno. */
int cannot(struct td_tar *tar, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

int output_open(struct output *output, int fd, struct td_tar *tar);
void output_close(struct output *output);
int output_flush(struct output *output);
int output_room(struct output *output, size_t want, char **room, size_t *size);     /* then add what was written there */
int output_zeros(struct output *output, uint64_t count);
int output_entry(struct output *output, const struct out_entry *entry);             /* without its content */

/* tarattr.c: the extended attributes of one object */
struct attributes {
    struct out_attribute *item;
    size_t count, capacity;
    char *names, *values;
    size_t used, values_capacity;
    int opaque;                 /* an overlay says with one that nothing of the layers below is to be seen in it */
};

int attributes_open(struct attributes *attributes, struct td_tar *tar);
void attributes_close(struct attributes *attributes);
/* Of a descriptor; of a name in a directory when base is not NULL. path is for messages. */
int attributes_read(struct attributes *attributes, struct td_tar *tar, int fd, const char *base, const char *path);

/* tarlinks.c: the first name of each file that has several */
struct links { struct link_name *name; size_t count, capacity; };

const char *links_find(const struct links *links, uint64_t device, uint64_t inode);
int links_add(struct links *links, struct td_tar *tar, uint64_t device, uint64_t inode, const char *path);
void links_close(struct links *links);

/* tarnames.c: the names in a directory, sorted */
struct names { char *text, **name; size_t count; };

int names_read(struct names *names, struct td_tar *tar, int directory, const char *path);
void names_close(struct names *names);

#endif
