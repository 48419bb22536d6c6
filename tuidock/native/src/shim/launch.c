/* The launcher's side of a start: clone3, then the network while the init process makes its mounts. */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static bool is_private(const char *namespace) { return !strcmp(namespace, "private"); }

/* A namespace given by path, -1 when it is not one. */
/* Of a path such as /proc/PID/ns/net, or /proc/PID/ns/net@START: then of that very process, looked at once its namespace
 * is open, since the pid may be another's by now. */
static int open_namespace(const char *namespace, int *fd, struct failure *failure)
{
    char path[4096];
    const char *start = strrchr(namespace, '@');

    if (*namespace != '/')
        return 0;
    snprintf(path, sizeof path, "%.*s", start ? (int)(start - namespace) : (int)strlen(namespace), namespace);
    *fd = open_at(AT_FDCWD, path, O_RDONLY, 0);
    if (*fd < 0)
        return fail(failure, "clone", *fd, "open the namespace %s: %s", path, strerror(-*fd));
    if (start && process_start_time((pid_t)atoi(path + strlen("/proc/"))) != strtoull(start + 1, NULL, 10))
        return fail(failure, "clone", -ESRCH, "open the namespace %s: the container that it belongs to has ended", path);
    return 0;
}

/* clone3, inside a pid namespace given by path when there is one: only a process's children enter it. */
static pid_t clone_init(struct clone3_arguments *arguments, int pid_namespace)
{
    cleanup_close int own = -1;
    pid_t pid;

    if (pid_namespace >= 0) {
        own = open_at(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY, 0);
        if (own < 0)
            return own;
        if (checked(syscall(SYS_setns, pid_namespace, CLONE_NEWPID)) < 0)
            return -errno;
    }
    pid = clone3_(arguments);
    if (pid > 0 && own >= 0 && checked(syscall(SYS_setns, own, CLONE_NEWPID)) < 0) {
        int rc = -errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return rc;
    }
    return pid;
}

static int attach_network(const struct record *record, const struct prepared *prepared, struct launched *launched,
                          struct failure *failure)
{
    char path[64];
    int rc;

    if (prepared->netns >= 0) {
        launched->netns = fcntl(prepared->netns, F_DUPFD_CLOEXEC, 3);
        if (launched->netns < 0)
            return fail(failure, "network", -errno, "keep the network namespace: %s", strerror(errno));
        if (!prepared->netns_is_new)     /* over a restart: links, addresses and ports are there */
            return usermode_start(record, launched->netns, launched->pidfd, failure);
    } else if (is_private(record->ns_net)) {
        snprintf(path, sizeof path, "/proc/%d/ns/net", launched->pid);
        launched->netns = open_at(AT_FDCWD, path, O_RDONLY, 0);
        if (launched->netns < 0)
            return fail(failure, "network", launched->netns, "open the network namespace: %s",
                        strerror(-launched->netns));
    }
    if (launched->netns >= 0 && (!record->in_userns || record->uid_map.count) && (record->interfaces || is_private(record->ns_net))) {
        rc = net_attach(record, launched->pid, launched->netns, launched, failure);
        if (rc < 0)
            return rc;
    }
    rc = usermode_start(record, launched->netns, launched->pidfd, failure);
    return rc < 0 ? rc : nft_add_ports(record, failure);
}

static int receive_ready(struct launched *launched, struct failure *failure)
{
    struct message message;
    int rc = message_receive(launched->status, &message, &launched->pty_master);

    if (rc == 0)
        return fail(failure, "clone", -ECHILD, "the init process died before it was ready");
    if (rc < 0)
        return fail(failure, "clone", rc, "wait for the init process: %s", strerror(-rc));
    if (message.kind == MESSAGE_READY) {
        launched->ns_layer = message.ns_layer;
        return 0;
    }
    *failure = message.failure;
    return failure->error ? -failure->error : -EINVAL;
}

