/* What a start does otherwise inside a user namespace, where nobody may make device nodes and where the kernel mounts a
 * procfs or sysfs only for who sees a whole one already. So devices are bound from outside, and both file systems made
 * while the outside is in sight.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* sysfs shows the network namespace, and only its owner may mount it: with the host's network it is the host's. */
static int mount_sysfs(const struct mount *mount)
{
    uint64_t attributes = mount_attributes(mount->flags);
    int tree = file_system_mount(mount->type, mount->source, mount->data, attributes), rc;

    if (tree != -EPERM)
        return tree;
    tree = open_tree_(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE);     /* in one piece, as the kernel wants it */
    if (tree < 0)
        return tree;
    rc = mount_setattr_(tree, AT_RECURSIVE, attributes, 0, MS_PRIVATE);
    if (rc < 0)
        close(tree);
    return rc < 0 ? rc : tree;
}

int userns_sysfs(const struct record *record, struct sources *sources, struct failure *failure)
{
    for (size_t i = 0; i < record->mounts; i++)
        if (!strcmp(record->mount[i].type, "sysfs")) {
            int rc = sources->tree[i] = mount_sysfs(&record->mount[i]);
            if (rc < 0)
                return fail(failure, "mount", rc, "mount a sysfs: %s", strerror(-rc));
        }
    return 0;
}

/* From inside: who is not root of the machine cannot look into the namespace and come back to the host's. */
int userns_loopback(struct failure *failure)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return fail(failure, "network", -errno, "find the loopback interface: %s", strerror(errno));
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0
               ? fail(failure, "network", -errno, "bring the loopback interface up: %s", strerror(errno)) : 0;
}

static int open_device(const struct device *device)
{
    cleanup_close int fd = open_at(AT_FDCWD, device->path, O_PATH | O_NOFOLLOW, 0);
    struct stat status;
    mode_t type = device->type == 'b' ? S_IFBLK : S_IFCHR;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0)
        return -errno;
    if ((status.st_mode & S_IFMT) != type || status.st_rdev != makedev(device->major, device->minor))
        return -ENODEV;
    return open_tree_(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
}

int *userns_devices(const struct record *record, struct failure *failure)
{
    int *tree = calloc(record->devices + 1, sizeof *tree);

    if (!tree)
        fail(failure, "device", -ENOMEM, "no memory for the devices");
    for (size_t i = 0; tree && i < record->devices; i++) {
        tree[i] = open_device(&record->device[i]);
        if (tree[i] < 0) {
            fail(failure, "device", tree[i], "take the device %s from the host, since a user namespace can make none: %s",
                 record->device[i].path, strerror(-tree[i]));
            while (i-- > 0)
                close(tree[i]);
            free(tree);
            return NULL;
        }
    }
    return tree;
}

/* A bound device in place of a made one. */
int userns_bind(int directory, const char *name, int tree)
{
    cleanup_close int file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    cleanup_close int target = file < 0 ? file : open_at(directory, name, O_PATH | O_NOFOLLOW, 0);

    return target < 0 ? target : move_mount_(tree, target);
}
