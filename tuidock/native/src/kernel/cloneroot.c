/* Views of file systems from other mount namespaces.
 *
 * A child that shares memory and descriptors, but not the view of the file system, enters a namespace or makes one. It
 * does nothing else there and loads nothing (CVE-2019-14271), and what it opened stays open here.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (64 * 1024)
#define IN_ROOT (0x10 | 0x02)       /* RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS */
#define F_EMPTY_PATH 0x04           /* MOVE_MOUNT_F_EMPTY_PATH */
#define T_EMPTY_PATH 0x40
#define O_PATH_ 010000000

/* Runs the function in such a child: 0, or -errno when there is none. */
static int in_child(int (*function)(void *), void *argument)
{
    char *stack = malloc(STACK);
    if (!stack)
        return -ENOMEM;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);    /* handlers of this process must not run in the child */
    int pid = clone(function, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES, argument);
    int error = errno;
    if (pid >= 0)
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    return pid < 0 ? -error : 0;
}

struct visit { int namespace, root; };

static int enter_and_clone(void *argument)
{
    struct visit *visit = argument;
    visit->root = td_setns(visit->namespace, CLONE_NEWNS);
    if (visit->root >= 0)
        visit->root = td_open_tree(AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
    _exit(0);
}

int td_clone_root(int mount_namespace)
{
    struct visit visit = { mount_namespace, -ESRCH };
    int rc = in_child(enter_and_clone, &visit);
    return rc < 0 ? rc : visit.root;
}

struct house { int tree, *namespace, root; const char *at; const int *mount; const char **target; int mounts; };

static int opened(int fd) { return fd < 0 ? -errno : fd; }

static int furnish(struct house *house)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    int rc = td_move_mount(house->tree, "", AT_FDCWD, house->at, F_EMPTY_PATH);
    if (rc < 0)
        return rc;
    int root = opened(open(house->at, O_PATH_ | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; root >= 0 && i < house->mounts; i++) {
        int target = td_openat2(root, house->target[i], O_PATH_ | O_CLOEXEC, 0, IN_ROOT);
        rc = target < 0 ? target : td_move_mount(house->mount[i], "", target, "", F_EMPTY_PATH | T_EMPTY_PATH);
        if (target >= 0)
            close(target);
        if (rc < 0) {
            close(root);
            return rc;
        }
    }
    if (root < 0)
        return root;
    *house->namespace = opened(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    if (*house->namespace >= 0)
        return root;
    close(root);
    return *house->namespace;
}

static int furnish_and_leave(void *argument)
{
    struct house *house = argument;
    house->root = furnish(house);
    _exit(0);
}

int td_furnished_root(int tree, const char *at, const int *mount, const char **target, int mounts, int *namespace)
{
    struct house house = { tree, namespace, -ESRCH, at, mount, target, mounts };
    *namespace = -1;
    int rc = in_child(furnish_and_leave, &house);
    return rc < 0 ? rc : house.root;
}
