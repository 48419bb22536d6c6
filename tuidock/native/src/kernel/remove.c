/* Removing a tree of any depth: an image may hold a directory a million levels deep.
 *
 * The walk keeps one descriptor per level and stops going down at a limit; what lies deeper is moved up to the top and
 * emptied in the next round.
 */
#include "kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_LIMIT 64

struct removal { int top; unsigned long moved; };

static int remove_entry(struct removal *removal, int parent, const char *name, int depth);

/* What others remove meanwhile is no error. Takes the descriptor. */
static int empty_directory(struct removal *removal, int fd, int depth)
{
    DIR *directory = fdopendir(fd);
    if (!directory) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    int rc = 0;
    for (struct dirent *item; rc == 0 && (item = readdir(directory));)
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            rc = remove_entry(removal, fd, item->d_name, depth);
    closedir(directory);
    return rc;
}

static int move_up(struct removal *removal, int parent, const char *name)
{
    char target[48];
    do
        snprintf(target, sizeof target, ".deep-%lu", removal->moved++);
    while (td_renameat2(parent, name, removal->top, target, 1 /* RENAME_NOREPLACE */) == -EEXIST);
    return 0;
}

static int remove_entry(struct removal *removal, int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    if (depth >= DEPTH_LIMIT)
        return move_up(removal, parent, name);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = empty_directory(removal, fd, depth + 1);
    if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
        rc = -errno;
    return rc;
}

int td_remove_tree(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    struct removal removal = { .top = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) };
    if (removal.top < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = 0;
    /* every round makes the tree less deep, so it ends; somebody who fills it meanwhile could delay that for ever */
    for (long round = 0; rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0; round++) {
        if (errno == ENOENT)
            break;
        if ((errno != ENOTEMPTY && errno != EEXIST) || round == 1000000) {
            rc = -errno;
            break;
        }
        int fd = openat(removal.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = fd < 0 ? -errno : empty_directory(&removal, fd, 0);
    }
    close(removal.top);
    return rc;
}
