/* The root file system of another mount namespace, as a detached mount of this one.
 *
 * A child that shares memory and descriptors, but not the view of the file system, enters the namespace and clones the
 * mount at its root: without those below it. It does nothing else there and loads nothing (CVE-2019-14271).
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (64 * 1024)

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
    char *stack = malloc(STACK);
    if (!stack)
        return -ENOMEM;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);    /* handlers of this process must not run in the child */
    int pid = clone(enter_and_clone, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES, &visit);
    int error = errno;
    if (pid >= 0)
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    return pid < 0 ? -error : visit.root;
}
