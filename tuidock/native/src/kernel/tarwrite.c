/* A directory becomes a tar stream.
 *
 * The walk keeps one descriptor per level and closes those far above; what was closed is opened again from the root, and
 * must be the same directory then. Nothing is followed. What vanishes while it is walked is left out, a file that shrinks
 * is filled up with zeros: so of a tree that others change there is still a good archive.
 */
#include "tarout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"

#define BLOCK 512
#define NAME_LIMIT 4096             /* of a path in an archive: the extractor's */
#define OPEN_LEVELS 48
#define STAY_BELOW (0x08 | 0x04 | 0x02 | 0x01)      /* RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS, NO_XDEV */

struct level {
    int fd;                         /* -1: closed meanwhile */
    dev_t device;
    ino_t inode;
    size_t path;                    /* the length of its path */
    struct names names;
    size_t next;
};

struct walk {
    struct output output;
    struct attributes attributes;
    struct links links;
    struct td_tar *tar;
    int root;
    struct level *level;
    size_t levels, level_capacity;
    dev_t device;                   /* of all directories; another one is a mount */
    char path[NAME_LIMIT + 264];    /* of the current entry; room for one more name with a mark */
    char hidden[NAME_LIMIT + 264];  /* the name of a whiteout */
};

/* ---- one entry --------------------------------------------------------------------------------------------------- */

static struct out_entry look_of(const struct walk *walk, const struct stat *stat, char type)
{
    return (struct out_entry){
        .type = type, .name = walk->path, .mode = stat->st_mode & 07777, .uid = stat->st_uid, .gid = stat->st_gid,
        .mtime = stat->st_mtim.tv_sec, .attribute = walk->attributes.item, .attributes = walk->attributes.count,
    };
}

static int put_entry(struct walk *walk, const struct out_entry *entry)
{
    if (strlen(entry->name) > NAME_LIMIT)
        return cannot(walk->tar, ENAMETOOLONG, "the path \"%.200s...\" is longer than %d bytes", walk->path, NAME_LIMIT);
    __atomic_store_n(&walk->tar->entries, walk->tar->entries + 1, __ATOMIC_RELAXED);
    return output_entry(&walk->output, entry);
}

static int remember(struct walk *walk, const struct stat *stat)
{
    return stat->st_nlink < 2 ? 0 : links_add(&walk->links, walk->tar, stat->st_dev, stat->st_ino, walk->path);
}

