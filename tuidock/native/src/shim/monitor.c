/* The monitor: one loop that waits for everything that can happen to one container.
 *
 * The order at the end is a promise: the exit record is in place, then the log is complete, then what belonged to the
 * container in the kernel is gone, then `die` is in the journal, then the names (pid file, socket) go, then the clients
 * are told. Whoever hears of the end finds everything in order.
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
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LINGER_NS 10000000000ull
#define REST_NS 1000000000ull                  /* after the last thing that happened */
#define OOM_FIRST_LOOK_NS 10000000ull
#define OOM_LAST_LOOK_NS 2000000000ull

int watch_set(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (watch->fd < 0 || watch->events == events)
        return 0;
    int operation = !events ? EPOLL_CTL_DEL : watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(monitor->epoll, operation, watch->fd, &event) < 0)
        return -errno;
    watch->events = events;
    return 0;
}

/* Removed by hand before the close: the recorder may hold the same open file, and then closing would not remove it. */
void watch_close(struct monitor *monitor, struct watch *watch)
{
    watch_set(monitor, watch, 0);
    close_fd(&watch->fd);
    watch->fd = -1;
}

void process_detach(void)
{
    sigset_t all;
    setsid();
    if (chdir("/") < 0)
        _exit(125);
    umask(0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    signals_reset();                           /* a parent's ignored signals are not ours, nor the container's */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_NAME, "tuidock-shim");
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", "-999");
}

void monitor_journal_die(struct monitor *monitor)
{
    char attributes[96];
    snprintf(attributes, sizeof attributes, "{\"exitCode\":\"%d\",\"signal\":\"%d\",\"oom\":\"%d\"}",
             monitor->ending.status, monitor->ending.signal, monitor->ending.oom);
    journal_append(&monitor->record, "die", attributes);
}

static bool oom_count(struct monitor *monitor)
{
    long kills = cgroup_oom_kills(&monitor->record);
    if (kills <= monitor->oom_kills)           /* v1: the event also comes when the cgroup is removed */
        return false;
    monitor->oom_kills = kills;
    journal_append(&monitor->record, "oom", "{}");
    return true;
}

/* v1 tells of the want of memory, before anybody is killed for it: the counter is looked at again, ever more rarely. */
static void oom_look(struct monitor *monitor)
{
    monitor->deadline[TIMER_OOM] = 0;
    if (oom_count(monitor) || monitor->oom_delay > OOM_LAST_LOOK_NS)
        monitor->oom_delay = 0;
    else
        monitor->deadline[TIMER_OOM] = ticks_ns() + (monitor->oom_delay = monitor->oom_delay * 2 + OOM_FIRST_LOOK_NS);
}

static void oom_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    uint64_t count;
    (void)events;
    if (!monitor->record.cgroup_v2 && read(watch->fd, &count, sizeof count) < 0)
        return;
    monitor->oom_delay = 0;
    oom_look(monitor);
    if (monitor->record.cgroup_v2) {           /* reading the file is what takes the event back */
        char text[256];
        if (pread(watch->fd, text, sizeof text, 0) < 0)
            watch_close(monitor, watch);
    }
}

void monitor_init_died(struct monitor *monitor, const struct ending *ending)
{
    unsigned restarts = monitor->ending.restarts;
    if (!monitor->running)
        return;
    monitor->running = false;
    monitor->ending = *ending;
    monitor->ending.restarts = restarts;
    watch_close(monitor, &monitor->init_watch);
    watch_close(monitor, &monitor->oom);
    monitor->deadline[TIMER_OOM] = 0;
    health_end(monitor);
    oom_count(monitor);
    cgroup_remove(&monitor->record);           /* whoever is left must not write on while the log is drained */
    pump_drain(monitor);
    watch_close(monitor, &monitor->input);
    close_fd(&monitor->init_pidfd);
    monitor->init_pidfd = -1;
    restart_decide(monitor);
}

/* The recorder is dead, so the shim records. It may have got as far as the exit record before. */
static void init_watch_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct ending ending = {0}, recorded = {0};
    (void)watch;
    (void)events;
    ending.started = monitor->pids.started;
    ending.restarts = monitor->ending.restarts;
    unsigned long generation = monitor->record.generation;
    if (exit_read(monitor->container_dir, generation, &recorded) == 0 && recorded.started == ending.started) {
        ending = recorded;
    } else {
        init_ending(monitor->pids.init, monitor->init_pidfd, &ending);
        ending.oom = cgroup_oom_kills(&monitor->record) > 0;
        exit_write(monitor->container_dir, generation, &ending);
    }
    monitor_init_died(monitor, &ending);
}

