/* A network for who may make no links: a program such as slirp4netns carries the packets of one container's namespace to
 * the sockets of its user. The record says how it is called; it is given its descriptors here, and it ends with the
 * container's init process.
 *
 * Published ports are relayed as ever, but by a process inside the container's namespace, since its addresses are known
 * there only and nobody without root's rights comes back from there.
 */
#include "stay.h"
#include "kernel.h"
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define READY_FD 3               /* written to when the network stands */
#define EXIT_FD 4                /* whose end tells the program to end */
#define NAMESPACE_FD 5
#define PATIENCE_MS 10000
enum { DESCRIPTORS = 4096 };      /* more than a monitor has open before it serves */

/* Only what the program is meant to have is open, at these numbers. */
static _Noreturn void carry(const struct record *record, int ready, int exit, int netns)
{
    int null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);
    const int given[] = {ready, exit, netns};
    int high[COUNT(given)];
    char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};

    for (size_t i = 0; i < COUNT(given); i++)
        high[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 16);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    for (size_t i = 0; i < COUNT(given); i++)
        dup2(high[i], READY_FD + (int)i);
    syscall(SYS_close_range, NAMESPACE_FD + 1, ~0u, 0);
    signals_reset();
    execve(record->user_network.item[0], record->user_network.item, env);
    _exit(127);
}

/* Between the two: its end of the pipe goes when the init process ends, whoever else was killed before. */
static _Noreturn void attend(const struct record *record, int ready, int netns, int init)
{
    struct pollfd ended = {.fd = init, .events = POLLIN};
    int life[2];

    if (pipe2(life, O_CLOEXEC) < 0)
        _exit(1);
    if (fork() == 0)
        carry(record, ready, life[0], netns);
    prctl(PR_SET_NAME, "tuidock-net");
    setsid();
    const int keep[] = {life[1] < init ? life[1] : init, life[1] < init ? init : life[1]};
    unsigned from = 0;
    for (size_t i = 0; i < COUNT(keep); i++) {
        if ((unsigned)keep[i] > from)
            syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    syscall(SYS_close_range, from, ~0u, 0);
    while (poll(&ended, 1, -1) < 0 && errno == EINTR)
        continue;
    _exit(0);
}

int usermode_start(const struct record *record, int netns, int init, struct failure *failure)
{
    cleanup_close int told = -1;
    int ready[2];
    struct pollfd polled;
    char byte;
    pid_t pid;

    if (!record->user_network.count)
        return 0;
    if (pipe2(ready, O_CLOEXEC) < 0)
        return fail(failure, "network", -errno, "make a pipe: %s", strerror(errno));
    told = ready[0];
    pid = fork();
    if (pid == 0)
        attend(record, ready[1], netns, init);
    close(ready[1]);
    if (pid < 0)
        return fail(failure, "network", -errno, "fork: %s", strerror(errno));
    polled = (struct pollfd){.fd = told, .events = POLLIN};
    if (poll(&polled, 1, PATIENCE_MS) != 1 || read(told, &byte, 1) != 1)
        return fail(failure, "network", -EIO, "%s did not make the network; does this user have access to /dev/net/tun?",
                    record->user_network.item[0]);
    return 0;
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static bool is_listener(const struct monitor *monitor, int fd)
{
    for (size_t i = 0; i < monitor->relay.listeners; i++)
        if (monitor->relay.listener[i].watch.fd == fd)
            return true;
    return false;
}

static _Noreturn void relay_inside(struct monitor *monitor)
{
    struct epoll_event event;
    sigset_t none;

    for (int fd = 3; fd < DESCRIPTORS; fd++)
        if (fd != monitor->netns && !is_listener(monitor, fd))
            close(fd);                   /* the monitor's locks, clients and files */
    if (syscall(SYS_setns, monitor->netns, CLONE_NEWNET) < 0)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    monitor->epoll = epoll_create1(EPOLL_CLOEXEC);
    monitor->attach.fd = -1;             /* the monitor's own affairs */
    monitor->record.user_network.count = 0;
    for (size_t i = 0; i < TIMERS; i++)
        monitor->deadline[i] = 0;
    relay_serve(monitor);
    for (;;) {
        uint64_t due = monitor->deadline[TIMER_RELAY], now = ticks_ns();
        int timeout = !due ? -1 : due <= now ? 0 : (int)((due - now) / 1000000 + 1);
        if (epoll_wait(monitor->epoll, &event, 1, timeout) == 1) {     /* one at a time: it may close others */
            struct watch *watch = event.data.ptr;
            watch->ready(monitor, watch, event.events);
        }
        if (monitor->deadline[TIMER_RELAY] && ticks_ns() >= monitor->deadline[TIMER_RELAY])
            relay_sweep(monitor);
    }
}

int usermode_relay(struct monitor *monitor)
{
    pid_t parent = getpid();

    if (!monitor->relay.listeners || monitor->netns < 0)
        return 0;
    monitor->relay.inside = fork();
    if (monitor->relay.inside == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
            _exit(1);
        relay_inside(monitor);
    }
    return monitor->relay.inside < 0 ? -errno : 0;
}

void usermode_relay_end(struct monitor *monitor)
{
    if (monitor->relay.inside <= 0)
        return;
    kill(monitor->relay.inside, SIGKILL);
    while (waitpid(monitor->relay.inside, NULL, 0) < 0 && errno == EINTR)
        continue;
    monitor->relay.inside = 0;
}
