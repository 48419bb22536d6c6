/* A layer's entries become files.
 *
 * What is refused: names and hard links that lead out, names longer than PATH_MAX, unknown entry types, damaged headers,
 * archives above the limits. What is dropped: overlay's own attributes (an archive must not forge redirects) and AUFS's
 * housekeeping. Order of one entry: content, owner, mode (chown clears setuid), attributes (chown clears
 * security.capability), time; times of directories come last of all, because filling them changes them.
 */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel.h"

/* Sparse files may claim exabytes each. The sizes of all layers of an image together still fit a signed number. */
#define SUM_LIMIT (UINT64_C(1) << 56)

#define EARLY (32 * 1024)   /* smaller files are left to the syncfs, which puts them together */

struct work {
    struct reader reader;
    struct tree tree;
    struct entry entry;
    struct td_extract *extract;
    struct times times;
    char path[NAME_LIMIT + 1];      /* the entry's clean name */
};

static void times_of(const struct entry *entry, struct timespec times[2])
{
    times[0] = times[1] = entry->mtime;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static bool is_overlays_own(const char *name)
{
    return !strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13);
}

/* fd of the object, or -1 and a path below /proc/self/fd for what cannot be opened (links, devices). */
static int set_attributes(struct work *work, int fd, int parent, const char *base)
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

static int set_opaque(struct work *work, int directory)
{
    const char *name = work->extract->flags & TD_EXTRACT_USERXATTR ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (fsetxattr(directory, name, "y", 1, 0) < 0)
        return failed(work->extract, errno, "mark the directory of \"%.200s\" as opaque", work->path);
    return 0;
}

/* What a new object has already is not set again: each change is a transaction of the file system. */
static int set_owner_and_mode(struct work *work, int fd)
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

/* ---- kinds of entries -------------------------------------------------------------------------------------------- */

static int write_piece(struct work *work, int fd, uint64_t count)
{
    while (count > 0) {
        const char *bytes;
        int some = reader_some(&work->reader, count > 1 << 30 ? 1 << 30 : (size_t)count, &bytes);
        if (some < 0)
            return some;
        count -= some;
        while (some > 0) {
            ssize_t written = write(fd, bytes, some);
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                return failed(work->extract, errno, "write \"%.200s\"", work->path);
            bytes += written;
            some -= written;
        }
    }
    return 0;
}

static int write_content(struct work *work, int fd)
{
    struct entry *entry = &work->entry;
    int rc = 0;
    if (!entry->sparse)
        rc = write_piece(work, fd, entry->size);
    for (size_t i = 0; rc == 0 && entry->sparse && i < entry->segments; i++) {
        if (lseek(fd, entry->segment[i].offset, SEEK_SET) < 0)
            return failed(work->extract, errno, "write \"%.200s\"", work->path);
        rc = write_piece(work, fd, entry->segment[i].length);
    }
    if (rc == 0 && entry->sparse && ftruncate(fd, entry->real_size) < 0)
        return failed(work->extract, errno, "set the size of \"%.200s\"", work->path);
    return rc < 0 ? rc : reader_skip(&work->reader, padding(entry->size));
}

static int make_file(struct work *work, int parent, const char *base)
{
    bool whiteout, kept;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t mode = work->entry.mode & 0777;      /* what the umask takes away is set afterwards */
    int fd = openat(parent, base, flags, mode);
    if (fd < 0 && errno == EEXIST) {
        int rc = tree_clear(&work->tree, parent, base, work->path, false, &whiteout, &kept);
        if (rc < 0)
            return rc;
        fd = openat(parent, base, flags, mode);
    }
    if (fd < 0)
        return failed(work->extract, errno, "create \"%.200s\"", work->path);
    int rc = write_content(work, fd);
    if (rc == 0)
        rc = set_owner_and_mode(work, fd);
    if (rc == 0)
        rc = set_attributes(work, fd, -1, NULL);
    struct timespec times[2];
    times_of(&work->entry, times);
    if (rc == 0 && futimens(fd, times) < 0)
        rc = failed(work->extract, errno, "set the time of \"%.200s\"", work->path);
    if (rc == 0 && work->extract->flags & TD_EXTRACT_EARLY && work->entry.size >= EARLY)
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);   /* a wish: whether it is heard does not matter */
    close(fd);
    uint64_t *sum = &work->extract->file_bytes;
    *sum = work->entry.real_size <= SUM_LIMIT - *sum ? *sum + work->entry.real_size : SUM_LIMIT;
    return rc;
}

static int remember_time(struct work *work)
{
    return times_remember(&work->times, &work->tree, work->path, work->entry.mtime);
}