void monitor_watch_init(struct monitor *monitor)
{
    monitor->init_watch = (struct watch){fcntl(monitor->init_pidfd, F_DUPFD_CLOEXEC, 3), 0, init_watch_ready};
    watch_set(monitor, &monitor->init_watch, EPOLLIN);
}

static void control_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct notice notice;
    (void)events;
    int error = notice_receive(watch->fd, &notice, NULL, 0);
    if (!error && notice.kind == NOTICE_ENDED) {
        monitor_init_died(monitor, &notice.ending);
    } else if (error) {
        watch_close(monitor, watch);
        if (!monitor->running)
            return;
        monitor->pids.recorder = 0;            /* init is ours now, unless this shim has adopted it */
        monitor->pids.recorder_start = 0;
        pid_write(monitor->run_dir, &monitor->pids);
        monitor_watch_init(monitor);
    }
}

/* Orphans of the container with the host's processes come here too. Init is waited for where its status is recorded. */
static void reap(struct monitor *monitor)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
        if (info.si_pid == monitor->pids.init && monitor->running)
            return;
        waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}

static void signals_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    if (read(watch->fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD) {
        reap(monitor);
    } else if (info.ssi_signo == SIGHUP) {
        resolver_look(monitor);
    } else if (monitor->running) {
        pidfd_signal_(monitor->init_pidfd, monitor->record.stop_signal > 0 ? monitor->record.stop_signal : SIGTERM);
    } else if (!monitor->ended) {
        monitor->stop_wanted = true;           /* in the delay before a restart: there will be none */
        monitor->deadline[TIMER_RESTART] = ticks_ns();
    }
}

int monitor_prepare(struct monitor *monitor, const char *container_path, const char *run_path)
{
    sigset_t wanted;
    struct watch none = {.fd = -1};
    monitor->container_path = container_path;
    monitor->run_path = run_path;
    monitor->lock = monitor->netns = monitor->init_pidfd = monitor->epoll = -1;
    monitor->resolver = (struct resolver_watch){.watch = none, .udp = -1, .tcp = -1, .alive = -1};
    monitor->control = monitor->init_watch = monitor->oom = monitor->attach = monitor->input = monitor->rules = none;
    monitor->still = none;
    monitor->pump = (struct pump){.chunk = {-1, -1}, .view = {-1, -1}, .null = -1, .mark_fd = -1,
                                  .source = {{.watch = none}, {.watch = none}}};
    monitor->log = (struct log){.directory = -1, .segment = -1, .dropped_file = -1};
    monitor->control.ready = control_ready;
    attach_stdin_opened(monitor);
    health_prepare(monitor);
    monitor->epoll = epoll_create1(EPOLL_CLOEXEC);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    monitor->signals = (struct watch){signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), 0, signals_ready};
    if (monitor->epoll < 0 || monitor->signals.fd < 0)
        return -errno;
    return watch_set(monitor, &monitor->signals, EPOLLIN);
}

