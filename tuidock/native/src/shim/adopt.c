/* Adopt: a new shim for a container whose shim was killed.
 *
 * With a living recorder everything is fetched from it (pidfd_getfd), down to the chunk that was in the works. Without one
 * the container is watched by its pidfd and its FIFOs are opened anew; the exit code then comes from the kernel when it is
 * new enough to tell (6.15), else it is unknown. A container that is dead already gets its end finished.
 */
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

enum { LOCK_PAUSE_NS = 1000 * 1000 };          /* flock(2) cannot wait for a limited time */
#define LOCK_WAIT_NS (10ULL * 1000 * 1000 * 1000)

static bool same_process(pid_t pid, uint64_t start)
{
    return pid > 0 && start && process_start_time(pid) == start;
}

static int fetch(int recorder, int number)
{
    return number < 0 ? -1 : pidfd_getfd_(recorder, number);
}

static int take_descriptors(struct monitor *monitor, int recorder)
{
    const struct kept *kept = &monitor->pids.kept;
    struct pump *pump = &monitor->pump;
    pump->chunk[0] = fetch(recorder, kept->chunk_read);
    pump->chunk[1] = fetch(recorder, kept->chunk_write);
    pump->mark_fd = fetch(recorder, kept->mark);
    monitor->netns = fetch(recorder, kept->net);
    int out = monitor->record.tty ? kept->pty : kept->out;
    int fds[] = {fetch(recorder, out), monitor->record.tty ? -1 : fetch(recorder, kept->err)};
    int error = pump->chunk[0] < 0 || pump->chunk[1] < 0 || pump->mark_fd < 0 ? -EBADF : pump_prepare(monitor);
    if (error < 0)
        return error;
    for (unsigned i = 0; i < 2; i++)
        monitor->pump.source[i].watch.fd = fds[i];
    monitor->pump.source[0].tty = monitor->record.tty;
    if (monitor->record.tty && monitor->record.stdin_open)
        monitor->input.fd = fetch(recorder, kept->pty);
    else
        monitor->input.fd = fetch(recorder, kept->in);
    return relay_adopt(monitor, recorder);
}

/* Says hello on the spare socket; the answer tells whether the init process has ended meanwhile. */
static int greet(struct monitor *monitor, int recorder, bool *ended, struct ending *ending)
{
    struct notice notice = {.kind = NOTICE_HELLO};
    monitor->control.fd = fetch(recorder, monitor->pids.kept.control);
    if (monitor->control.fd < 0)
        return -EBADF;
    int error = notice_send(monitor->control.fd, &notice, NOTICE_SMALL, NULL, 0);
    if (!error)
        error = notice_receive(monitor->control.fd, &notice, NULL, 0);
    *ended = !error && notice.kind == NOTICE_ENDED;
    if (*ended)
        *ending = notice.ending;
    return error;
}

static int adopt_from_recorder(struct monitor *monitor, bool *ended, struct ending *ending)
{
    cleanup_close int recorder = pidfd_open_(monitor->pids.recorder);
    if (recorder < 0 || !same_process(monitor->pids.recorder, monitor->pids.recorder_start))
        return recorder < 0 ? recorder : -ESRCH;
    int error = take_descriptors(monitor, recorder);
    return error < 0 ? error : greet(monitor, recorder, ended, ending);
}

/* Both were killed. The FIFOs still hold what the container wrote, as long as it lives. */
static int adopt_alone(struct monitor *monitor)
{
    char path[64];
    struct failure failure;
    monitor->pids.recorder = 0;
    monitor->pids.recorder_start = 0;
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)monitor->pids.init);
    if (monitor->pids.kept.net >= 0)
        monitor->netns = open_at(AT_FDCWD, path, O_RDONLY, 0);
    int error = pump_prepare(monitor);
    if (error >= 0)
        error = pump_open(monitor);
    if (error >= 0 && relay_listen(monitor, &failure) < 0)
        return 0;                              /* somebody took a port: the container goes on without its relay */
    return error;
}

