/* What a container's root gets besides mounts: devices, sysctls, masked and read-only paths, a terminal. */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif
#ifndef TIOCSPTLCK
#define TIOCSPTLCK 0x40045431
#endif

/* ---- sysctls ----------------------------------------------------------------------------------------------------- */

/* `proc` is a procfs of our own that nothing else is mounted in or over, and the walk may not leave it: a fake /proc of
 * the image cannot redirect the write (CVE-2025-52881). */
int sysctls_write(const struct record *record, int proc, struct failure *failure)
{
    for (size_t i = 0; i < record->sysctl.count; i++) {
        const char *pair = record->sysctl.item[i], *value = strchr(pair, '=');
        char path[256] = "sys/";
        cleanup_close int fd = -1;
        size_t length = value ? (size_t)(value - pair) : 0;
        bool dotted;
        int rc;

        if (!length || length + 5 > sizeof path)
            return fail(failure, "sysctl", -EINVAL, "sysctl %s is not NAME=VALUE", pair);
        memcpy(path + 4, pair, length);
        path[4 + length] = 0;
        dotted = path[4 + strcspn(path + 4, "./")] == '.';   /* the first separator tells what the other one means */
        for (char *c = path + 4; *c; c++)
            *c = *c == '.' ? dotted ? '/' : '.' : *c == '/' ? dotted ? '.' : '/' : *c;
        fd = strstr(path, "..") ? -EINVAL      /* `..` would lead to sysrq-trigger and the like */
                                : openat2_(proc, path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        rc = fd < 0 ? fd : write_all(fd, value + 1, strlen(value + 1));
        if (rc < 0)
            return fail(failure, "sysctl", rc, "set sysctl %s: %s", pair, strerror(-rc));
    }
    return 0;
}

/* ---- devices ----------------------------------------------------------------------------------------------------- */

/* The directory of a path inside the root, made when missing, and the last name of the path. */
static int parent_open(int root, const char *path, const char **name)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');

    if (!slash || !slash[1] || strlen(path) >= sizeof parent)
        return -EINVAL;
    *name = slash + 1;
    snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return target_open(root, parent, false);
}

/* What lies there already is replaced only in a /dev of the container's own: it may be the host's (-v /dev:/dev). */
static int make_device(int directory, const char *name, const struct device *device, int tree, bool may_replace)
{
    mode_t type = device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
    dev_t number = makedev(device->major, device->minor);
    struct stat status;

    if (tree >= 0)
        return userns_bind(directory, name, tree);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (mknodat(directory, name, type | (device->mode & 0777), number) == 0)
            return (device->uid || device->gid) &&
                   fchownat(directory, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
        if (errno == EEXIST && !may_replace && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            (status.st_mode & S_IFMT) == type && (type == S_IFIFO || status.st_rdev == number))
            return 0;
        if (errno != EEXIST || !may_replace || attempt || unlinkat(directory, name, 0) < 0)
            return -errno;
    }
    return -EEXIST;
}