static int make_directory(struct work *work, int parent, const char *base)
{
    bool whiteout = false, kept;
    if (mkdirat(parent, base, 0700) < 0) {
        if (errno == EEXIST) {
            int rc = tree_clear(&work->tree, parent, base, work->path, true, &whiteout, &kept);
            if (rc < 0)
                return rc;
            if (!kept && mkdirat(parent, base, 0700) == 0)
                kept = true;
            if (!kept)
                return failed(work->extract, errno, "create the directory \"%.200s\"", work->path);
        } else
            return failed(work->extract, errno, "create the directory \"%.200s\"", work->path);
    }
    int fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(work->extract, errno, "open the directory \"%.200s\"", work->path);
    int rc = set_owner_and_mode(work, fd);
    if (rc == 0)
        rc = set_attributes(work, fd, -1, NULL);
    if (rc == 0 && whiteout)
        rc = set_opaque(work, fd);   /* the same layer removed what lay below and made it anew */
    close(fd);
    return rc < 0 ? rc : remember_time(work);
}

/* The archive's own root: `.` or `./` or `/`. */
static int dress_root(struct work *work)
{
    const struct entry *entry = &work->entry;
    if (entry->type != '5' && !(work->extract->flags & TD_EXTRACT_LAYER))   /* a nameless file: tar passes over it too */
        return entry->type == '0' ? reader_skip(&work->reader, entry->size + padding(entry->size)) : 0;
    if (entry->type != '5')
        return bad(work->extract, "entry \"%.200s\" would replace the root directory", work->entry.name);
    int rc = set_owner_and_mode(work, work->tree.root);
    if (rc == 0)
        rc = set_attributes(work, work->tree.root, -1, NULL);
    work->extract->root_seen = 1;
    return rc < 0 ? rc : remember_time(work);
}

