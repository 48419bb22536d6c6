/* The mounts of a container, in the record's order.
 *
 * Every source that lies on the host is opened before the root is changed; every target is resolved once, inside the new
 * root, to an O_PATH descriptor, and the mount is moved onto that descriptor. No path is walked twice, so no symlink that
 * is swapped in between can lead anywhere else (CVE-2021-30465, CVE-2024-45310).
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PATH_SIZE 4096
#define LINKS_MAXIMUM 16

uint64_t mount_attributes(unsigned long flags)
{
    return (flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
           (flags & MS_NODEV ? MOUNT_ATTR_NODEV : 0) | (flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
           (flags & MS_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0) | (flags & MS_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0) |
           (flags & MS_NOATIME ? MOUNT_ATTR_NOATIME : flags & MS_STRICTATIME ? MOUNT_ATTR_STRICTATIME : 0);
}

/* A new file system as a detached mount; data is `key=value,flag,...`. */
int file_system_mount(const char *type, const char *source, const char *data, uint64_t attributes)
{
    cleanup_close int context = fsopen_(type);
    cleanup_free char *copy = strdup(data);
    char *rest = copy;
    int rc = !copy ? -ENOMEM : context;

    if (rc >= 0 && *source)
        rc = fsconfig_(context, FSCONFIG_SET_STRING, "source", source, 0);
    for (char *option; rc >= 0 && (option = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(option, '=');
        if (!*option)
            continue;
        if (value)
            *value++ = 0;
        rc = value ? fsconfig_(context, FSCONFIG_SET_STRING, option, value, 0)
                   : fsconfig_(context, FSCONFIG_SET_FLAG, option, NULL, 0);
    }
    if (rc >= 0)
        rc = fsconfig_(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    return rc < 0 ? rc : fsmount_(context, (unsigned)attributes);
}

/* ---- sources ----------------------------------------------------------------------------------------------------- */

static bool is_bind(const struct mount *mount) { return !strcmp(mount->type, "bind") || mount->flags & MS_BIND; }

static bool is_cgroup(const struct mount *mount) { return !strcmp(mount->type, "cgroup"); }

/* File systems that need nothing of the host; they belong to the container's namespaces and are made inside. */
static bool is_made_inside(const struct mount *mount)
{
    static const char *const TYPES[] = {"proc", "tmpfs", "devpts", "sysfs", "mqueue", "cgroup2", "ramfs", "bpf"};
    for (size_t i = 0; i < COUNT(TYPES); i++)
        if (!strcmp(mount->type, TYPES[i]))
            return true;
    return is_cgroup(mount);
}

/* A directory of a volume: what containers have put there leads nowhere out of it. */
static int open_subpath(const struct mount *mount, unsigned recursive)
{
    cleanup_close int root = open_at(AT_FDCWD, mount->source, O_PATH | O_DIRECTORY, 0);
    cleanup_close int place = root < 0 ? root : open_in_root(root, mount->subpath, O_PATH, 0);

    return place < 0 ? place : open_tree_(place, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | recursive);
}

static int open_bind(const struct mount *mount)
{
    unsigned recursive = mount->flags & MS_REC ? AT_RECURSIVE : 0;
    uint64_t set = mount_attributes(mount->flags);
    uint64_t clear = set & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0;
    uint64_t propagation = mount->propagation & (MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE);
    int tree = *mount->subpath ? open_subpath(mount, recursive)
                               : open_tree_(AT_FDCWD, mount->source, OPEN_TREE_CLONE | recursive);
    int rc;

    if (tree < 0)
        return tree;
    /* read-only means every mount below it too, unless somebody asked for the topmost one alone */
    rc = mount_setattr_(tree, recursive, mount->readonly_top ? 0 : set, clear, propagation ? propagation : MS_PRIVATE);
    if (rc >= 0 && mount->readonly_top)
        rc = mount_setattr_(tree, 0, set, clear, 0);
    if (rc < 0) {
        close(tree);
        return rc;
    }
    return tree;
}

int null_clone(struct failure *failure)
{
    cleanup_close int fd = open_at(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW, 0);
    struct stat status;
    int tree;

    if (fd < 0)
        return fail(failure, "mask", fd, "open /dev/null: %s", strerror(-fd));
    if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        return fail(failure, "mask", -ENODEV, "/dev/null of the host is not the null device");   /* CVE-2025-31133 */
    tree = open_tree_(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
    if (tree >= 0) {
        /* read-only, so that a chmod inside cannot reach the host's node */
        int rc = mount_setattr_(tree, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE);
        if (rc < 0) {
            close(tree);
            tree = rc;
        }
    }
    return tree < 0 ? fail(failure, "mask", tree, "clone the mount of /dev/null: %s", strerror(-tree)) : tree;
}

int null_open(int clone)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", clone);
    return open_at(AT_FDCWD, path, O_RDWR, 0);
}

static int open_cgroup_binds(const struct mount *mount, struct sources *sources, struct failure *failure)
{
    for (size_t i = 0; i < mount->cgroup_bind.count; i++) {
        const char *pair = mount->cgroup_bind.item[i], *path = strchr(pair, '=');
        int tree = path ? open_tree_(AT_FDCWD, path + 1, OPEN_TREE_CLONE) : -EINVAL;
        int rc = tree < 0 ? tree
               : mount_setattr_(tree, 0, mount_attributes(mount->flags) | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE);
        if (tree >= 0)
            sources->cgroup_tree[sources->cgroup_trees++] = tree;
        if (rc < 0)
            return fail(failure, "mount", rc, "bind the cgroup %s: %s", pair, strerror(-rc));
    }
    return 0;
}

int file_systems_open(const struct record *record, struct file_systems *systems, struct failure *failure)
{
    systems->made = calloc(record->mounts + 1, sizeof *systems->made);
    if (!systems->made)
        return fail(failure, "mount", -ENOMEM, "no memory for the mounts");
    for (size_t i = 0; i < record->mounts; i++) {
        const struct mount *mount = &record->mount[i];
        int rc = -1;

        if (!is_bind(mount) && !is_made_inside(mount)) {
            rc = file_system_mount(mount->type, mount->source, mount->data, mount_attributes(mount->flags));
            if (rc < 0)
                return fail(failure, "mount", rc, "mount the %s file system %s for \"%s\": %s", mount->type,
                            mount->source, mount->target, strerror(-rc));
        }
        systems->made[systems->count++] = rc;
    }
    return 0;
}

void file_systems_close(struct file_systems *systems)
{
    for (size_t i = 0; i < systems->count; i++)
        close_fd(&systems->made[i]);
    free(systems->made);
}

int sources_open(const struct record *record, const int *made, int userns, struct sources *sources,
                 struct failure *failure)
{
    size_t cgroup_binds = 0;

    for (size_t i = 0; i < record->mounts; i++)
        cgroup_binds += record->mount[i].cgroup_bind.count;
    *sources = (struct sources){.null = -1};
    sources->tree = calloc(record->mounts + 1, sizeof *sources->tree);
    sources->cgroup_tree = calloc(cgroup_binds + 1, sizeof *sources->cgroup_tree);
    if (!sources->tree || !sources->cgroup_tree)
        return fail(failure, "mount", -ENOMEM, "no memory for the mounts");
    for (size_t i = 0; i < record->mounts; i++) {
        const struct mount *mount = &record->mount[i];
        int rc;

        sources->trees++;
        sources->tree[i] = -1;
        if (is_bind(mount)) {
            rc = sources->tree[i] = open_bind(mount);
            if (rc < 0)
                return fail(failure, "mount", rc, "error mounting \"%s\" to rootfs at \"%s\": %s", mount->source,
                            mount->target, rc == -ENOENT ? "no such file or directory" : strerror(-rc));
            if (mount->idmap && userns >= 0 && (rc = idmap_mount(sources->tree[i], userns, 0)) < 0)
                return fail(failure, "userns", rc, "map the ids of %s: %s", mount->source,
                            rc == -EINVAL ? "its file system cannot (ext4, xfs and btrfs can)" : strerror(-rc));
        } else if (is_cgroup(mount)) {
            rc = open_cgroup_binds(mount, sources, failure);
            if (rc < 0)
                return rc;
        } else if (!is_made_inside(mount)) {
            sources->tree[i] = made[i];
        }
    }
    if (record->in_userns && !(sources->device = userns_devices(record, failure)))
        return -failure->error;
    sources->null = null_clone(failure);
    return sources->null < 0 ? sources->null : 0;
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static int make_target(int root, const char *path, bool is_file, int links)
{
    char parent[PATH_SIZE], link[PATH_SIZE];
    const char *name;
    cleanup_close int directory = -1;
    size_t length = strlen(path);
    int fd;

    fd = open_in_root(root, path, O_PATH, 0);
    if (fd != -ENOENT)
        return fd;
    if (links > LINKS_MAXIMUM || length >= sizeof parent)
        return links > LINKS_MAXIMUM ? -ELOOP : -ENAMETOOLONG;
    memcpy(parent, path, length + 1);
    while (length > 1 && parent[length - 1] == '/')
        parent[--length] = 0;
    name = strrchr(parent, '/');
    name = name ? name + 1 : parent;
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return -EINVAL;
    {
        char up[PATH_SIZE];
        snprintf(up, sizeof up, "%.*s", (int)(name - parent), parent);
        directory = *up ? make_target(root, up, false, links) : open_in_root(root, "/", O_PATH, 0);
    }
    if (directory < 0)
        return directory;
    if (is_file) {
        fd = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
        if (fd >= 0)
            close(fd);
    } else {
        fd = mkdirat(directory, name, 0755) < 0 ? -errno : 0;
    }
    if (fd == -EEXIST) {                 /* a symlink to nowhere: what it points to, inside the root, is to be made */
        ssize_t size = readlinkat(directory, name, link, sizeof link - 1);
        char next[2 * PATH_SIZE];
        if (size < 0)
            return errno == EINVAL ? open_in_root(root, path, O_PATH, 0) : -errno;
        link[size] = 0;
        snprintf(next, sizeof next, "%.*s%s", *link == '/' ? 0 : (int)(name - parent), parent, link);
        return strlen(next) >= PATH_SIZE ? -ENAMETOOLONG : make_target(root, next, is_file, links + 1);
    }
    return fd < 0 ? fd : open_at(directory, name, O_PATH | O_NOFOLLOW, 0);
}

int target_open(int root, const char *path, bool is_file) { return make_target(root, path, is_file, 0); }

/* ---- mounting ---------------------------------------------------------------------------------------------------- */

/* Where a link of the image led procfs, masks and read-only paths would have to find it again (CVE-2023-27561). */
static bool is_behind_link(int root, const struct mount *mount)
{
    int fd;

    if (strcmp(mount->type, "proc") && strcmp(mount->type, "sysfs"))
        return false;
    do
        fd = openat2_(root, mount->target, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    while (fd == -EINTR || fd == -EAGAIN);
    if (fd >= 0)
        close(fd);
    return fd == -ELOOP;
}

static int make_cgroup_v1(const struct mount *mount, const int *tree, int target)
{
    cleanup_close int top = file_system_mount("tmpfs", "cgroup", "mode=755,size=65536", mount_attributes(mount->flags & ~(unsigned long)MS_RDONLY));
    int rc = top < 0 ? top : move_mount_(top, target);

    for (size_t i = 0; rc >= 0 && i < mount->cgroup_bind.count; i++) {
        char name[256];
        const char *pair = mount->cgroup_bind.item[i], *end = strchr(pair, '=');
        cleanup_close int place = -1;

        if (!end || end == pair || (size_t)(end - pair) >= sizeof name || memchr(pair, '/', (size_t)(end - pair)) ||
            *pair == '.')
            return -EINVAL;
        snprintf(name, sizeof name, "%.*s", (int)(end - pair), pair);
        if (mkdirat(top, name, 0755) < 0)
            return -errno;
        place = open_at(top, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
        rc = place < 0 ? place : move_mount_(tree[i], place);
    }
    return rc < 0 ? rc : mount_setattr_(top, 0, MOUNT_ATTR_RDONLY, 0, 0);
}

/* The kernel says EINVAL for a directory on a file, and people know docker's ENOTDIR. */
static int attach(int made, int target)
{
    struct stat from, to;

    if (fstat(made, &from) < 0 || fstat(target, &to) < 0)
        return -errno;
    return S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode) ? -ENOTDIR : move_mount_(made, target);
}

static int fail_mount(struct failure *failure, const struct mount *mount, int rc)
{
    const char *source = *mount->source ? mount->source : mount->type;

    if (rc == -ENOTDIR)
        return fail(failure, "mount-notdir", rc, "error mounting \"%s\" to rootfs at \"%s\": not a directory: Are you "
                    "trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists "
                    "and is the expected type", source, mount->target);
    return fail(failure, "mount", rc, "error mounting \"%s\" to rootfs at \"%s\": %s", source, mount->target,
                rc == -EROFS ? "the root file system is read-only and has no such mountpoint" : strerror(-rc));
}

int mounts_make(const struct record *record, int root, struct sources *sources, int proc, int *devpts, bool *own_dev,
                struct failure *failure)
{
    const int *cgroup_tree = sources->cgroup_tree;
    bool proc_used = false;

    *devpts = -1;
    *own_dev = false;
    for (size_t i = 0; i < record->mounts; i++) {
        const struct mount *mount = &record->mount[i];
        uint64_t attributes = mount_attributes(mount->flags);
        cleanup_close int target = target_open(root, mount->target, mount->target_is_file);
        int made = sources->tree[i], rc;

        if (is_behind_link(root, mount))
            return fail(failure, "mount", -ELOOP, "filesystem \"%s\" must be mounted on ordinary directory: %s is a link",
                        mount->type, mount->target);
        if (target < 0)
            return fail_mount(failure, mount, target);
        if (is_cgroup(mount) && (mount->cgroup_bind.count || !record->cgroup_v2)) {
            rc = make_cgroup_v1(mount, cgroup_tree, target);
            cgroup_tree += mount->cgroup_bind.count;
            if (rc < 0)
                return fail_mount(failure, mount, rc);
            continue;
        }
        if (!strcmp(mount->type, "proc") && !proc_used) {
            proc_used = true;
            made = fcntl(proc, F_DUPFD_CLOEXEC, 3);
            rc = made < 0 ? -errno : mount_setattr_(made, 0, attributes, 0, 0);
        } else {
            if (made < 0)
                made = file_system_mount(is_cgroup(mount) ? "cgroup2" : mount->type, mount->source, mount->data,
                                         attributes);
            rc = made;
        }
        if (rc >= 0)
            rc = attach(made, target);
        if (rc >= 0 && !is_bind(mount) && mount->propagation & (MS_SHARED | MS_SLAVE))
            rc = mount_setattr_(made, 0, 0, 0, mount->propagation & (MS_SHARED | MS_SLAVE));
        if (!strcmp(mount->target, "/dev"))
            *own_dev = !strcmp(mount->type, "tmpfs");
        if (rc >= 0 && !strcmp(mount->type, "devpts") && !strcmp(mount->target, "/dev/pts"))
            *devpts = made;
        else if (made >= 0)
            close(made);
        sources->tree[i] = -1;
        if (rc < 0)
            return fail_mount(failure, mount, rc);
    }
    return 0;
}
