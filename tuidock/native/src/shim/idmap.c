/* A container's own user namespace, for an engine that is root: the record says which ids of the host stand for its ids.
 *
 * On the disk everything keeps the container's ids: layers, its own directory and volumes are mounted through a map, so
 * commit, diff and other containers see what they always see. What takes the rights of the machine's root, those mounts
 * and the overlay, is made before the init process is born in the new namespace, and handed to it as descriptors.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NAME_SIZE 24

/* ---- maps -------------------------------------------------------------------------------------------------------- */

static int write_map(pid_t pid, const char *file, const struct list *map)
{
    char path[40], text[4096];
    size_t used = 0;

    for (size_t i = 0; i < map->count; i++)
        used += (size_t)snprintf(text + used, used < sizeof text ? sizeof text - used : 0, "%s\n", map->item[i]);
    if (used >= sizeof text)
        return -E2BIG;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    return write_file_at(AT_FDCWD, path, text);
}

int idmap_write(const struct record *record, pid_t pid, struct failure *failure)
{
    int rc = write_map(pid, "uid_map", &record->uid_map);

    if (rc >= 0)
        rc = write_map(pid, "gid_map", &record->gid_map);
    return rc < 0 ? fail(failure, "userns", rc, "map the ids of the user namespace: %s", strerror(-rc)) : 0;
}

/* A namespace with these maps and nobody in it, as mounts are told theirs. */
static int make_namespace(const struct record *record, struct failure *failure)
{
    int pipes[2], rc;
    char path[40];
    pid_t pid, parent = getpid();

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return fail(failure, "userns", -errno, "make a pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        rc = checked(syscall(SYS_unshare, CLONE_NEWUSER)) < 0 ? errno : 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);     /* else a killed monitor's lock would be held here for ever */
        if (getppid() != parent)
            _exit(1);
        write_all(pipes[1], &(char){(char)rc}, 1);
        close(pipes[1]);
        for (;;)
            pause();
    }
    close(pipes[1]);
    char told = 0;
    rc = pid < 0 ? -errno : read(pipes[0], &told, 1) != 1 ? -EIO : -told;
    close(pipes[0]);
    if (rc < 0)
        fail(failure, "userns", rc, "make a user namespace: %s", strerror(-rc));
    else
        rc = idmap_write(record, pid, failure);
    if (rc >= 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        rc = open_at(AT_FDCWD, path, O_RDONLY, 0);
        if (rc < 0)
            fail(failure, "userns", rc, "open the user namespace: %s", strerror(-rc));
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    return rc;
}

/* ---- mounts ------------------------------------------------------------------------------------------------------ */

int idmap_mount(int tree, int userns, unsigned recursive)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};

    return (int)checked(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attributes, sizeof attributes));
}

/* A directory of the host as a mapped mount that is not anywhere yet. */
static int mapped_tree(const char *path, int userns, struct failure *failure)
{
    int tree = open_tree_(AT_FDCWD, path, OPEN_TREE_CLONE);
    int rc = tree < 0 ? tree : idmap_mount(tree, userns, 0);

    if (rc >= 0)
        return tree;
    if (tree >= 0)
        close(tree);
    if (rc == -EINVAL)
        return fail(failure, "userns", rc, "map the ids of %s: its file system cannot (ext4, xfs and btrfs can), so "
                    "--userns needs another data root", path);
    return fail(failure, "userns", rc, "mount %s with mapped ids: %s", path, strerror(-rc));
}

/* Puts it at a new directory `name`; its descriptor is of no more use then. */
static int put_tree(int place, int tree, const char *name, struct failure *failure)
{
    cleanup_close int target = -1;
    int rc = mkdirat(place, name, 0755) < 0 ? -errno : 0;

    if (rc == 0)
        target = rc = open_at(place, name, O_PATH | O_DIRECTORY, 0);
    if (rc >= 0)
        rc = move_mount_(tree, target);
    return rc < 0 ? fail(failure, "userns", rc, "mount a layer with mapped ids: %s", strerror(-rc)) : 0;
}

/* The container's own directory as "own", the layers as "0", "1" ... in `place`, which hides the former's path: so all
 * are opened before it is mounted there, and put into it afterwards, as only kernels since 6.15 mount below a file system
 * that is not mounted itself. */
static int mount_layers(const struct record *record, int place, int target, int userns, char **names,
                        struct failure *failure)
{
    size_t count = record->lower.count;
    cleanup_free int *trees = calloc(count + 1, sizeof *trees);
    int rc;

    if (!trees)
        return fail(failure, "userns", -ENOMEM, "no memory for the layers");
    rc = trees[count] = mapped_tree(record->container_dir, userns, failure);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        names[i] = malloc(NAME_SIZE);
        if (!names[i])
            return fail(failure, "userns", -ENOMEM, "no memory for the layers");
        snprintf(names[i], NAME_SIZE, "%zu", i);
        rc = trees[i] = mapped_tree(record->lower.item[i], userns, failure);
    }
    if (rc < 0)
        return rc;
    rc = move_mount_(place, target);
    if (rc < 0)
        return fail(failure, "userns", rc, "mount the directory of the layers: %s", strerror(-rc));
    for (size_t i = 0; rc == 0 && i <= count; i++)
        rc = put_tree(place, trees[i], i < count ? names[i] : "own", failure);
    return rc;                                 /* the descriptors go with this process */
}

