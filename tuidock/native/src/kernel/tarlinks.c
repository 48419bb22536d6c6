/* The first name of each file that has several: the others become links to it. A hash table with open places. */
#include "tarout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct link_name { uint64_t device, inode; char *path; };

static struct link_name *place_of(struct link_name *table, size_t capacity, uint64_t device, uint64_t inode)
{
    size_t place = (size_t)((inode ^ device << 40) * 0x9e3779b97f4a7c15u >> 20) & (capacity - 1);
    while (table[place].path && (table[place].inode != inode || table[place].device != device))
        place = (place + 1) & (capacity - 1);
    return &table[place];
}

const char *links_find(const struct links *links, uint64_t device, uint64_t inode)
{
    return links->count ? place_of(links->name, links->capacity, device, inode)->path : NULL;
}

static int grow(struct links *links)
{
    size_t capacity = links->capacity ? 2 * links->capacity : 1024;
    struct link_name *table = calloc(capacity, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < links->capacity; i++)
        if (links->name[i].path)
            *place_of(table, capacity, links->name[i].device, links->name[i].inode) = links->name[i];
    free(links->name);
    links->name = table;
    links->capacity = capacity;
    return 0;
}

int links_add(struct links *links, struct td_tar *tar, uint64_t device, uint64_t inode, const char *path)
{
    char *copy = strdup(path);
    if (!copy || (2 * links->count >= links->capacity && grow(links) < 0)) {
        free(copy);
        return cannot(tar, ENOMEM, "no memory for hard links");
    }
    struct link_name *place = place_of(links->name, links->capacity, device, inode);
    if (place->path)
        free(copy);         /* the name came to be between two looks; the first one stays */
    else {
        *place = (struct link_name){ device, inode, copy };
        links->count++;
    }
    return 0;
}

void links_close(struct links *links)
{
    for (size_t i = 0; i < links->capacity; i++)
        free(links->name[i].path);
    free(links->name);
}
