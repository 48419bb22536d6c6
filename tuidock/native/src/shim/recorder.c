/* The recorder: the parent of the container's init process, made of as little as can be.
 *
 * It launches the init process, waits for its end and writes the exit record; it holds what must outlive a killed shim
 * (output FIFOs, stdin, terminal, network namespace, published sockets, the chunk in the works) under the descriptor
 * numbers that the pid file names; and it starts an adopter when the shim is gone, for as long as there is none. A spare
 * socket pair lies ready: an adopter fetches one end, and says hello on it.
 */
#include "stay.h"
#include "kernel.h"
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define SECOND_NS 1000000000ull

#define LONG_LIFE_NS (10 * SECOND_NS)

enum { KEEP_LIMIT = PORT_SOCKETS + 24, ADOPT_DELAY_LIMIT = 64, EARLY_DEATHS = 8 };

struct recorder {
    const struct record *record;
    const char *container_path, *run_path;
    int container_dir;
    int control, spare[2];          /* spare[1] is the end for the next shim */
    int in, out, err, pty, netns, chunk[2], mark;
    int late[2];                    /* namespaces that end with the recorder */
    struct ending ending;
    int *keep;
    size_t kept;
};

int notice_send(int fd, const struct notice *message, size_t size, const int *fds, size_t count)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(4 * sizeof(int))]; } control = {0};
    struct iovec part = {(void *)message, size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* 0 for a message, -EPIPE at the end, -errno. */
int notice_receive(int fd, struct notice *message, int *fds, size_t count)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(4 * sizeof(int))]; } control;
    struct iovec part = {message, sizeof *message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t got;
    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    do
        got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 ? -errno : -EPIPE;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights && rights->cmsg_type == SCM_RIGHTS) {
        size_t given = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < given; i++) {
            int received;
            memcpy(&received, CMSG_DATA(rights) + i * sizeof(int), sizeof received);
            if (i < count)
                fds[i] = received;
            else
                close(received);
        }
    }
    return 0;
}

/* Linux 6.15: a pidfd tells the exit status also to one who is not the parent, and after the parent has reaped. */
static bool exit_by_pidfd(int pidfd, int *status)
{
    struct { uint64_t mask, cgroup; uint32_t ids[11]; int32_t exit_code; } info = {.mask = 1u << 3};
    _Static_assert(sizeof info == 64, "the first published size of struct pidfd_info");
    if (pidfd < 0 || ioctl(pidfd, 0xC040FF0Bu, &info) < 0 || !(info.mask & (1u << 3)))
        return false;
    *status = info.exit_code;
    return true;
}

