/* The directory that is filled: where an entry's parent lies, and what has to make room for it.
 *
 * Every parent is opened by openat2(RESOLVE_IN_ROOT), so that a link of the archive leads nowhere outside, and its
 * descriptor is kept: an archive names the same few directories again and again. The cache is emptied when something
 * that a path may lead through (a link, a directory) is removed.
 */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel.h"

#define IN_ROOT (0x10 | 0x02) /* RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS */

static int open_directory(struct tree *tree, const char *path)
{
    return td_openat2(tree->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, IN_ROOT);
}

void tree_open(struct tree *tree, int root, struct td_extract *extract)
{
    *tree = (struct tree){ .root = root, .extract = extract };
    for (int i = 0; i < CACHED; i++)
        tree->cached[i].fd = -1;
}

/* Empties the cache; a descriptor in use stays open, but is not found again. */
static void forget(struct tree *tree, int in_use)
{
    for (int i = 0; i < CACHED; i++)
        if (tree->cached[i].fd >= 0 && tree->cached[i].fd == in_use)
            tree->cached[i].path[0] = 0;
        else if (tree->cached[i].fd >= 0) {
            close(tree->cached[i].fd);
            free(tree->cached[i].path);
            tree->cached[i].fd = -1;
        }
}

void tree_close(struct tree *tree) { forget(tree, -1); }

int tree_clean_name(struct tree *tree, const char *what, const char *name, char *clean)
{
    size_t length = 0;
    for (const char *part = name; *part;) {
        size_t size = strcspn(part, "/");
        if (size == 2 && part[0] == '.' && part[1] == '.') {
            if (!length)
                return bad(tree->extract, "%s \"%.200s\" leads out of the image", what, name);
            while (length && clean[--length] != '/')
                ;
        } else if (size > 255 + (strncmp(part, ".wh.", 4) ? 0u : 4u))     /* the mark of a whiteout does not count */
            return bad(tree->extract, "%s \"%.200s\" has a part longer than 255 bytes", what, name);
        else if (size && !(size == 1 && part[0] == '.')) {
            if (length)
                clean[length++] = '/';
            memcpy(clean + length, part, size);
            length += size;
        }
        part += size + (part[size] == '/');
    }
    clean[length] = 0;
    return 0;
}

/* A directory that the archive does not name looks as it does below, else like one that an administrator makes.
 * below: whether there may be one; false from the first level on that no layer below has. */
static int dress_implied(struct tree *tree, int fd, const char *path, bool *below)
{
    struct td_extract *extract = tree->extract;
    struct stat stat = { .st_mode = 0755 };
    int lowers = *below ? extract->lowers : 0;
    extract->implied++;
    *below = false;
    for (int i = 0; i < lowers; i++) {
        struct stat found;
        int lower = td_openat2(extract->lower[i], path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, IN_ROOT);
        if (lower < 0)
            continue;
        *below = fstat(lower, &found) == 0 && S_ISDIR(found.st_mode);
        close(lower);
        if (*below)
            stat = found;
        break;
    }
    if (!(extract->flags & TD_EXTRACT_KEEP_OWNER) && fchown(fd, stat.st_uid, stat.st_gid) < 0)
        return -errno;
    return fchmod(fd, stat.st_mode & 07777) < 0 ? -errno : 0;
}

static int make_directories(struct tree *tree, const char *path, int depth);

/* path[:before] is the directory `parent`, and `name` in it was not found there. */
static int make_missing(struct tree *tree, int parent, const char *path, size_t before, const char *name, int depth,
                        bool *below)
{
    char target[2 * NAME_LIMIT + 2];
    memcpy(target, path, before);
    if (mkdirat(parent, name, 0755) == 0) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        strcpy(target + before, name);
        int rc = dress_implied(tree, fd, target, below);
        if (rc < 0)
            close(fd);
        return rc < 0 ? rc : fd;
    }
    if (errno != EEXIST)
        return -errno;
    ssize_t count = readlinkat(parent, name, target + before, NAME_LIMIT);
    if (count <= 0)
        return -ENOTDIR;
    target[before + count] = 0;
    return make_directories(tree, target[before] == '/' ? target + before : target, depth + 1);
}

