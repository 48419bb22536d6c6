/* The root file system: mounted in the container's own mount namespace only, so that nothing can be left behind.
 *
 * The new mount API takes layers one by one (lowerdir+, Linux 6.5) and has no limit of one page for all of them; before
 * that one mount(2) with short names, the layers' descriptors.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STRING_MAXIMUM 255               /* of a value for fsconfig */
#define PAGE 4096

/* One option whose value is a path; a long one is given by its descriptor's name. */
static int set_path(int context, const char *key, const char *path)
{
    char name[32];
    cleanup_close int fd = -1;

    if (strlen(path) <= STRING_MAXIMUM && !strpbrk(path, ":\\"))
        return fsconfig_(context, FSCONFIG_SET_STRING, key, path, 0);
    fd = open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return fsconfig_(context, FSCONFIG_SET_STRING, key, name, 0);
}

/* Whatever this kernel was built with: the upper directory must be a whole layer by itself, which commit and diff read.
 * With userxattr it is one anyway. */
static int keep_upper_plain(int context)
{
    static const char *const OFF[] = {"redirect_dir", "metacopy", "index"};
    int rc = 0;

    for (size_t i = 0; rc >= 0 && i < COUNT(OFF); i++)
        rc = fsconfig_(context, FSCONFIG_SET_STRING, OFF[i], "off", 0);
    return rc;
}

static int overlay_by_context(const struct record *record)
{
    cleanup_close int context = fsopen_("overlay");
    int rc = context;

    if (rc >= 0)                         /* what df and mount show inside, instead of none */
        rc = fsconfig_(context, FSCONFIG_SET_STRING, "source", "overlay", 0);
    if (rc >= 0 && *record->upper && !record->userxattr)
        rc = keep_upper_plain(context);
    for (size_t i = 0; rc >= 0 && i < record->lower.count; i++)
        rc = set_path(context, "lowerdir+", record->lower.item[i]);
    if (rc >= 0 && *record->upper) {
        rc = set_path(context, "upperdir", record->upper);
        if (rc >= 0)
            rc = set_path(context, "workdir", record->work);
    }
    if (rc >= 0 && record->userxattr)
        rc = fsconfig_(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
    if (rc >= 0)
        rc = fsconfig_(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    return rc < 0 ? rc : fsmount_(context, 0);
}

/* For kernels without lowerdir+: mount(2) onto the container's directory, then the mount as a descriptor of its own. */
static int overlay_by_mount(const struct record *record)
{
    char options[PAGE] = "lowerdir=";
    size_t used = strlen(options);
    cleanup_free int *layer = calloc(record->lower.count + 2, sizeof *layer);
    size_t opened = 0;
    int rc = layer ? 0 : -ENOMEM;

    for (size_t i = 0; rc >= 0 && i < record->lower.count + (*record->upper ? 2 : 0); i++) {
        bool is_lower = i < record->lower.count;
        const char *path = is_lower ? record->lower.item[i]
                         : i == record->lower.count ? record->upper : record->work;
        const char *before = is_lower ? i ? ":" : "" : i == record->lower.count ? ",upperdir=" : ",workdir=";
        rc = layer[opened] = open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
        if (rc < 0)
            break;
        used += (size_t)snprintf(options + used, sizeof options - used, "%s/proc/self/fd/%d", before, layer[opened]);
        opened++;
        if (used >= sizeof options - 16)
            rc = -E2BIG;
    }
    if (rc >= 0 && record->userxattr)
        strcat(options, ",userxattr");
    if (rc >= 0)
        rc = mount_("overlay", record->container_dir, "overlay", 0, options);
    while (opened > 0)
        close(layer[--opened]);
    if (rc < 0)
        return rc;
    rc = open_tree_(AT_FDCWD, record->container_dir, OPEN_TREE_CLONE);
    umount_(record->container_dir, MNT_DETACH);
    return rc;
}

int rootfs_layers(const struct record *record, struct failure *failure)
{
    int root = overlay_by_context(record);

    if (root == -EINVAL || root == -ENOSYS || root == -ENODEV) {
        int other = overlay_by_mount(record);
        if (other >= 0)
            return other;
        if (other != -EINVAL)
            root = other;
    }
    return root < 0 ? fail(failure, "overlay", root, "mount the overlay of %zu layers: %s", record->lower.count,
                           strerror(-root)) : root;
}

int rootfs_mount(const struct record *record, struct failure *failure)
{
    int root;

    /* before anything is mounted: what happens here must not reach the host, what the host mounts may come in */
    root = mount_(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
    if (root < 0)
        return fail(failure, "mount", root, "make / a slave mount: %s", strerror(-root));
    if (record->plain) {
        root = open_tree_(AT_FDCWD, record->plain_root, OPEN_TREE_CLONE | AT_RECURSIVE);
        if (root >= 0) {
            int rc = mount_setattr_(root, AT_RECURSIVE, 0, 0, MS_PRIVATE);
            if (rc < 0) {
                close(root);
                root = rc;
            }
        }
        return root < 0 ? fail(failure, "mount", root, "bind the root file system %s: %s", record->plain_root,
                               strerror(-root)) : root;
    }
    return rootfs_layers(record, failure);
}

int rootfs_enter(int root, const char *attach_at, struct failure *failure)
{
    cleanup_close int place = open_at(AT_FDCWD, attach_at, O_PATH | O_DIRECTORY, 0);
    int rc = place;

    if (rc >= 0)
        rc = move_mount_(root, place);
    if (rc < 0)
        return fail(failure, "pivot", rc, "attach the root file system at %s: %s", attach_at, strerror(-rc));
    if (fchdir(root) < 0)
        return fail(failure, "pivot", -errno, "enter the root file system: %s", strerror(errno));
    rc = pivot_root_(".", ".");
    if (rc < 0)
        return fail(failure, "pivot", rc, "pivot_root: %s", strerror(-rc));
    rc = umount_(".", MNT_DETACH);       /* the old root lies on top of the new one and goes with all that is in it */
    if (rc == 0 && chdir("/") < 0)
        rc = -errno;
    return rc < 0 ? fail(failure, "pivot", rc, "leave the host's mounts: %s", strerror(-rc)) : 0;
}