/* Held for life: it says that this container has a living shim. */
int monitor_lock(struct monitor *monitor)
{
    monitor->lock = open_at(monitor->run_dir, "shim.lock", O_RDWR | O_CREAT, 0600);
    if (monitor->lock < 0)
        return monitor->lock;
    return flock(monitor->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int monitor_watch(struct monitor *monitor)
{
    uint32_t events = 0;
    int fd = -1;
    if (cgroup_oom_watch(&monitor->record, &fd, &events) >= 0 && fd >= 0) {
        monitor->oom = (struct watch){fd, 0, oom_ready};
        watch_set(monitor, &monitor->oom, events);
    }
    watch_set(monitor, &monitor->control, EPOLLIN);
    rules_watch(monitor);
    watch_set(monitor, &monitor->attach, EPOLLIN);
    monitor->deadline[TIMER_REST] = ticks_ns() + REST_NS;
    pump_arm(monitor);
    return 0;
}

void monitor_release(struct monitor *monitor)
{
    static const char *const names[] = {"restarting", ".restarting.tmp", "attach", "out", "err", ".pid.tmp"};
    relay_close(monitor);
    watch_close(monitor, &monitor->rules);
    resolver_stop(monitor);
    resolver_leave(monitor);
    nft_remove_ports(&monitor->record);
    if (!monitor->ended)
        net_detach(&monitor->record);          /* at an end the recorder does it, after all: see below */
    cgroup_remove(&monitor->record);
    close_fd(&monitor->netns);
    monitor->netns = -1;
    watch_close(monitor, &monitor->attach);
    for (size_t i = 0; i < COUNT(names); i++)
        unlinkat(monitor->run_dir, names[i], 0);
    if (monitor->ended)                        /* side by side: killed in between, the adopter would tell it again */
        monitor_journal_die(monitor);
    unlinkat(monitor->run_dir, "pid", 0);
}

/* The recorder goes last: until here it would have had the end finished by an adopter. When its control closes, ports and
 * pipes are free; it takes the link down and ends with the last namespaces afterwards, and nobody waits for that, because
 * RCU makes it 10 to 40 ms. */
static void recorder_let_go(int control)
{
    struct pollfd polled = {control, POLLIN, 0};
    struct notice last;
    while (poll(&polled, 1, 1000) > 0 && notice_receive(control, &last, NULL, 0) >= 0)
        ;
}

static void recorder_dismiss(struct monitor *monitor)
{
    const struct notice done = {.kind = NOTICE_DONE};
    if (monitor->control.fd < 0)
        return;
    if (notice_send(monitor->control.fd, &done, NOTICE_SMALL, NULL, 0) >= 0)
        recorder_let_go(monitor->control.fd);
    watch_close(monitor, &monitor->control);
}

static void reap_spawn(struct monitor *monitor)
{
    char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    if (fork() != 0)
        return;
    signals_reset();
    setsid();
    syscall(SYS_close_range, 3, ~0u, 0);
    execve(monitor->record.reap.item[0], monitor->record.reap.item, env);
    _exit(127);
}

void monitor_end(struct monitor *monitor)
{
    monitor->ended = true;
    memset(monitor->deadline, 0, sizeof monitor->deadline);
    bool remove = monitor->record.auto_remove && monitor->record.reap.count && !monitor->owner;
    monitor_release(monitor);
    log_close(&monitor->log);
    recorder_dismiss(monitor);
    close_fd(&monitor->lock);
    monitor->lock = -1;
    attach_ended(monitor, monitor->ending.status);
    if (remove)
        reap_spawn(monitor);
    monitor->deadline[TIMER_LINGER] = ticks_ns() + LINGER_NS;
}

static int timeout_ms(const struct monitor *monitor)
{
    uint64_t first = 0, now;
    for (size_t i = 0; i < TIMERS; i++)
        if (monitor->deadline[i] && (!first || monitor->deadline[i] < first))
            first = monitor->deadline[i];
    if (!first)
        return -1;
    now = ticks_ns();
    return first <= now ? 0 : (int)((first - now) / 1000000 + 1);
}

static void timer_fired(struct monitor *monitor, enum timer timer)
{
    switch (timer) {
    case TIMER_RESTART:
        restart_due(monitor);
        break;
    case TIMER_TTY:
        pump_arm(monitor);
        break;
    case TIMER_RELAY:
        relay_sweep(monitor);
        break;
    case TIMER_LINGER:
        attach_close(monitor);
        break;
    case TIMER_RESOLVER:
        resolver_start(monitor);
        break;
    case TIMER_RULES:
        rules_look(monitor);
        break;
    case TIMER_STILL:
        still_due(monitor);
        break;
    case TIMER_OOM:
        oom_look(monitor);
        break;
    case TIMER_HEALTH:
        health_due(monitor);
        break;
    case TIMER_REST:
        pump_rest(monitor);
        monitor->quiet = true;
        break;
    case TIMERS:
        break;
    }
}

int monitor_loop(struct monitor *monitor)
{
    while (!monitor->ended || !attach_flushed(monitor)) {
        struct epoll_event event;
        int timeout = timeout_ms(monitor), count;
        if (monitor->quiet)
            count = idle_epoll(monitor->epoll, &event, timeout);
        else if ((count = epoll_wait(monitor->epoll, &event, 1, timeout)) < 0)
            count = -errno;
        if (count < 0 && count != -EINTR)
            return count;
        uint64_t now = ticks_ns();
        if (count == 1) {
            struct watch *watch = event.data.ptr;
            watch->ready(monitor, watch, event.events);
            monitor->quiet = false;
        }
        if (!monitor->quiet && !monitor->deadline[TIMER_REST])
            monitor->deadline[TIMER_REST] = now + REST_NS;
        for (enum timer timer = 0; timer < TIMERS; timer++)
            if (monitor->deadline[timer] && monitor->deadline[timer] <= now) {
                monitor->deadline[timer] = 0;
                timer_fired(monitor, timer);
            }
    }
    return 0;
}
