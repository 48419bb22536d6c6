/* Start: from the launch record to a running container, and the answer to the one who asked.
 *
 * The recorder launches while the shim makes what only it needs (exit record, log, socket), so the two halves
 * overlap. Whatever fails, everything that was made is taken back before the answer is given.
 */
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int make_fifos(struct monitor *monitor, struct failure *failure)
{
    static const char *const names[] = {"out", "err"};
    for (size_t i = 0; i < COUNT(names) && !monitor->record.tty; i++) {
        unlinkat(monitor->run_dir, names[i], 0);
        if (mkfifoat(monitor->run_dir, names[i], 0622) < 0)
            return fail(failure, "log", -errno, "make the FIFO %s/%s: %s", monitor->run_path, names[i], strerror(errno));
    }
    return 0;
}

/* The container's ends. O_RDWR: were shim and recorder both killed, its writes would wait for a reader and not fail. */
static int open_stdio(struct monitor *monitor, struct stdio *child, struct failure *failure)
{
    const struct record *record = &monitor->record;
    int error = pump_open(monitor), input[2];
    if (record->tty)
        return 0;
    if (error >= 0)
        error = child->out = open_at(monitor->run_dir, "out", O_RDWR, 0);
    if (error >= 0)
        error = child->err = open_at(monitor->run_dir, "err", O_RDWR, 0);
    if (error >= 0 && !record->stdin_open)
        error = child->in = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);
    if (error >= 0 && record->stdin_open) {
        error = pipe2(input, O_CLOEXEC) < 0 ? -errno : 0;
        if (!error) {
            child->in = input[0];
            monitor->input.fd = input[1];
            fcntl(input[1], F_SETFL, O_NONBLOCK);
        }
    }
    return error < 0 ? fail(failure, "log", error, "open the streams of the container: %s", strerror(-error)) : 0;
}

static void use_terminal(struct monitor *monitor, int master)
{
    struct source *source = &monitor->pump.source[0];
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    source->watch.fd = master;
    source->tty = true;
    if (monitor->record.stdin_open)
        monitor->input.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
}

/* The recorder's first word. The pid record is on disk before the init process may go on. */
static int take_launched(struct monitor *monitor, struct failure *failure)
{
    struct notice notice;
    struct pids *pids = &monitor->pids;
    int fds[3];
    int error = notice_receive(monitor->control.fd, &notice, fds, COUNT(fds));
    if (error < 0)
        return fail(failure, "recorder", error, "the recorder died during the launch");
    if (notice.kind == NOTICE_FAILED) {
        *failure = notice.failure;
        return failure->error ? -failure->error : -EINVAL;
    }
    monitor->init_pidfd = fds[0];
    pids->init = notice.init;
    pids->init_start = notice.init_start;
    pids->started = notice.started;
    pids->kept.pty = notice.pty;
    pids->kept.net = notice.net;
    if (notice.pty >= 0)
        use_terminal(monitor, fds[1]);
    if (notice.net >= 0) {
        close_fd(&monitor->netns);
        monitor->netns = fds[notice.pty >= 0 ? 2 : 1];
    }
    pids->generation = monitor->record.generation;
    pids->restarts = monitor->ending.restarts;
    error = pid_write(monitor->run_dir, pids);
    return error < 0 ? fail(failure, "record", error, "write %s/pid: %s", monitor->run_path, strerror(-error)) : 0;
}

static int go_on(struct monitor *monitor, struct failure *failure)
{
    struct notice notice = {.kind = NOTICE_GO};
    int error = notice_send(monitor->control.fd, &notice, NOTICE_SMALL, NULL, 0);
    if (!error)
        error = notice_receive(monitor->control.fd, &notice, NULL, 0);
    if (error < 0)
        return fail(failure, "recorder", error, "the recorder died during the launch");
    if (notice.kind == NOTICE_FAILED) {
        *failure = notice.failure;
        return failure->error ? -failure->error : -EINVAL;
    }
    monitor->times = notice.times;
    return 0;
}

/* What the shim does while the recorder launches. */
static int meanwhile(struct monitor *monitor, struct failure *failure)
{
    int error = exit_reserve(monitor->container_dir);
    if (error < 0)
        return fail(failure, "record", error, "reserve the exit record in %s: %s", monitor->container_path,
                    strerror(-error));
    if (monitor->ending.restarts)              /* a restart has its log, its socket and its ports already */
        return 0;
    error = monitor->record.log_none ? 0 : log_open(&monitor->log, monitor->container_dir, &monitor->record);
    if (error < 0)
        return fail(failure, "log", error, "open the log in %s/logs: %s", monitor->container_path, strerror(-error));
    return attach_listen(monitor, failure);
}