/* What cannot be opened: links, pipes, devices. They are new, so nothing is followed. */
static int dress_special(struct work *work, int parent, const char *base)
{
    const struct entry *entry = &work->entry;
    struct td_extract *extract = work->extract;
    if (!(extract->flags & TD_EXTRACT_KEEP_OWNER)
        && fchownat(parent, base, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(extract, errno, "give \"%.200s\" to user %u and group %u", work->path, entry->uid, entry->gid);
    if (entry->type != '2' && fchmodat(parent, base, entry->mode, 0) < 0)
        return failed(extract, errno, "set the mode of \"%.200s\"", work->path);
    int rc = set_attributes(work, -1, parent, base);
    if (rc < 0)
        return rc;
    struct timespec times[2];
    times_of(entry, times);
    if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(extract, errno, "set the time of \"%.200s\"", work->path);
    return 0;
}

static int create_special(const struct entry *entry, int parent, const char *base)
{
    int rc;
    switch (entry->type) {
    case '2': rc = symlinkat(entry->link, parent, base); break;
    case '3': rc = mknodat(parent, base, S_IFCHR | 0600, makedev(entry->major, entry->minor)); break;
    case '4': rc = mknodat(parent, base, S_IFBLK | 0600, makedev(entry->major, entry->minor)); break;
    default: rc = mknodat(parent, base, S_IFIFO | 0600, 0);
    }
    return rc < 0 ? -errno : 0;
}

static int make_special(struct work *work, int parent, const char *base)
{
    struct entry *entry = &work->entry;
    bool whiteout, kept;
    if (entry->type == '2' && !entry->link[0])
        return bad(work->extract, "link \"%.200s\" leads nowhere", work->path);
    if (work->extract->flags & TD_EXTRACT_NO_DEVICES && (entry->type == '3' || entry->type == '4')) {
        work->extract->skipped_devices++;
        return 0;
    }
    int rc = create_special(entry, parent, base);
    if (rc == -EEXIST) {
        rc = tree_clear(&work->tree, parent, base, work->path, false, &whiteout, &kept);
        if (rc < 0)
            return rc;
        rc = create_special(entry, parent, base);
    }
    if (rc == -EPERM && (entry->type == '3' || entry->type == '4')) {
        work->extract->skipped_devices++;   /* a user namespace; /dev is another file system anyway */
        return 0;
    }
    if (rc < 0)
        return failed(work->extract, rc, "create \"%.200s\"", work->path);
    return dress_special(work, parent, base);
}

static int make_hard_link(struct work *work)
{
    struct td_extract *extract = work->extract;
    char target[NAME_LIMIT + 1];
    const char *target_base, *base;
    bool whiteout, kept;
    int rc = tree_clean_name(&work->tree, "the target of a hard link", work->entry.link, target);
    if (rc < 0)
        return rc;
    if (!target[0])
        return bad(extract, "hard link \"%.200s\" leads to the root directory", work->path);
    int from = tree_existing_parent(&work->tree, target, &target_base);
    struct stat old, existing;
    if (from == -ENOENT || (from >= 0 && fstatat(from, target_base, &old, AT_SYMLINK_NOFOLLOW) < 0))
        return bad(extract, "hard link \"%.200s\" leads to \"%.200s\", which is not there", work->path, target);
    if (from < 0)
        return from;
    if (extract->flags & TD_EXTRACT_LAYER && S_ISCHR(old.st_mode) && old.st_rdev == makedev(0, 0))
        return bad(extract, "hard link \"%.200s\" leads to \"%.200s\", which this layer removes", work->path, target);
    if (S_ISDIR(old.st_mode))
        return bad(extract, "hard link \"%.200s\" leads to the directory \"%.200s\"", work->path, target);
    from = dup(from);   /* the next line may drop it from the cache */
    int parent = from < 0 ? -errno : tree_parent(&work->tree, work->path, &base);
    if (parent >= 0 && fstatat(parent, base, &existing, AT_SYMLINK_NOFOLLOW) == 0 && existing.st_dev == old.st_dev
        && existing.st_ino == old.st_ino) {
        close(from);
        return 0;
    }
    rc = parent < 0 ? parent : tree_clear(&work->tree, parent, base, work->path, false, &whiteout, &kept);
    if (rc == 0) {
        parent = tree_parent(&work->tree, work->path, &base);   /* opened again when clearing emptied the cache */
        rc = parent < 0 ? parent : 0;
    }
    if (rc == 0 && linkat(from, target_base, parent, base, 0) < 0)
        rc = errno == ENOENT ? bad(extract, "hard link \"%.200s\" replaces its own target", work->path)
                             : failed(extract, errno, "link \"%.200s\" to \"%.200s\"", work->path, target);
    if (from >= 0)
        close(from);
    return rc;
}

/* ---- whiteouts --------------------------------------------------------------------------------------------------- */

static int make_whiteout(struct work *work, int parent, const char *hidden)
{
    struct stat stat;
    if (!hidden[0] || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
        return bad(work->extract, "the whiteout \"%.200s\" names nothing", work->path);
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return failed(work->extract, errno, "make the whiteout \"%.200s\"", work->path);
    /* The same layer also has the name: it hides what lies below by itself, a directory only when it is opaque. */
    if (fstatat(parent, hidden, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(work->extract, errno, "look at \"%.200s\"", work->path);
    if (!S_ISDIR(stat.st_mode))
        return 0;
    int fd = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(work->extract, errno, "open \"%.200s\"", work->path);
    int rc = set_opaque(work, fd);
    close(fd);
    return rc;
}

/* 1: it was one and is done; 0: an ordinary name. */
static int whiteout(struct work *work, int parent, const char *base)
{
    if (!(work->extract->flags & TD_EXTRACT_LAYER) || strncmp(base, ".wh.", 4))
        return 0;
    int rc = 0;
    if (!strcmp(base, ".wh..wh..opq"))
        rc = set_opaque(work, parent);
    else if (strncmp(base, ".wh..wh.", 8))   /* other names of that form are housekeeping of AUFS */
        rc = make_whiteout(work, parent, base + 4);
    return rc < 0 ? rc : 1;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool in_aufs_housekeeping(const char *path)
{
    return !strncmp(path, ".wh..wh.plnk", 12) || !strncmp(path, ".wh..wh.orph", 12);
}

static int make_entry(struct work *work)
{
    struct entry *entry = &work->entry;
    const char *base;
    if (entry->type == 0)
        entry->type = entry->name[0] && entry->name[strlen(entry->name) - 1] == '/' ? '5' : '0';
    if (entry->type == '7' || entry->type == 'S')
        entry->type = '0';
    if (entry->type < '0' || entry->type > '6')
        return bad(work->extract, "entry \"%.200s\" is of the unknown type %d", entry->name, entry->type);
    bool has_content = entry->type == '0';
    int rc = tree_clean_name(&work->tree, "entry", entry->name, work->path);
    if (rc < 0)
        return rc;
    if (!work->path[0])
        return dress_root(work);
    if (work->extract->flags & TD_EXTRACT_LAYER && in_aufs_housekeeping(work->path))
        return has_content ? reader_skip(&work->reader, entry->size + padding(entry->size)) : 0;
    int parent = tree_parent(&work->tree, work->path, &base);
    if (parent < 0)
        return parent;
    rc = whiteout(work, parent, base);
    if (rc != 0)
        return rc < 0 || !has_content ? (rc < 0 ? rc : 0)
                                      : reader_skip(&work->reader, entry->size + padding(entry->size));
    switch (entry->type) {
    case '0': return make_file(work, parent, base);
    case '1': return make_hard_link(work);
    case '5': return make_directory(work, parent, base);
    default: return make_special(work, parent, base);
    }
}

static int run(struct work *work)
{
    struct td_extract *extract = work->extract;
    int rc;
    while ((rc = entry_next(&work->reader, &work->entry)) > 0) {
        if (extract->entries >= extract->max_entries)
            return bad(extract, "it has more than %llu entries", (unsigned long long)extract->max_entries);
        __atomic_store_n(&extract->entries, extract->entries + 1, __ATOMIC_RELAXED);
        rc = make_entry(work);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        rc = times_set(&work->times, &work->tree);
    return rc < 0 ? rc : reader_drain(&work->reader);
}

int td_extract(int tar, int root, struct td_extract *extract)
{
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return failed(extract, ENOMEM, "no memory to unpack");
    work->extract = extract;
    int rc = reader_open(&work->reader, tar, extract);
    tree_open(&work->tree, root, extract);
    if (rc == 0)
        rc = run(work);
    tree_close(&work->tree);
    reader_close(&work->reader);
    entry_free(&work->entry);
    times_forget(&work->times);
    free(work);
    return rc;
}