/* Whether the child has reported a failure meanwhile. */
static bool has_told(const struct launched *launched)
{
    struct message message;
    return recv(launched->status, &message, sizeof message, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof message &&
           message.kind == MESSAGE_FAILED;
}

static void reap(struct launched *launched)
{
    if (launched->pidfd >= 0)
        pidfd_signal_(launched->pidfd, SIGKILL);
    if (launched->pid > 0)
        while (waitpid(launched->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    close_fd(&launched->pidfd);
    close_fd(&launched->pty_master);
    close_fd(&launched->netns);
    close_fd(&launched->go);
    close_fd(&launched->status);
    launched->pid = -1;
    launched->pidfd = launched->pty_master = launched->netns = launched->go = launched->status = -1;
}

int launch(const struct record *record, struct prepared *prepared, const struct stdio *stdio,
           struct launched *launched, struct failure *failure)
{
    cleanup_close int pid_namespace = -1, ipc = -1, uts = -1, net = -1, child_status = -1, child_go = -1;
    cleanup_filter struct filter filter = {NULL, 0};
    cleanup_file_systems struct file_systems systems = {NULL, 0};
    struct clone3_arguments arguments = {.exit_signal = SIGCHLD};
    struct mapped mapped = {.root = -1};
    bool is_mapped = record->uid_map.count;
    int pair[2], pipes[2], pidfd = -1, rc;

    *launched = (struct launched){.pid = -1, .pidfd = -1, .pty_master = -1, .netns = -1, .go = -1, .status = -1};
    rc = open_namespace(record->ns_pid, &pid_namespace, failure);
    if (rc == 0)
        rc = open_namespace(record->ns_ipc, &ipc, failure);
    if (rc == 0)
        rc = open_namespace(record->ns_uts, &uts, failure);
    if (rc == 0 && prepared->netns < 0)
        rc = open_namespace(record->ns_net, &net, failure);
    if (rc == 0 && record->init && prepared->self_exe < 0) {
        prepared->self_exe = self_clone();
        if (prepared->self_exe < 0)
            rc = fail(failure, "exec", prepared->self_exe, "clone the mount of tuidock-shim: %s",
                      strerror(-prepared->self_exe));
    }
    if (rc == 0)
        rc = seccomp_read(record->seccomp, &filter, failure);
    if (rc == 0)
        rc = file_systems_open(record, &systems, failure);
    if (rc == 0 && is_mapped)
        rc = idmap_prepare(record, systems.made, &mapped, failure);
    if (rc < 0)
        return rc;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(failure, "clone", -errno, "make the status socket: %s", strerror(errno));
    launched->status = pair[0];
    child_status = pair[1];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        rc = fail(failure, "clone", -errno, "make the go pipe: %s", strerror(errno));
        reap(launched);
        return rc;
    }
    child_go = pipes[0];
    launched->go = pipes[1];

    arguments.flags = CLONE3_PIDFD | CLONE_NEWNS | (is_private(record->ns_pid) ? CLONE_NEWPID : 0) |
                      (is_private(record->ns_ipc) ? CLONE_NEWIPC : 0) | (is_private(record->ns_uts) ? CLONE_NEWUTS : 0) |
                      (is_private(record->ns_net) && prepared->netns < 0 ? CLONE_NEWNET : 0) |
                      (is_mapped ? CLONE_NEWUSER : 0);
    arguments.pidfd = (uint64_t)(uintptr_t)&pidfd;
    if (record->cgroup_v2 && prepared->cgroup_fd >= 0) {
        arguments.flags |= CLONE3_INTO_CGROUP;
        arguments.cgroup = (uint64_t)prepared->cgroup_fd;
    }
    launched->ticks_clone = ticks_ns();
    launched->pid = clone_init(&arguments, pid_namespace);
    if (launched->pid == 0) {
        const struct child child = {.record = record, .prepared = prepared, .stdio = stdio, .filter = &filter,
                                    .join = {ipc, uts, prepared->netns >= 0 ? prepared->netns : net},
                                    .file_systems = systems.made, .mapped = is_mapped ? &mapped : NULL,
                                    .status = child_status, .go = child_go};
        close(launched->status);
        close(launched->go);             /* a launcher that dies must be seen at the other end */
        child_main(&child);
    }
    launched->pidfd = pidfd;
    if (launched->pid < 0) {
        rc = fail(failure, "clone", launched->pid, "make the namespaces: %s", strerror(-launched->pid));
        reap(launched);
        return rc;
    }
    close_fd(&child_status);
    child_status = -1;
    if (is_mapped) {
        rc = idmap_write(record, launched->pid, failure);
        if (rc == 0)
            rc = write_all(launched->go, "m", 1);
        if (rc < 0) {
            reap(launched);
            return rc;
        }
    }
    rc = attach_network(record, prepared, launched, failure);
    if (rc == 0 || has_told(launched))   /* a child that failed first is the reason why its network was not there */
        rc = receive_ready(launched, failure);
    if (rc < 0)
        reap(launched);
    return rc;
}

int launch_finish(struct launched *launched, struct failure *failure)
{
    struct message message;
    int rc;

    close_fd(&launched->go);
    launched->go = -1;
    rc = message_receive(launched->status, &message, NULL);
    if (rc > 0) {
        *failure = message.failure;
        rc = failure->error ? -failure->error : -EINVAL;
        reap(launched);
        return rc;
    }
    close_fd(&launched->status);
    launched->status = -1;
    launched->ns_process = ticks_ns() - launched->ticks_clone;
    return rc < 0 ? fail(failure, "exec", rc, "wait for exec: %s", strerror(-rc)) : 0;
}