/* count bytes of the file; zeros where it has become shorter. */
static int copy_bytes(struct walk *walk, int fd, uint64_t count)
{
    while (count > 0) {
        char *room;
        size_t size;
        int rc = output_room(&walk->output, count > 1 << 30 ? 1 << 30 : (size_t)count, &room, &size);
        if (rc < 0)
            return rc;
        ssize_t got = read(fd, room, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cannot(walk->tar, errno, "read \"%.200s\"", walk->path);
        if (got == 0)
            return output_zeros(&walk->output, count);
        walk->output.used += (size_t)got;
        count -= (uint64_t)got;
    }
    return 0;
}

/* Holes are not read. */
static int copy_sparse(struct walk *walk, int fd, uint64_t size)
{
    uint64_t done = 0;
    int rc = 0;
    while (rc == 0 && done < size) {
        off_t data = lseek(fd, (off_t)done, SEEK_DATA);
        off_t end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
        if (data < 0 && errno != ENXIO)
            return lseek(fd, (off_t)done, SEEK_SET) < 0 ? cannot(walk->tar, errno, "read \"%.200s\"", walk->path)
                                                        : copy_bytes(walk, fd, size - done);
        uint64_t from = data < 0 || (uint64_t)data > size ? size : (uint64_t)data;
        uint64_t to = end < 0 || (uint64_t)end > size ? size : (uint64_t)end;
        rc = output_zeros(&walk->output, from - done);
        if (rc == 0 && from < size && lseek(fd, (off_t)from, SEEK_SET) < 0)
            rc = cannot(walk->tar, errno, "read \"%.200s\"", walk->path);
        if (rc == 0 && from < size)
            rc = copy_bytes(walk, fd, to - from);
        done = from < size ? to : size;
    }
    return rc;
}

static int put_file(struct walk *walk, int fd, const struct stat *stat)
{
    int rc = attributes_read(&walk->attributes, walk->tar, fd, NULL, walk->path);
    if (rc < 0)
        return rc;
    struct out_entry entry = look_of(walk, stat, '0');
    entry.size = (uint64_t)stat->st_size;
    rc = put_entry(walk, &entry);
    if (rc == 0)
        rc = remember(walk, stat);
    if (rc < 0)
        return rc;
    walk->tar->file_bytes += entry.size;
    bool sparse = (uint64_t)stat->st_blocks * 512 < entry.size;
    rc = sparse ? copy_sparse(walk, fd, entry.size) : copy_bytes(walk, fd, entry.size);
    return rc < 0 ? rc : output_zeros(&walk->output, -entry.size % BLOCK);
}

static int put_special(struct walk *walk, int parent, const char *base, const struct stat *stat, char type)
{
    char target[NAME_LIMIT + 1];
    int rc = attributes_read(&walk->attributes, walk->tar, parent, base, walk->path);
    if (rc < 0)
        return rc;
    struct out_entry entry = look_of(walk, stat, type);
    if (type == '2') {
        ssize_t size = readlinkat(parent, base, target, sizeof target - 1);
        if (size < 0)
            return errno == ENOENT || errno == EINVAL ? 0 : cannot(walk->tar, errno, "read the link \"%.200s\"", walk->path);
        target[size] = 0;
        entry.link = target;
    } else if (type != '6') {
        entry.major = major(stat->st_rdev);
        entry.minor = minor(stat->st_rdev);
    }
    rc = put_entry(walk, &entry);
    return rc < 0 ? rc : remember(walk, stat);
}

/* Another name of what is in the archive already. */
static int put_link(struct walk *walk, const struct stat *stat, const char *first)
{
    walk->attributes.count = 0;
    struct out_entry entry = look_of(walk, stat, '1');
    entry.link = first;
    return put_entry(walk, &entry);
}

/* A mark for what lies below: .wh.NAME, or .wh..wh..opq in the directory that is the current path. */
static int put_mark(struct walk *walk, size_t directory, const char *name)
{
    snprintf(walk->hidden, sizeof walk->hidden, "%.*s%s%s", (int)directory, walk->path,
             directory && walk->path[directory - 1] != '/' ? "/" : "", name);
    struct out_entry entry = { .type = '0', .name = walk->hidden, .mode = 0600 };
    return put_entry(walk, &entry);
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

/* Takes the descriptor. */
static int push_level(struct walk *walk, int fd, const struct stat *stat, size_t path)
{
    if (walk->levels == walk->level_capacity) {
        size_t capacity = walk->level_capacity ? 2 * walk->level_capacity : 64;
        struct level *more = reallocarray(walk->level, capacity, sizeof *more);
        if (!more) {
            close(fd);
            return cannot(walk->tar, ENOMEM, "no memory for the path \"%.200s\"", walk->path);
        }
        walk->level = more;
        walk->level_capacity = capacity;
    }
    if (walk->levels > OPEN_LEVELS) {
        struct level *far = &walk->level[walk->levels - OPEN_LEVELS];
        if (far->fd >= 0)
            close(far->fd);
        far->fd = -1;
    }
    struct level *level = &walk->level[walk->levels++];
    *level = (struct level){ .fd = fd, .device = stat->st_dev, .inode = stat->st_ino, .path = path };
    return names_read(&level->names, walk->tar, fd, walk->path);
}

static void pop_level(struct walk *walk)
{
    struct level *level = &walk->level[--walk->levels];
    if (level->fd >= 0)
        close(level->fd);
    names_close(&level->names);
}

static int reopen(struct walk *walk, struct level *level)
{
    struct stat stat;
    walk->path[level->path] = 0;
    int fd = td_openat2(walk->root, walk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, STAY_BELOW);
    if (fd < 0)
        return cannot(walk->tar, fd, "open the directory \"%.200s\" again", walk->path);
    if (fstat(fd, &stat) < 0 || stat.st_dev != level->device || stat.st_ino != level->inode) {
        close(fd);
        return cannot(walk->tar, ESTALE, "the directory \"%.200s\" was replaced meanwhile", walk->path);
    }
    level->fd = fd;
    return 0;
}

static int enter_directory(struct walk *walk, int parent, const char *base, size_t length)
{
    struct stat stat;
    int fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? 0 : cannot(walk->tar, errno, "open the directory \"%.200s\"", walk->path);
    int rc = fstat(fd, &stat) < 0 ? cannot(walk->tar, errno, "look at \"%.200s\"", walk->path) : 0;
    if (rc == 0)
        rc = attributes_read(&walk->attributes, walk->tar, fd, NULL, walk->path);
    if (rc == 0) {
        walk->path[length] = '/';
        walk->path[length + 1] = 0;
        struct out_entry entry = look_of(walk, &stat, '5');
        rc = put_entry(walk, &entry);
        walk->path[length] = 0;
    }
    if (rc == 0 && walk->attributes.opaque)
        rc = put_mark(walk, length, ".wh..wh..opq");
    if (rc < 0 || stat.st_dev != walk->device) {
        close(fd);
        return rc;
    }
    return push_level(walk, fd, &stat, length);
}

static bool is_omitted(struct walk *walk)
{
    for (int i = 0; i < walk->tar->omits; i++)
        if (!strcmp(walk->tar->omit[i], walk->path))
            return true;
    return false;
}

static int put_name(struct walk *walk, int parent, const char *base, size_t directory, size_t length)
{
    struct stat stat;
    if (fstatat(parent, base, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : cannot(walk->tar, errno, "look at \"%.200s\"", walk->path);
    bool layer = walk->tar->flags & TD_TAR_LAYER;
    if (layer && S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(0, 0)) {
        char mark[256 + 8];
        snprintf(mark, sizeof mark, ".wh.%s", base);
        return put_mark(walk, directory, mark);
    }
    if (layer && !strncmp(base, ".wh.", 4)) {
        walk->tar->skipped_names++;
        return 0;
    }
    if (S_ISDIR(stat.st_mode))
        return enter_directory(walk, parent, base, length);
    if (S_ISSOCK(stat.st_mode)) {
        walk->tar->skipped_sockets++;
        return 0;
    }
    const char *first = stat.st_nlink > 1 ? links_find(&walk->links, stat.st_dev, stat.st_ino) : NULL;
    if (first)
        return put_link(walk, &stat, first);
    if (!S_ISREG(stat.st_mode))
        return put_special(walk, parent, base, &stat, S_ISLNK(stat.st_mode) ? '2' : S_ISCHR(stat.st_mode) ? '3'
                                                      : S_ISBLK(stat.st_mode) ? '4' : '6');
    int fd = openat(parent, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : cannot(walk->tar, errno, "open \"%.200s\"", walk->path);
    int rc = 0;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))     /* else it was replaced */
        rc = put_file(walk, fd, &stat);
    close(fd);
    return rc;
}

static int next_name(struct walk *walk)
{
    struct level *level = &walk->level[walk->levels - 1];
    if (level->next == level->names.count) {
        pop_level(walk);
        return 0;
    }
    const char *base = level->names.name[level->next++];
    size_t directory = level->path, length = directory;
    if (level->fd < 0) {
        int rc = reopen(walk, level);
        if (rc < 0)
            return rc;
    }
    if (length)
        walk->path[length++] = '/';
    size_t size = strlen(base);
    memcpy(walk->path + length, base, size + 1);
    length += size;
    if (length > NAME_LIMIT)
        return cannot(walk->tar, ENAMETOOLONG, "the path \"%.200s...\" is longer than %d bytes", walk->path, NAME_LIMIT);
    return is_omitted(walk) ? 0 : put_name(walk, level->fd, base, directory, length);
}

static int put_tree(struct walk *walk)
{
    struct stat stat;
    int fd = openat(walk->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0) {
        int rc = cannot(walk->tar, errno, "open the root directory");
        if (fd >= 0)
            close(fd);
        return rc;
    }
    int rc = 0;
    walk->device = stat.st_dev;
    if (walk->tar->flags & TD_TAR_ROOT) {
        strcpy(walk->path, "./");
        rc = attributes_read(&walk->attributes, walk->tar, fd, NULL, walk->path);
        struct out_entry entry = look_of(walk, &stat, '5');
        if (rc == 0)
            rc = put_entry(walk, &entry);
        walk->path[0] = 0;
    }
    if (rc < 0) {
        close(fd);
        return rc;
    }
    for (rc = push_level(walk, fd, &stat, 0); rc == 0 && walk->levels;)
        rc = __atomic_load_n(&walk->tar->stop, __ATOMIC_RELAXED) ? cannot(walk->tar, ECANCELED, "stopped")
                                                                 : next_name(walk);
    return rc;
}

int td_tar_write(int root, int out, struct td_tar *tar)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return cannot(tar, ENOMEM, "no memory to write the layer");
    walk->tar = tar;
    walk->root = root;
    int rc = output_open(&walk->output, out, tar);
    int opened = attributes_open(&walk->attributes, tar);
    if (rc == 0)
        rc = opened;
    if (rc == 0)
        rc = put_tree(walk);
    if (rc == 0)
        rc = output_zeros(&walk->output, 2 * BLOCK);
    if (rc == 0)
        rc = output_flush(&walk->output);
    while (walk->levels)
        pop_level(walk);
    free(walk->level);
    links_close(&walk->links);
    output_close(&walk->output);
    attributes_close(&walk->attributes);
    free(walk);
    return rc;
}
