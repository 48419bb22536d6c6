/* The kinds of entries: files, directories, links, pipes and devices. Order of one entry: content, owner, mode (chown
 * clears setuid), attributes (chown clears security.capability), time; times of directories come last of all, because
 * filling them changes them.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Sparse files may claim exabytes each. The sizes of all layers of an image together still fit a signed number. */
#define SUM_LIMIT (UINT64_C(1) << 56)

#define EARLY (32 * 1024)   /* smaller files are left to the syncfs, which puts them together */

#define PAGE 4096

static bool is_empty(const char *bytes, size_t count)
{
    return count == PAGE && !bytes[0] && !memcmp(bytes, bytes + 1, PAGE - 1);
}

/* How many of the bytes are written, or left out, at once. */
static size_t run_of(const char *bytes, size_t count, bool *empty)
{
    size_t run = 0;
    for (*empty = is_empty(bytes, count < PAGE ? count : PAGE); run < count; run += PAGE)
        if (is_empty(bytes + run, count - run < PAGE ? count - run : PAGE) != *empty)
            return run;
    return count;
}

static int write_bytes(struct work *work, int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        bool empty = false;
        size_t run = work->extract->flags & TD_EXTRACT_HOLES ? run_of(bytes, count, &empty) : count;
        ssize_t done = !empty ? write(fd, bytes, run) : lseek(fd, (off_t)run, SEEK_CUR) < 0 ? -1 : (ssize_t)run;
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return failed(work->extract, errno, "write \"%.200s\"", work->path);
        bytes += done;
        count -= (size_t)done;
    }
    return 0;
}

static int write_piece(struct work *work, int fd, uint64_t count)
{
    while (count > 0) {
        const char *bytes;
        int some = reader_some(&work->reader, count > 1 << 30 ? 1 << 30 : (size_t)count, &bytes);
        if (some < 0)
            return some;
        count -= some;
        int rc = write_bytes(work, fd, bytes, (size_t)some);
        if (rc < 0)
            return rc;
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
    bool holes = entry->sparse || work->extract->flags & TD_EXTRACT_HOLES;
    if (rc == 0 && holes && ftruncate(fd, entry->real_size) < 0)
        return failed(work->extract, errno, "set the size of \"%.200s\"", work->path);
    return rc < 0 ? rc : reader_skip(&work->reader, padding(entry->size));
}

int make_file(struct work *work, int parent, const char *base)
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
        rc = looks_owner_and_mode(work, fd);
    if (rc == 0)
        rc = looks_attributes(work, fd, -1, NULL);
    if (rc == 0)
        rc = looks_time(work, fd);
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

int make_directory(struct work *work, int parent, const char *base)
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
    int rc = looks_owner_and_mode(work, fd);
    if (rc == 0)
        rc = looks_attributes(work, fd, -1, NULL);
    if (rc == 0 && whiteout)
        rc = looks_opaque(work, fd);   /* the same layer removed what lay below and made it anew */
    close(fd);
    return rc < 0 ? rc : remember_time(work);
}

/* The archive's own root: `.` or `./` or `/`. */
int make_root(struct work *work)
{
    const struct entry *entry = &work->entry;
    if (entry->type != '5' && !(work->extract->flags & TD_EXTRACT_LAYER))   /* a nameless file: tar passes over it too */
        return entry->type == '0' ? reader_skip(&work->reader, entry->size + padding(entry->size)) : 0;
    if (entry->type != '5')
        return bad(work->extract, "entry \"%.200s\" would replace the root directory", work->entry.name);
    int rc = looks_owner_and_mode(work, work->tree.root);
    if (rc == 0)
        rc = looks_attributes(work, work->tree.root, -1, NULL);
    work->extract->root_seen = 1;
    return rc < 0 ? rc : remember_time(work);
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

int make_special(struct work *work, int parent, const char *base)
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
    return looks_special(work, parent, base);
}

int make_hard_link(struct work *work)
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