/* A dying recorder closes its files before it gives its children away: for a moment init is nobody's we could ask. */
void init_ending(pid_t pid, int pidfd, struct ending *ending)
{
    const struct timespec pause = {0, 2000000};
    siginfo_t info = {0};
    int status = 0, result;
    bool told = false;
    for (int patience = pidfd < 0 ? 0 : 250;; patience--) {
        do
            result = waitid(P_PID, (id_t)pid, &info, WEXITED);
        while (result < 0 && errno == EINTR);
        if (result == 0 || (told = exit_by_pidfd(pidfd, &status)) || patience <= 0)
            break;
        nanosleep(&pause, NULL);
    }
    ending->finished = now_ns();
    if (result == 0) {
        ending_from_wait(ending, info.si_code, info.si_status);
    } else if (told) {
        ending_from_wait(ending, WIFSIGNALED(status) ? CLD_KILLED : CLD_EXITED,
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    } else {
        ending->status = 255;
        snprintf(ending->error, sizeof ending->error, "the exit code is unknown: shim and recorder were killed");
    }
}

static void keep(struct recorder *recorder, int fd)
{
    if (fd >= 0 && recorder->kept < KEEP_LIMIT)
        recorder->keep[recorder->kept++] = fd;
}

static int compare(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

/* Closes all others: the recorder must not hold the shim's lock, log and clients open. */
static void close_others(struct recorder *recorder)
{
    unsigned from = 3;
    qsort(recorder->keep, recorder->kept, sizeof(int), compare);
    for (size_t i = 0; i < recorder->kept; i++) {
        unsigned fd = (unsigned)recorder->keep[i];
        if (fd > from)
            syscall(SYS_close_range, from, fd - 1, 0);
        if (fd >= from)
            from = fd + 1;
    }
    syscall(SYS_close_range, from, ~0u, 0);
}

static void keep_for_good(struct recorder *recorder, const struct monitor *monitor)
{
    recorder->kept = 0;
    const int lasting[] = {recorder->late[0], recorder->late[1], recorder->control, recorder->spare[0], recorder->spare[1], recorder->in, recorder->out,
                           recorder->err, recorder->pty, recorder->netns, recorder->chunk[0], recorder->chunk[1],
                           recorder->mark, recorder->container_dir};
    for (size_t i = 0; i < COUNT(lasting); i++)
        keep(recorder, lasting[i]);
    for (size_t i = 0; i < monitor->pids.kept.ports; i++)
        keep(recorder, monitor->pids.kept.port[i]);
}

static void spawn_adopter(struct recorder *recorder)
{
    pid_t child = fork();
    if (child == 0) {
        if (fork() > 0)                        /* not a child of the recorder: nothing to wait for */
            _exit(0);
        char *argv[] = {"tuidock-shim", "adopt", (char *)recorder->container_path, (char *)recorder->run_path, NULL};
        char *env[] = {NULL};
        signals_reset();
        syscall(SYS_close_range, 3, ~0u, 0);
        execve("/proc/self/exe", argv, env);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

/* The shim was killed between its last word to the disk and the one to us: the pid file has gone with the container, or
 * names the recorder of its next run. Adopters would not say hello to this one, ever. */
static bool is_out_of_office(const struct recorder *recorder)
{
    static struct pids pids;
    cleanup_close int run_dir = open_at(AT_FDCWD, recorder->run_path, O_RDONLY | O_DIRECTORY, 0);
    if (run_dir < 0)
        return run_dir == -ENOENT;
    int error = pid_read(run_dir, &pids);
    return error < 0 ? error == -ENOENT : pids.recorder > 0 && pids.recorder != getpid();
}

/* The adopter has its end: ours of it goes, so that its death is seen, and a new spare pair takes the same number. */
static void adopted(struct recorder *recorder)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    recorder->control = recorder->spare[0];
    dup3(pair[1], recorder->spare[1], O_CLOEXEC);
    close(pair[1]);
    recorder->spare[0] = pair[0];
}

static void record_end(struct recorder *recorder, pid_t init, int pidfd)
{
    struct ending *ending = &recorder->ending;
    init_ending(init, pidfd, ending);
    ending->oom = cgroup_oom_kills(recorder->record) > 0;
    exit_write(recorder->container_dir, recorder->record->generation, ending);
}

static uint64_t next_delay(uint64_t delay)
{
    return delay == 0 ? 1 : delay < ADOPT_DELAY_LIMIT ? delay * 2 : delay;
}

static int timeout_ms(uint64_t next)
{
    uint64_t now = ticks_ns();
    return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

/* The life of the recorder, after the start. */
static _Noreturn void keep_watch(struct recorder *recorder, pid_t init, int pidfd)
{
    bool ended = false, alone = false;
    uint64_t next_adopter = 0, delay = 0, shim_since = ticks_ns();
    unsigned early_deaths = 0;
    struct notice message;

    for (;;) {
        int control = alone ? recorder->spare[0] : recorder->control;
        struct pollfd polled[] = {{control, POLLIN, 0}, {ended ? -1 : pidfd, POLLIN, 0}};
        if ((alone ? poll(polled, 2, timeout_ms(next_adopter)) : idle_poll(polled, 2)) < 0)
            continue;
        if (polled[1].revents) {
            record_end(recorder, init, pidfd);
            ended = true;
            message = (struct notice){.kind = NOTICE_ENDED, .ending = recorder->ending};
            if (!alone)
                notice_send(recorder->control, &message, sizeof message, NULL, 0);
        }
        if (polled[0].revents) {
            int error = notice_receive(control, &message, NULL, 0);
            if (error == -EPIPE && !alone) {
                alone = true;
                close_fd(&recorder->control);
                /* at once, but not for ever: one that always dies after its hello would be started in a circle */
                early_deaths = ticks_ns() - shim_since < LONG_LIFE_NS ? early_deaths + 1 : 0;
                if (early_deaths <= EARLY_DEATHS)
                    delay = 0;
                next_adopter = ticks_ns() + delay * SECOND_NS;
            } else if (!error && message.kind == NOTICE_HELLO && alone) {
                adopted(recorder);
                alone = false;
                shim_since = ticks_ns();
                message = (struct notice){.kind = ended ? NOTICE_ENDED : NOTICE_STARTED, .ending = recorder->ending};
                notice_send(recorder->control, &message, sizeof message, NULL, 0);
            } else if (!error && message.kind == NOTICE_STDIN_CLOSED) {
                close_fd(&recorder->in);
                recorder->in = -1;
            } else if (!error && message.kind == NOTICE_RELIEVED) {
                _exit(0);                      /* another recorder keeps the container now, and its link */
            } else if (!error && message.kind == NOTICE_DONE) {
                recorder->kept = 0;            /* ports and pipes are free when the shim sees its control close */
                keep(recorder, recorder->late[0]);
                keep(recorder, recorder->late[1]);
                close_others(recorder);
                net_detach(recorder->record);  /* left to the namespace it would hold up the starts of others longer */
                _exit(0);
            }
        }
        if (alone && ticks_ns() >= next_adopter) {
            if (is_out_of_office(recorder))
                _exit(0);
            spawn_adopter(recorder);
            delay = next_delay(delay);
            next_adopter = ticks_ns() + delay * SECOND_NS;
        }
    }
}

static _Noreturn void launch_failed(struct recorder *recorder, const struct failure *failure)
{
    static struct notice message;
    message.kind = NOTICE_FAILED;
    message.failure = *failure;
    notice_send(recorder->control, &message, sizeof message, NULL, 0);
    _exit(1);
}

/* The launch may have reaped it already, and then its pid is -1: a signal to that would reach every process there is. */
static void init_kill(const struct launched *launched)
{
    if (launched->pid <= 1)
        return;
    kill(launched->pid, SIGKILL);
    waitpid(launched->pid, NULL, 0);
}

/* The shim died before the container ran: nobody was told of it, so it never was. */
static _Noreturn void launch_abandoned(struct recorder *recorder, const struct launched *launched, int run_dir)
{
    init_kill(launched);
    nft_remove_ports(recorder->record);
    net_detach(recorder->record);
    cgroup_remove(recorder->record);
    unlinkat(run_dir, "pid", 0);
    _exit(1);
}

/* The last process of a mount and an IPC namespace takes them apart in its own exit, and that waits for RCU grace periods,
 * 10 to 30 ms. Held here, they go when the recorder ends, which is after everybody has been told. */
static void hold_namespaces(struct recorder *recorder, pid_t init)
{
    static const char *const names[] = {"mnt", "ipc"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[40];
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)init, names[i]);
        int fd = open_at(AT_FDCWD, path, O_RDONLY, 0);
        recorder->late[i] = fd < 0 ? -1 : fd;
    }
}

static _Noreturn void recorder_main(struct monitor *monitor, struct recorder *recorder, struct prepared *prepared,
                                    const struct stdio *stdio)
{
    static int keep_room[KEEP_LIMIT];
    static struct failure failure;
    static struct notice message;
    struct launched launched = {.pid = -1, .pidfd = -1, .pty_master = -1, .netns = -1, .go = -1, .status = -1};
    sigset_t all;

    prctl(PR_SET_NAME, "tuidock-record");
    recorder->keep = keep_room;
    keep_for_good(recorder, monitor);
    const int for_launch[] = {stdio->in, stdio->out, stdio->err, prepared->cgroup_fd, prepared->netns,
                              prepared->self_exe, monitor->run_dir};
    for (size_t i = 0; i < COUNT(for_launch); i++)
        keep(recorder, for_launch[i]);
    for (int fd = ANSWER_FD; fd <= MOVE_LOCK_FD && !monitor->ending.restarts; fd++)
        keep(recorder, fd);                  /* were the shim killed, whoever asked waits until this launch is over too */
    close_others(recorder);

    signals_reset();                         /* the init process inherits neither mask nor ignored signals */
    int error = launch(recorder->record, prepared, stdio, &launched, &failure);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (error < 0)
        launch_failed(recorder, &failure);

    hold_namespaces(recorder, launched.pid);
    recorder->pty = launched.pty_master;
    if (launched.netns >= 0)
        recorder->netns = launched.netns;
    recorder->ending.started = now_ns();
    message = (struct notice){.kind = NOTICE_LAUNCHED, .init = launched.pid, .pty = recorder->pty,
                               .init_start = process_start_time(launched.pid), .started = recorder->ending.started,
                               .net = recorder->netns, .times = launched};
    int given[3] = {launched.pidfd};
    size_t count = 1;
    if (recorder->pty >= 0)
        given[count++] = recorder->pty;
    if (recorder->netns >= 0)
        given[count++] = recorder->netns;
    if (notice_send(recorder->control, &message, sizeof message, given, count) < 0
        || notice_receive(recorder->control, &message, NULL, 0) < 0 || message.kind != NOTICE_GO)
        launch_abandoned(recorder, &launched, monitor->run_dir);

    if (write(launched.go, "g", 1) < 0)
        error = fail(&failure, "exec", -errno, "let the init process go on: %s", strerror(errno));
    else
        error = launch_finish(&launched, &failure);
    if (error < 0) {
        init_kill(&launched);
        launch_failed(recorder, &failure);
    }
    keep_for_good(recorder, monitor);
    keep(recorder, launched.pidfd);
    close_others(recorder);
    message.kind = NOTICE_STARTED;
    message.times = launched;
    notice_send(recorder->control, &message, sizeof message, NULL, 0);
    keep_watch(recorder, launched.pid, launched.pidfd);
}

int recorder_start(struct monitor *monitor, struct prepared *prepared, const struct stdio *stdio)
{
    int control[2], spare[2];
    struct pump *pump = &monitor->pump;
    struct kept *kept = &monitor->pids.kept;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, spare) < 0) {
        int error = -errno;
        close(control[0]);
        close(control[1]);
        return error;
    }
    kept->control = spare[1];
    kept->chunk_read = pump->chunk[0];
    kept->chunk_write = pump->chunk[1];
    kept->mark = pump->mark_fd;
    kept->in = monitor->record.tty ? -1 : monitor->input.fd;
    kept->ports = 0;
    for (size_t i = 0; i < monitor->relay.listeners && kept->ports < PORT_SOCKETS; i++)
        kept->port[kept->ports++] = monitor->relay.listener[i].watch.fd;
    kept->out = pump->source[0].watch.fd;
    kept->err = pump->source[1].watch.fd;
    pid_t child = fork();
    if (child == 0) {
        struct recorder recorder = {
            .record = &monitor->record, .container_path = monitor->container_path, .run_path = monitor->run_path,
            .container_dir = monitor->container_dir, .control = control[1], .spare = {spare[0], spare[1]},
            .in = kept->in, .out = kept->out, .err = kept->err, .pty = -1, .netns = monitor->netns,
            .chunk = {pump->chunk[0], pump->chunk[1]}, .mark = pump->mark_fd, .late = {-1, -1},
            .ending = {.restarts = monitor->ending.restarts},
        };
        recorder_main(monitor, &recorder, prepared, stdio);
    }
    int error = child < 0 ? -errno : 0;
    close(control[1]);
    close(spare[0]);
    close(spare[1]);
    if (error) {
        close(control[0]);
        return error;
    }
    monitor->control.fd = control[0];
    monitor->pids.recorder = child;
    monitor->pids.recorder_start = process_start_time(child);
    return 0;
}