int monitor_launch(struct monitor *monitor, struct failure *failure)
{
    if (monitor->record.uid_map.count) {       /* only the user namespace of the run before could join its network */
        close_fd(&monitor->netns);
        monitor->netns = -1;
    }
    struct prepared prepared = {.cgroup_fd = -1, .netns = monitor->netns, .netns_is_new = monitor->netns < 0,
                                .self_exe = -1};
    struct stdio child = {-1, -1, -1};
    struct watch former = monitor->control;
    int error = cgroup_create(&monitor->record, &prepared, failure);
    if (error >= 0)
        error = open_stdio(monitor, &child, failure);
    if (error >= 0) {
        watch_set(monitor, &former, 0);
        error = recorder_start(monitor, &prepared, &child);
        if (error < 0)
            fail(failure, "recorder", error, "fork the recorder: %s", strerror(-error));
    }
    close_fd(&child.in);
    close_fd(&child.out);
    close_fd(&child.err);
    close_fd(&prepared.cgroup_fd);
    close_fd(&prepared.self_exe);
    if (error >= 0) {
        monitor->control.events = 0;
        error = meanwhile(monitor, failure);
        if (error >= 0)
            error = take_launched(monitor, failure);
        if (error >= 0)
            error = resolver_prepare(monitor, failure);
        if (error >= 0)
            resolver_start(monitor);
        if (error >= 0)
            error = go_on(monitor, failure);
        if (error < 0) {
            close_fd(&monitor->control.fd);    /* the recorder takes back what it made, and ends */
            monitor->control.fd = -1;
            waitpid(monitor->pids.recorder, NULL, 0);
        }
    }
    if (former.fd >= 0 && former.fd != monitor->control.fd) {
        const struct notice done = {.kind = NOTICE_RELIEVED};
        notice_send(former.fd, &done, NOTICE_SMALL, NULL, 0);
        close(former.fd);
    }
    if (error < 0)
        return error;
    monitor->running = true;
    monitor->run_began = ticks_ns();
    monitor->oom_kills = 0;
    health_begin(monitor);
    journal_append(&monitor->record, "start", "{}");
    return 0;
}

static void answer_error(int fd, const struct failure *failure)
{
    char line[sizeof failure->text + 64];
    int length = snprintf(line, sizeof line, "error %s %d %s\n", failure->step, failure->error, failure->text);
    write_all(fd, line, (size_t)length);
}

static int open_directories(struct monitor *monitor, struct failure *failure)
{
    monitor->container_dir = open_at(AT_FDCWD, monitor->container_path, O_RDONLY | O_DIRECTORY, 0);
    if (monitor->container_dir < 0)
        return fail(failure, "record", monitor->container_dir, "open %s: %s", monitor->container_path,
                    strerror(-monitor->container_dir));
    monitor->run_dir = open_at(AT_FDCWD, monitor->run_path, O_RDONLY | O_DIRECTORY, 0);
    if (monitor->run_dir < 0)
        return fail(failure, "record", monitor->run_dir, "open %s: %s", monitor->run_path, strerror(-monitor->run_dir));
    return record_read(&monitor->record, monitor->container_dir, failure);
}

static int start_steps(struct monitor *monitor, struct failure *failure)
{
    int error = open_directories(monitor, failure);
    if (error < 0)
        return error;
    error = monitor_lock(monitor);
    if (error < 0)
        return fail(failure, "record", error, "lock %s/shim.lock: %s", monitor->run_path,
                    error == -EWOULDBLOCK ? "the container has a living shim" : strerror(-error));
    monitor->may_release = true;
    boot_id(monitor->pids.boot, sizeof monitor->pids.boot);
    monitor->pids.shim = getpid();
    monitor->pids.shim_start = process_start_time(getpid());
    unlinkat(monitor->container_dir, "restarts", 0);
    error = make_fifos(monitor, failure);
    if (error >= 0)
        error = relay_listen(monitor, failure);
    if (error < 0)
        return error;
    error = pump_prepare(monitor);
    if (error < 0)
        return fail(failure, "log", error, "make the pipes of the log: %s", strerror(-error));
    return monitor_launch(monitor, failure);
}

static _Noreturn void shim_main(const char *container_path, const char *run_path, bool owner)
{
    static struct monitor monitor;
    static struct failure failure;
    char line[32];

    process_detach();
    int error = monitor_prepare(&monitor, container_path, run_path);
    if (error < 0)
        fail(&failure, "record", error, "prepare the loop: %s", strerror(-error));
    else
        error = start_steps(&monitor, &failure);
    if (error < 0) {
        if (monitor.may_release) {
            monitor_release(&monitor);
            unlinkat(monitor.container_dir, ".exit", 0);   /* nothing ran, so there is no end to be recorded */
        }
        answer_error(ANSWER_FD, &failure);
        _exit(1);
    }
    if (owner)
        attach_owner(&monitor, OWNER_FD);
    int length = snprintf(line, sizeof line, "pid %d\n", (int)monitor.pids.init);
    close(MOVE_LOCK_FD);                       /* the client still holds it; a shim that is stopped must not */
    write_all(ANSWER_FD, line, (size_t)length);
    close(ANSWER_FD);
    timeline_write(&monitor.record, monitor.container_dir, &monitor.times);
    relay_serve(&monitor);
    monitor_watch(&monitor);
    error = monitor_loop(&monitor);
    _exit(error < 0);
}

/* tuidock-shim start CDIR RUNDIR [--owner] */
int start_main(int argc, char **argv)
{
    bool owner = argc == 5 && !strcmp(argv[4], "--owner");
    if (argc != 4 && !owner) {
        static const char usage[] = "usage: tuidock-shim start CONTAINER-DIR RUN-DIR [--owner]\n";
        write_all(2, usage, sizeof usage - 1);
        return 125;
    }
    for (int fd = ANSWER_FD; fd <= OWNER_FD; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child < 0) {
        struct failure failure;
        fail(&failure, "recorder", -errno, "fork the shim: %s", strerror(errno));
        answer_error(ANSWER_FD, &failure);
        return 1;
    }
    if (child == 0)
        shim_main(argv[2], argv[3], owner);
    return 0;
}