/* One level down, when that is a plain directory: a path of 2 000 levels is not resolved from its top 2 000 times. */
static int step(int parent, const char *name)
{
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return -ENOTDIR;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* mkdir -p, through links that lead to nothing yet. Returns a descriptor. */
static int make_directories(struct tree *tree, const char *path, int depth)
{
    char prefix[NAME_LIMIT + 1], name[256];
    bool below = true;
    if (depth > 20 || strlen(path) > NAME_LIMIT)
        return -ELOOP;
    int fd = fcntl(tree->root, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    for (const char *end = path; fd >= 0;) {
        const char *part = end + strspn(end, "/");
        size_t size = strcspn(part, "/");
        if (!size)
            break;
        end = part + size;
        int next = -ENAMETOOLONG;
        if (size < sizeof name) {
            memcpy(name, part, size);
            name[size] = 0;
            next = step(fd, name);
            if (next == -ENOTDIR || next == -ELOOP) {
                memcpy(prefix, path, end - path);
                prefix[end - path] = 0;
                next = open_directory(tree, prefix);
            }
            if (next == -ENOENT)
                next = make_missing(tree, fd, path, part - path, name, depth, &below);
        }
        close(fd);
        fd = next;
    }
    return fd;
}

static int find_parent(struct tree *tree, const char *path, const char **base, bool make)
{
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    if (!slash)
        return tree->root;
    char parent[NAME_LIMIT + 1];
    size_t length = slash - path;
    memcpy(parent, path, length);
    parent[length] = 0;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)parent[i]) * 16777619u;
    unsigned place = hash % CACHED;
    if (tree->cached[place].fd >= 0) {
        if (!strcmp(tree->cached[place].path, parent))
            return tree->cached[place].fd;
        close(tree->cached[place].fd);
        free(tree->cached[place].path);
        tree->cached[place].fd = -1;
    }
    int fd = open_directory(tree, parent);
    if (fd == -ENOENT && make)
        fd = make_directories(tree, parent, 0);
    if (fd == -ENOTDIR)
        return bad(tree->extract, "entry \"%.200s\" lies below something that is no directory", path);
    if (fd == -ELOOP)
        return bad(tree->extract, "entry \"%.200s\" lies below links that lead in a circle", path);
    if (fd == -ENOENT && !make)
        return fd;
    if (fd < 0)
        return failed(tree->extract, fd, "open the directory of entry \"%.200s\"", path);
    tree->cached[place].path = strdup(parent);
    if (!tree->cached[place].path) {
        close(fd);
        return failed(tree->extract, ENOMEM, "no memory for a path");
    }
    return tree->cached[place].fd = fd;
}

int tree_parent(struct tree *tree, const char *path, const char **base) { return find_parent(tree, path, base, true); }

int tree_existing_parent(struct tree *tree, const char *path, const char **base)
{
    return find_parent(tree, path, base, false);
}

int tree_clear(struct tree *tree, int parent, const char *base, const char *path, bool keep_directory,
               bool *was_whiteout, bool *kept)
{
    struct stat stat;
    *was_whiteout = *kept = false;
    if (fstatat(parent, base, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed(tree->extract, errno, "look at \"%.200s\"", path);
    if (S_ISDIR(stat.st_mode)) {
        if (keep_directory) {
            *kept = true;
            return 0;
        }
        int rc = td_remove_tree(parent, base);
        if (rc < 0)
            return failed(tree->extract, rc, "remove the directory \"%.200s\"", path);
    } else {
        *was_whiteout = S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(0, 0);
        if (unlinkat(parent, base, 0) < 0)
            return failed(tree->extract, errno, "remove \"%.200s\"", path);
    }
    if (S_ISDIR(stat.st_mode) || S_ISLNK(stat.st_mode))
        forget(tree, parent);
    return 0;
}
