/* The extended attributes of an object that goes into an archive.
 *
 * Left out: overlay's own, which mean nothing elsewhere; labels and signatures of this machine's security modules; views
 * of the file system (system.*) other than ACLs.
 */
#include "tarout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define LIMIT 65536         /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

int attributes_open(struct attributes *attributes, struct td_tar *tar)
{
    *attributes = (struct attributes){ .values_capacity = 2 * LIMIT };
    attributes->names = malloc(LIMIT);
    attributes->values = malloc(attributes->values_capacity);
    return attributes->names && attributes->values ? 0 : cannot(tar, ENOMEM, "no memory for extended attributes");
}

void attributes_close(struct attributes *attributes)
{
    free(attributes->item);
    free(attributes->names);
    free(attributes->values);
}

static const char *overlay_mark(const char *name)
{
    return !strncmp(name, "trusted.overlay.", 16) ? name + 16 : !strncmp(name, "user.overlay.", 13) ? name + 13 : NULL;
}

static bool is_wanted(const char *name)
{
    if (!strncmp(name, "system.", 7))
        return !strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default");
    return strcmp(name, "security.selinux") && strcmp(name, "security.evm") && strcmp(name, "security.ima");
}

static ssize_t get(int fd, const char *path, const char *name, char *value)
{
    return path ? lgetxattr(path, name, value, LIMIT) : fgetxattr(fd, name, value, LIMIT);
}

static int by_name(const void *a, const void *b)
{
    const struct out_attribute *one = a, *other = b;
    return strcmp(one->name, other->name);
}

static int add(struct attributes *attributes, struct td_tar *tar, int fd, const char *place, const char *name,
               const char *path)
{
    if (attributes->values_capacity - attributes->used < LIMIT) {
        char *more = realloc(attributes->values, 2 * attributes->values_capacity);
        if (!more)
            return cannot(tar, ENOMEM, "no memory for extended attributes");
        attributes->values = more;
        attributes->values_capacity *= 2;
    }
    if (attributes->count == attributes->capacity) {
        size_t capacity = attributes->capacity ? 2 * attributes->capacity : 16;
        struct out_attribute *more = reallocarray(attributes->item, capacity, sizeof *more);
        if (!more)
            return cannot(tar, ENOMEM, "no memory for extended attributes");
        attributes->item = more;
        attributes->capacity = capacity;
    }
    ssize_t size = get(fd, place, name, attributes->values + attributes->used);
    if (size < 0)
        return errno == ENODATA || errno == ENOENT || errno == EPERM || errno == EOPNOTSUPP || errno == EACCES
                   ? 0 : cannot(tar, errno, "read attribute %.100s of \"%.200s\"", name, path);
    attributes->item[attributes->count++] = (struct out_attribute){ .name = name, .size = (size_t)size };
    attributes->used += (size_t)size;
    return 0;
}

/* Overlay's own attributes say how an upper directory is meant; in any other tree they are only left out. */
static int heed_mark(struct attributes *attributes, struct td_tar *tar, int fd, const char *place, const char *name,
                     const char *path)
{
    const char *mark = overlay_mark(name);
    if (!(tar->flags & TD_TAR_LAYER) || (name[0] == 'u') != !!(tar->flags & TD_TAR_USERXATTR))
        return 0;
    if (!strcmp(mark, "redirect") || !strcmp(mark, "metacopy"))
        return cannot(tar, EOPNOTSUPP, "\"%.200s\" only refers to a file of a lower layer (%.40s)", path, name);
    if (!strcmp(mark, "opaque"))
        attributes->opaque = get(fd, place, name, attributes->values + attributes->used) == 1
                             && attributes->values[attributes->used] == 'y';
    return 0;
}

int attributes_read(struct attributes *attributes, struct td_tar *tar, int fd, const char *base, const char *path)
{
    char name[64 + 256];
    const char *place = base ? name : NULL;
    attributes->count = attributes->used = 0;
    attributes->opaque = 0;
    if (base)
        snprintf(name, sizeof name, "/proc/self/fd/%d/%s", fd, base);
    ssize_t length = base ? llistxattr(place, attributes->names, LIMIT) : flistxattr(fd, attributes->names, LIMIT);
    if (length < 0)
        return errno == ENOTSUP || errno == ENOENT || errno == EPERM || errno == EACCES
                   ? 0 : cannot(tar, errno, "list the attributes of \"%.200s\"", path);
    int rc = 0;
    const char *end = attributes->names + length;
    for (const char *one = attributes->names; rc == 0 && one < end; one += strlen(one) + 1)
        if (overlay_mark(one))
            rc = heed_mark(attributes, tar, fd, place, one, path);
        else if (is_wanted(one))
            rc = add(attributes, tar, fd, place, one, path);
    size_t offset = 0;      /* only now, when nothing moves any more */
    for (size_t i = 0; i < attributes->count; i++) {
        attributes->item[i].value = attributes->values + offset;
        offset += attributes->item[i].size;
    }
    if (attributes->count > 1)
        qsort(attributes->item, attributes->count, sizeof *attributes->item, by_name);
    return rc;
}
