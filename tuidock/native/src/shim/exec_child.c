/* The process of an exec: born in the container's pid namespace and cgroup, joins the rest, and ends where start ends. */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

static int open_terminal(const struct entry *entry, int root, int *slave, struct failure *failure)
{
    cleanup_close int devpts = open_in_root(root, "/dev/pts", O_RDONLY | O_DIRECTORY, 0);
    struct statfs status;

    if (devpts < 0 || fstatfs(devpts, &status) < 0 || status.f_type != DEVPTS_SUPER_MAGIC)
        return fail(failure, "device", -ENODEV, "a terminal needs a devpts mount on /dev/pts of the container");
    return terminal_open(entry->record, root, devpts, false, slave, failure);
}

static int enter(const struct entry *entry, struct message *message, int *terminal)
{
    struct failure *failure = &message->failure;
    cleanup_close int root = -1, slave = -1;
    cleanup_close int proc = open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);      /* the host's: not yet inside */
    int rc = entry->record->cgroup_v2 ? 0 : cgroup_join_v1(entry->record, failure);

    if (rc == 0)
        rc = process_limits(entry->record, proc, failure);
    if (rc == 0)
        rc = apparmor_confine(entry->record, proc, failure);
    if (rc < 0)
        return rc;
    if (checked(syscall(SYS_setns, entry->container, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                        CLONE_NEWCGROUP | (entry->record->uid_map.count ? CLONE_NEWUSER : 0))) < 0)
        return fail(failure, "clone", -errno, "join the container's namespaces: %s", strerror(errno));
    if (entry->record->uid_map.count && (rc = idmap_become_root(failure)) < 0)
        return rc;
    root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);      /* joining a mount namespace moves the root there */
    if (root < 0 || fchdir(root) < 0)
        return fail(failure, "pivot", -errno, "enter the container's root: %s", strerror(errno));
    if (entry->tty) {
        *terminal = open_terminal(entry, root, &slave, failure);
        rc = *terminal < 0 ? *terminal : 0;
    }
    if (rc == 0 && entry->other_root >= 0) {
        int other = debug_enter(entry->other_root, failure);
        if (other < 0)
            return other;
        close_fd(&root);
        root = other;
    }
    if (rc == 0)
        rc = process_resolve(entry->process, root, failure);
    return rc == 0 ? process_stdio(entry->stdio, slave, failure) : rc;
}

static _Noreturn void run(const struct entry *entry, int status, int go_end)
{
    struct message message = {.kind = MESSAGE_READY};
    int terminal = -1;
    char go;

    signals_reset();
    setsid();
    if (enter(entry, &message, &terminal) == 0) {
        int rc = message_send(status, &message, terminal);
        close_fd(&terminal);
        if (rc < 0 || read(go_end, &go, 1) != 1)
            _exit(255);
        entry->process->status = status;
        entry->process->ends_with_launcher = entry->foreground && !entry->tty;
        process_become(entry->process, &message.failure);
    }
    message.kind = MESSAGE_FAILED;
    message_send(status, &message, -1);
    _exit(255);
}

int exec_enter(const struct entry *entry, struct entered *entered, struct failure *failure)
{
    cleanup_close int child_status = -1, child_go = -1;
    struct clone3_arguments arguments = {.exit_signal = SIGCHLD, .flags = CLONE3_PIDFD};
    struct message message;
    int pair[2], pipes[2], pidfd = -1, rc;

    *entered = (struct entered){-1, -1, -1, -1, -1};
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);      /* before it is born, so that others in the container never can look into it */
    if (checked(syscall(SYS_setns, entry->container, CLONE_NEWPID)) < 0)
        return fail(failure, "clone", -errno, "join the container's pid namespace: %s", strerror(errno));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(failure, "clone", -errno, "make the status socket: %s", strerror(errno));
    entered->status = pair[0];
    child_status = pair[1];
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return fail(failure, "clone", -errno, "make the go pipe: %s", strerror(errno));
    child_go = pipes[0];
    entered->go = pipes[1];
    arguments.pidfd = (uint64_t)(uintptr_t)&pidfd;
    if (entry->cgroup >= 0) {
        arguments.flags |= CLONE3_INTO_CGROUP;
        arguments.cgroup = (uint64_t)entry->cgroup;
    }
    entered->pid = clone3_(&arguments);
    if (entered->pid == 0) {
        close(entered->status);
        close(entered->go);
        run(entry, child_status, child_go);
    }
    entered->pidfd = pidfd;
    if (entered->pid < 0)
        return fail(failure, "clone", entered->pid, "make the process: %s", strerror(-entered->pid));
    close_fd(&child_status);
    child_status = -1;
    rc = message_receive(entered->status, &message, &entered->terminal);
    if (rc == 0)
        return fail(failure, "clone", -ECHILD, "the process died before it was ready");
    if (rc < 0)
        return fail(failure, "clone", rc, "wait for the process: %s", strerror(-rc));
    if (message.kind == MESSAGE_READY)
        return 0;
    *failure = message.failure;
    return failure->error ? -failure->error : -EINVAL;
}
