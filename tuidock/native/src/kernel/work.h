/* What extract.c, nodes.c and looks.c share: one extraction. */
#ifndef TUIDOCK_WORK_H
#define TUIDOCK_WORK_H

#include "tar.h"

struct work {
    struct reader reader;
    struct tree tree;
    struct entry entry;
    struct td_extract *extract;
    struct times times;
    char path[NAME_LIMIT + 1];      /* the entry's clean name */
};

/* nodes.c: the entry becomes a name in a directory, in the place of what was there. A file's content is read. */
int make_file(struct work *work, int parent, const char *base);
int make_directory(struct work *work, int parent, const char *base);
int make_special(struct work *work, int parent, const char *base);
int make_hard_link(struct work *work);
int make_root(struct work *work);

/* looks.c: what the entry says of an object beside its content */
int looks_owner_and_mode(struct work *work, int fd);
/* fd of the object, or -1 and where it is, for what cannot be opened (links, devices). */
int looks_attributes(struct work *work, int fd, int parent, const char *base);
/* All of it, for links, pipes and devices. */
int looks_special(struct work *work, int parent, const char *base);
int looks_time(struct work *work, int fd);
/* Nothing of the layers below is to be seen in the directory. */
int looks_opaque(struct work *work, int directory);

#endif