int devices_make(const struct record *record, int root, const struct sources *sources, bool own_dev,
                 struct failure *failure)
{
    static const char *const LINKS[][2] = {
        {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"},
    };
    cleanup_close int dev = open_in_root(root, "/dev", O_PATH | O_DIRECTORY, 0);
    mode_t mask = umask(0);

    for (size_t i = 0; i < record->devices; i++) {
        const struct device *device = &record->device[i];
        const char *name = device->path + 5;
        int tree = sources->device ? sources->device[i] : -1, rc;

        if (dev >= 0 && !strncmp(device->path, "/dev/", 5) && *name && !strchr(name, '/')) {
            rc = make_device(dev, name, device, tree, own_dev);
        } else {
            cleanup_close int directory = parent_open(root, device->path, &name);
            rc = directory < 0 ? directory
                               : make_device(directory, name, device, tree,
                                             own_dev && !strncmp(device->path, "/dev/", 5));
        }
        if (rc < 0) {
            umask(mask);
            return fail(failure, "device", rc, "create the device %s: %s", device->path, strerror(-rc));
        }
    }
    umask(mask);
    for (size_t i = 0; own_dev && i < COUNT(LINKS); i++)
        if (symlinkat(LINKS[i][1], dev, LINKS[i][0]) < 0 && errno != EEXIST)
            return fail(failure, "device", -errno, "link /dev/%s: %s", LINKS[i][0], strerror(errno));
    return 0;
}

/* ---- masks ------------------------------------------------------------------------------------------------------- */

/* A mount that covers many places. Only an attached one can be cloned (before Linux 6.15), so the first place gets the
 * mount itself and the others its clones. */
struct cover { int mount; bool attached; };

static int cover_with(struct cover *cover, int target)
{
    cleanup_close int clone = -1;
    int rc;

    if (!cover->attached) {
        rc = move_mount_(cover->mount, target);
        cover->attached = rc == 0;
        return rc;
    }
    clone = open_tree_(cover->mount, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
    return clone < 0 ? clone : move_mount_(clone, target);
}

static int hide(int root, const char *path, struct cover *null, struct cover *empty)
{
    cleanup_close int target = open_in_root(root, path, O_PATH, 0);
    struct stat status;

    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0)
        return target;
    if (fstat(target, &status) < 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        return cover_with(null, target);
    if (empty->mount < 0)
        empty->mount = file_system_mount("tmpfs", "tmpfs", "mode=755,size=4096", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                                         MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return empty->mount < 0 ? empty->mount : cover_with(empty, target);
}

static int make_readonly(int root, const char *path)
{
    cleanup_close int target = open_in_root(root, path, O_PATH, 0);
    cleanup_close int cover = -1;
    int rc;

    if (target == -ENOENT || target == -ENOTDIR)
        return 0;
    if (target < 0)
        return target;
    cover = open_tree_(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
    rc = cover < 0 ? cover : mount_setattr_(cover, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
    return rc < 0 ? rc : move_mount_(cover, target);
}

int paths_hide(const struct record *record, int root, int null, struct failure *failure)
{
    struct cover over_files = {null, false}, over_directories = {-1, false};

    for (size_t i = 0; i < record->readonly_path.count; i++) {
        int rc = make_readonly(root, record->readonly_path.item[i]);
        if (rc < 0)
            return fail(failure, "mask", rc, "make %s read-only: %s", record->readonly_path.item[i], strerror(-rc));
    }
    for (size_t i = 0; i < record->masked.count; i++) {
        int rc = hide(root, record->masked.item[i], &over_files, &over_directories);
        if (rc < 0)
            return fail(failure, "mask", rc, "mask %s: %s", record->masked.item[i], strerror(-rc));
    }
    close_fd(&over_directories.mount);
    return 0;
}

/* ---- terminal ---------------------------------------------------------------------------------------------------- */

int terminal_open(const struct record *record, int root, int devpts, bool own_dev, int *slave, struct failure *failure)
{
    struct winsize size = {.ws_row = record->rows, .ws_col = record->cols};
    cleanup_close int console = -1, tree = -1;
    int unlock = 0, master, rc;

    if (devpts < 0)
        return fail(failure, "device", -ENODEV, "a terminal needs a devpts mount on /dev/pts");
    master = open_at(devpts, "ptmx", O_RDWR | O_NOCTTY, 0);     /* by the mount's own descriptor, not by a path */
    if (master < 0)
        return fail(failure, "device", master, "open a new terminal: %s", strerror(-master));
    *slave = ioctl(master, TIOCSPTLCK, &unlock) < 0 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave < 0) {
        rc = -errno;
        close(master);
        return fail(failure, "device", rc, "open the terminal's other side: %s", strerror(-rc));
    }
    if (size.ws_row && size.ws_col)
        ioctl(*slave, TIOCSWINSZ, &size);
    if (!own_dev)
        return master;
    console = target_open(root, "/dev/console", true);
    tree = console < 0 ? -1 : open_tree_(*slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);     /* CVE-2025-52565 */
    rc = console < 0 ? console : tree < 0 ? tree : move_mount_(tree, console);
    if (rc < 0) {
        close(master);
        return fail(failure, "device", rc, "mount the terminal on /dev/console: %s", strerror(-rc));
    }
    return master;
}
