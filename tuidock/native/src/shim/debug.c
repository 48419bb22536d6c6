/* A root of its own for an exec: the programs of another image, for a container that has none.
 *
 * The command is in all of the container's namespaces, its control group, under its seccomp filter and with no capability
 * more. Only its mount namespace is a copy, in which the other image is the root and the container's files lie below
 * /container, as the container sees them. /proc, /sys and /dev are the container's own mounts, masks included. What is
 * written to the root goes to a tmpfs that belongs to no namespace but this one: with the last process it is gone.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_OPTION "mode=0755,size=512m"
#define COPY_LIMIT 65536

/* Places of the root that are made on top of the image, whatever it has there. */
static const struct { const char *name; mode_t mode; } PLACES[] = {
    {"proc", 0755}, {"sys", 0755}, {"dev", 0755}, {"container", 0755}, {"tmp", 01777}};
static const char *const SHARED[] = {"/proc", "/sys", "/dev"};
static const char *const NAMES[] = {"/etc/resolv.conf", "/etc/hosts"};

static int make_places(const char *directory, char upper[PATH_MAX], char work[PATH_MAX])
{
    cleanup_close int fd = -1;

    snprintf(upper, PATH_MAX, "%s/upper", directory);
    snprintf(work, PATH_MAX, "%s/work", directory);
    if (mkdir(upper, 0755) < 0 || mkdir(work, 0700) < 0)
        return -errno;
    fd = open_at(AT_FDCWD, upper, O_PATH | O_DIRECTORY, 0);
    for (size_t i = 0; fd >= 0 && i < COUNT(PLACES); i++)
        if (mkdirat(fd, PLACES[i].name, 0755) < 0 || fchmodat(fd, PLACES[i].name, PLACES[i].mode, 0) < 0)
            return -errno;
    return fd < 0 ? fd : 0;
}

/* Before the process is born, while the layers can be seen: in a mount namespace of this client alone. */
int debug_prepare(const struct record *record, const struct list *layers, struct failure *failure)
{
    char upper[PATH_MAX], work[PATH_MAX];
    struct record other = *record;
    int rc = unshare(CLONE_NEWNS) < 0 ? -errno : mount_(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), tree;

    if (rc == 0)
        rc = mount_("tmpfs", record->run_dir, "tmpfs", MS_NOSUID | MS_NODEV, SIZE_OPTION);
    if (rc == 0)
        rc = make_places(record->run_dir, upper, work);
    if (rc < 0)
        return fail(failure, "mount", rc, "make a root for the debug shell: %s", strerror(-rc));
    other.lower = *layers;
    other.upper = upper;
    other.work = work;
    tree = rootfs_layers(&other, failure);
    umount_(record->run_dir, MNT_DETACH);        /* the overlay holds what it needs of it */
    return tree;
}

/* The container's own view of its network, as far as it is a plain file; without it names are not found, no more. */
static void copy_names(int from, int to)
{
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        static char text[COPY_LIMIT];
        cleanup_close int source = open_in_root(from, NAMES[i], O_RDONLY | O_NONBLOCK, 0);
        cleanup_close int target = -1, etc = -1;
        struct stat status;
        ssize_t size;

        if (source < 0 || fstat(source, &status) < 0 || !S_ISREG(status.st_mode) ||
            (size = read(source, text, sizeof text)) < 0 || (etc = target_open(to, "/etc", false)) < 0)
            continue;
        cleanup_close int directory = open_in_root(to, "/etc", O_RDONLY | O_DIRECTORY, 0);
        const char *name = strrchr(NAMES[i], '/') + 1;
        if (directory < 0 || (unlinkat(directory, name, 0) < 0 && errno != ENOENT))
            continue;
        target = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
        if (target >= 0)
            write_all(target, text, (size_t)size);
    }
}

static int attach(int tree, int root)
{
    cleanup_close int place = open_in_root(root, SHARED[0], O_PATH | O_DIRECTORY, 0);
    int rc = place < 0 ? place : move_mount_(tree, place);

    if (rc == 0 && fchdir(tree) < 0)
        rc = -errno;
    if (rc == 0)
        rc = pivot_root_(".", "container");
    return rc == 0 && chdir("/") < 0 ? -errno : rc;
}

/* In the container's namespaces and its root: gives the descriptor of the new root, in which the process is then. */
int debug_enter(int tree, struct failure *failure)
{
    int shared[COUNT(SHARED)], rc, entered = -1;
    cleanup_close int root = -1;

    rc = unshare(CLONE_NEWNS) < 0 ? -errno : mount_(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (rc < 0)
        return fail(failure, "mount", rc, "make a mount namespace for the debug shell: %s", strerror(-rc));
    root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);      /* of the copy: what was opened before is not in it */
    if (root < 0)
        return fail(failure, "pivot", root, "open the container's root: %s", strerror(-root));
    for (size_t i = 0; i < COUNT(SHARED); i++) {
        cleanup_close int place = open_in_root(root, SHARED[i], O_PATH | O_DIRECTORY, 0);
        shared[i] = place < 0 ? place : open_tree_(place, "", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH);
    }
    rc = attach(tree, root);
    if (rc == 0)
        entered = rc = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
    for (size_t i = 0; i < COUNT(SHARED); i++) {
        cleanup_close int place = rc < 0 ? -1 : open_in_root(entered, SHARED[i], O_PATH | O_DIRECTORY, 0);
        if (rc >= 0 && shared[i] >= 0)
            rc = place < 0 ? place : move_mount_(shared[i], place);
        close_fd(&shared[i]);
    }
    if (rc < 0) {
        close_fd(&entered);
        return fail(failure, "pivot", rc, "enter the root of the debug shell: %s", strerror(-rc));
    }
    copy_names(root, entered);
    return entered;
}
