/* How an object looks: owner, mode, attributes, time. Overlay's own attributes are dropped: an archive must not forge
 * redirects. What the file system or user may not set is counted, and the rest goes on.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool is_overlays_own(const char *name)
{
    return !strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13);
}

/* What cannot be opened is reached by a path below /proc/self/fd. */
int looks_attributes(struct work *work, int fd, int parent, const char *base)
{
    struct entry *entry = &work->entry;
    char path[NAME_LIMIT + 64];
    for (size_t i = 0; i < entry->attributes; i++) {
        const struct attribute *attribute = &entry->attribute[i];
        if (is_overlays_own(attribute->name))
            continue;
        int rc;
        if (fd >= 0)
            rc = fsetxattr(fd, attribute->name, attribute->value, attribute->size, 0);
        else {
            snprintf(path, sizeof path, "/proc/self/fd/%d/%s", parent, base);
            rc = lsetxattr(path, attribute->name, attribute->value, attribute->size, 0);
        }
        if (rc == 0)
            continue;
        if (errno == ENOTSUP || errno == EPERM || errno == EINVAL || errno == ERANGE)
            work->extract->skipped_xattrs++;   /* docker goes on too: SELinux labels, ACLs on another file system */
        else
            return failed(work->extract, errno, "set attribute %.100s of \"%.200s\"", attribute->name, work->path);
    }
    return 0;
}

int looks_opaque(struct work *work, int directory)
{
    const char *name = work->extract->flags & TD_EXTRACT_USERXATTR ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (fsetxattr(directory, name, "y", 1, 0) < 0)
        return failed(work->extract, errno, "mark the directory of \"%.200s\" as opaque", work->path);
    return 0;
}

/* What a new object has already is not set again: each change is a transaction of the file system. */
int looks_owner_and_mode(struct work *work, int fd)
{
    const struct entry *entry = &work->entry;
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return failed(work->extract, errno, "look at \"%.200s\"", work->path);
    bool owned = stat.st_uid == entry->uid && stat.st_gid == entry->gid;
    if (!owned && !(work->extract->flags & TD_EXTRACT_KEEP_OWNER) && fchown(fd, entry->uid, entry->gid) < 0)
        return failed(work->extract, errno, "give \"%.200s\" to user %u and group %u", work->path, entry->uid, entry->gid);
    if ((stat.st_mode & 07777) == entry->mode && !(entry->mode & 07000))    /* chown clears the special bits */
        return 0;
    if (fchmod(fd, entry->mode) < 0)
        return failed(work->extract, errno, "set the mode of \"%.200s\"", work->path);
    return 0;
}

int looks_time(struct work *work, int fd)
{
    struct timespec times[2] = { work->entry.mtime, work->entry.mtime };
    if (futimens(fd, times) < 0)
        return failed(work->extract, errno, "set the time of \"%.200s\"", work->path);
    return 0;
}

/* What cannot be opened: links, pipes, devices. They are new, so nothing is followed. */
int looks_special(struct work *work, int parent, const char *base)
{
    const struct entry *entry = &work->entry;
    struct td_extract *extract = work->extract;
    if (!(extract->flags & TD_EXTRACT_KEEP_OWNER)
        && fchownat(parent, base, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(extract, errno, "give \"%.200s\" to user %u and group %u", work->path, entry->uid, entry->gid);
    if (entry->type != '2' && fchmodat(parent, base, entry->mode, 0) < 0)
        return failed(extract, errno, "set the mode of \"%.200s\"", work->path);
    int rc = looks_attributes(work, -1, parent, base);
    if (rc < 0)
        return rc;
    struct timespec times[2] = { entry->mtime, entry->mtime };
    if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(extract, errno, "set the time of \"%.200s\"", work->path);
    return 0;
}
