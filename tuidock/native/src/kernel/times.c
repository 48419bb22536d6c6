/* Times of directories: they are set when everything else is done, because filling a directory changes its time.
 *
 * An archive may name one directory millions of times, under names of 4 kB, so what is remembered is bounded: beyond that
 * the times are set early, and a directory that is filled later keeps the moment of that.
 */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

#define LIMIT (64 << 20)    /* bytes of names */
#define IN_ROOT (0x10 | 0x02) /* RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS */

void times_forget(struct times *times)
{
    for (size_t i = 0; i < times->count; i++)
        free(times->of[i].path);
    free(times->of);
    *times = (struct times){ 0 };
}

static int set_time(struct tree *tree, const char *path, struct timespec mtime)
{
    int fd = td_openat2(tree->root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, IN_ROOT);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -ENAMETOOLONG)
        return 0;   /* a later entry made something else of it, or it cannot be named from the root */
    if (fd < 0)
        return failed(tree->extract, fd, "open the directory \"%.200s\"", path);
    struct timespec both[2] = { mtime, mtime };
    int rc = futimens(fd, both) < 0 ? failed(tree->extract, errno, "set the time of \"%.200s\"", path) : 0;
    close(fd);
    return rc;
}

int times_set(struct times *times, struct tree *tree)
{
    int rc = 0;
    tree_close(tree);
    for (size_t i = times->count; rc == 0 && i-- > 0;)   /* the innermost were named last */
        rc = set_time(tree, times->of[i].path, times->of[i].mtime);
    times_forget(times);
    return rc;
}

int times_remember(struct times *times, struct tree *tree, const char *path, struct timespec mtime)
{
    if (times->count == times->capacity) {
        size_t capacity = times->capacity ? 2 * times->capacity : 256;
        struct directory_time *more = reallocarray(times->of, capacity, sizeof *more);
        if (!more)
            return failed(tree->extract, ENOMEM, "no memory for the times of directories");
        times->of = more;
        times->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy)
        return failed(tree->extract, ENOMEM, "no memory for the times of directories");
    times->of[times->count++] = (struct directory_time){ copy, mtime };
    times->bytes += strlen(path) + sizeof *times->of;
    return times->bytes > LIMIT ? times_set(times, tree) : 0;
}