static int adopt(struct monitor *monitor)
{
    bool ended = false;
    struct ending ending = {.started = monitor->pids.started, .restarts = monitor->pids.restarts};
    struct pids *pids = &monitor->pids;
    struct failure failure;

    int error = monitor->record.log_none ? 0 : log_open(&monitor->log, monitor->container_dir, &monitor->record);
    if (error < 0)
        return error;
    monitor->init_pidfd = pidfd_open_(pids->init);
    bool alive = monitor->init_pidfd >= 0 && same_process(pids->init, pids->init_start);
    error = adopt_from_recorder(monitor, &ended, &ending);
    bool alone = error < 0;
    if (alone)
        error = adopt_alone(monitor);
    if (error < 0)
        return error;
    if (alone && !alive) {
        ended = true;
        if (exit_read(monitor->container_dir, pids->generation, &ending) < 0 || ending.started != pids->started) {
            ending = (struct ending){.started = pids->started, .restarts = pids->restarts, .finished = now_ns()};
            init_ending(pids->init, monitor->init_pidfd, &ending);
            exit_write(monitor->container_dir, pids->generation, &ending);
        }
    }
    monitor->ending.restarts = pids->restarts;
    monitor->ending.started = pids->started;
    monitor->running = true;
    monitor->run_began = ticks_ns();
    monitor->oom_kills = cgroup_oom_kills(&monitor->record);
    pump_recover(monitor);
    attach_listen(monitor, &failure);          /* without it the container still has its log and its end */
    pids->shim = getpid();
    pids->shim_start = process_start_time(getpid());
    pid_write(monitor->run_dir, pids);
    relay_serve(monitor);
    resolver_look(monitor);
    monitor_watch(monitor);
    health_adopt(monitor);
    still_adopt(monitor);
    if (ended)
        monitor_init_died(monitor, &ending);
    else if (alone)
        monitor_watch_init(monitor);
    return 0;
}

/* No pid file: the shim was killed before the container ran, or at the very end of its end. Nobody has the lock, so what
 * bears the container's names is nobody's. */
static int clear_away(struct monitor *monitor)
{
    struct failure failure;
    if (record_read(&monitor->record, monitor->container_dir, &failure) >= 0)
        monitor_release(monitor);
    return 1;
}

static bool is_looked_after(const struct monitor *monitor)
{
    struct pids pids;
    return pid_read(monitor->run_dir, &pids) >= 0 && same_process(pids.shim, pids.shim_start) &&
           process_state(pids.shim) != 'Z';
}

/* A shim that was killed keeps its lock while the kernel takes it apart, and the children that it had just forked keep it
 * until they exec: a busy lock means a living shim only when the pid record names one. 1: it does. */
static int take_lock(struct monitor *monitor)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    uint64_t deadline = ticks_ns() + LOCK_WAIT_NS;
    int error = monitor_lock(monitor);
    while (error == -EWOULDBLOCK) {
        if (is_looked_after(monitor) || ticks_ns() > deadline)
            return 1;
        nanosleep(&pause, NULL);
        error = flock(monitor->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    }
    return error;
}

/* 1: there is nothing to adopt (a living shim, or an end that is finished). */
static int adopt_steps(struct monitor *monitor)
{
    char boot[40] = "";
    struct failure failure;
    monitor->container_dir = open_at(AT_FDCWD, monitor->container_path, O_RDONLY | O_DIRECTORY, 0);
    monitor->run_dir = open_at(AT_FDCWD, monitor->run_path, O_RDONLY | O_DIRECTORY, 0);
    if (monitor->container_dir < 0 || monitor->run_dir < 0)
        return -ENOENT;
    int error = take_lock(monitor);
    if (error != 0)
        return error;
    error = pid_read(monitor->run_dir, &monitor->pids);
    if (error < 0)
        return error == -ENOENT ? clear_away(monitor) : error;
    boot_id(boot, sizeof boot);
    if (strcmp(boot, monitor->pids.boot))
        return -ESTALE;
    error = record_read(&monitor->record, monitor->container_dir, &failure);
    if (error < 0)
        return error;
    if (monitor->record.generation != monitor->pids.generation)
        return -ESTALE;
    return adopt(monitor);
}

static _Noreturn void adopter_main(const char *container_path, const char *run_path, int answer)
{
    static struct monitor monitor;
    process_detach();
    int error = monitor_prepare(&monitor, container_path, run_path);
    if (error >= 0)
        error = adopt_steps(&monitor);
    char verdict = error < 0 ? 1 : 0;
    if (write(answer, &verdict, 1) < 0)
        verdict = 1;                           /* nobody waits: whoever asked was killed, which changes nothing */
    close(answer);
    if (error != 0)
        _exit(verdict);
    _exit(monitor_loop(&monitor) < 0);
}

/* tuidock-shim adopt CDIR RUNDIR: 0 when the container has a shim again, or needs none. */
int adopt_main(int argc, char **argv)
{
    int answer[2];
    char verdict = 1;
    if (argc != 4) {
        static const char usage[] = "usage: tuidock-shim adopt CONTAINER-DIR RUN-DIR\n";
        write_all(2, usage, sizeof usage - 1);
        return 125;
    }
    if (pipe2(answer, O_CLOEXEC) < 0)
        return 1;
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        close(answer[0]);
        adopter_main(argv[2], argv[3], answer[1]);
    }
    close(answer[1]);
    if (read(answer[0], &verdict, 1) != 1)
        return 1;
    return verdict;
}