/* The host's id for the container's 0. */
static unsigned root_of(const struct list *map)
{
    unsigned inside, outside, count;

    for (size_t i = 0; i < map->count; i++)
        if (sscanf(map->item[i], "%u %u %u", &inside, &outside, &count) == 3 && inside == 0)
            return outside;
    return 0;
}

/* Overlay works in the upper layer as whoever mounted it, who has to have an id there; the rights are kept. */
static int act_as_mapped_root(const struct record *record)
{
    uint64_t permitted = caps_permitted();

    setfsgid(root_of(&record->gid_map));
    setfsuid(root_of(&record->uid_map));
    return caps_set(permitted, permitted);
}

/* In a mount namespace that goes with this process: overlay takes layers only from the namespace it is made in. */
static int overlay_of_mapped(const struct record *record, int userns, struct failure *failure)
{
    cleanup_close int scratch = -1, target = -1;
    struct record names = *record;
    int rc;

    if (syscall(SYS_unshare, CLONE_NEWNS) < 0)
        return fail(failure, "userns", -errno, "make a mount namespace: %s", strerror(errno));
    rc = mount_(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (rc == 0)
        scratch = rc = file_system_mount("tmpfs", "tmpfs", "mode=700", 0);
    if (rc >= 0)
        target = rc = open_at(AT_FDCWD, record->container_dir, O_PATH | O_DIRECTORY, 0);
    names.lower.item = calloc(record->lower.count + 1, sizeof *names.lower.item);
    if (!names.lower.item)
        rc = -ENOMEM;
    if (rc < 0)
        return fail(failure, "userns", rc, "prepare the mounts of the layers: %s", strerror(-rc));
    rc = mount_layers(record, scratch, target, userns, names.lower.item, failure);
    if (rc < 0)
        return rc;
    if (fchdir(scratch) < 0)
        return fail(failure, "userns", -errno, "enter the mounts of the layers: %s", strerror(errno));
    names.upper = (char[]){"own/upper"};
    names.work = (char[]){"own/work"};
    rc = act_as_mapped_root(record);
    if (rc < 0)
        return fail(failure, "userns", rc, "keep the capabilities: %s", strerror(-rc));
    return rootfs_layers(&names, failure);
}

/* The overlay as a detached mount, made by a child, whose mount namespace is not ours. */
static int mapped_overlay(const struct record *record, int userns, struct failure *failure)
{
    struct message message = {.kind = MESSAGE_FAILED};
    cleanup_close int ours = -1;
    int pair[2], root = -1, rc;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(failure, "userns", -errno, "make a socket: %s", strerror(errno));
    ours = pair[0];
    pid = fork();
    if (pid == 0) {
        int made = overlay_of_mapped(record, userns, &message.failure);
        message.kind = made < 0 ? MESSAGE_FAILED : MESSAGE_READY;
        message_send(pair[1], &message, made < 0 ? -1 : made);
        _exit(0);
    }
    close(pair[1]);
    if (pid < 0)
        return fail(failure, "userns", -errno, "fork: %s", strerror(errno));
    rc = message_receive(ours, &message, &root);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (rc > 0 && message.kind == MESSAGE_READY && root >= 0)
        return root;
    if (rc <= 0)
        return fail(failure, "userns", -EIO, "the process that mounts the layers died");
    *failure = message.failure;
    return failure->error ? -failure->error : -EINVAL;
}

static int mapped_plain(const struct record *record, int userns, struct failure *failure)
{
    int tree = open_tree_(AT_FDCWD, record->plain_root, OPEN_TREE_CLONE);
    int rc = tree < 0 ? tree : idmap_mount(tree, userns, 0);

    if (rc < 0 && tree >= 0)
        close(tree);
    return rc < 0 ? fail(failure, "userns", rc, "map the ids of %s: %s", record->plain_root, strerror(-rc)) : tree;
}

int idmap_prepare(const struct record *record, const int *made, struct mapped *mapped, struct failure *failure)
{
    cleanup_close int userns = make_namespace(record, failure);
    int rc = userns;

    mapped->root = -1;
    if (rc >= 0)
        rc = sources_open(record, made, userns, &mapped->sources, failure);
    if (rc >= 0)
        rc = mapped->root = record->plain ? mapped_plain(record, userns, failure)
                                          : mapped_overlay(record, userns, failure);
    return rc < 0 ? rc : 0;
}

/* ---- inside ------------------------------------------------------------------------------------------------------ */

/* A process that came into the namespace is still the machine's uid 0, which is nobody there. */
int idmap_become_root(struct failure *failure)
{
    if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return fail(failure, "userns", -errno, "become root of the user namespace: %s", strerror(errno));
    return 0;
}
