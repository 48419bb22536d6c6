/* One probe of a health check: a command in the container, entered as an exec enters it, in a process of its own so that
 * the monitor never waits. It tells its verdict in one message and ends.
 *
 * It dies with the monitor, and the command with it: an adopter begins its own. Output beyond what is kept is read and
 * thrown away, so that a talkative command ends too.
 */
#include "stay.h"
#include "kernel.h"
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { DRAIN_LIMIT = 1 << 20 };                /* what a command that has ended may leave in its pipe, in bytes */

static void collect(struct probed *probed, const char *bytes, size_t count)
{
    size_t room = HEALTH_OUTPUT - probed->size;

    if (count > room) {
        memcpy(probed->output + HEALTH_OUTPUT, "...", 4);
        count = room;
    }
    memcpy(probed->output + probed->size, bytes, count);
    probed->size += count;
}

/* True while there may be more. */
static bool read_output(struct probed *probed, int output)
{
    char bytes[4096];
    ssize_t got = read(output, bytes, sizeof bytes);

    if (got > 0)
        collect(probed, bytes, (size_t)got);
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void drain(struct probed *probed, int output)
{
    char bytes[4096];
    ssize_t got;

    for (size_t seen = 0; seen < DRAIN_LIMIT && (got = read(output, bytes, sizeof bytes)) > 0; seen += (size_t)got)
        collect(probed, bytes, (size_t)got);
}

static int reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until the command ends or its time is over; then it is killed with all that is in its session's group. */
static void watch_command(const struct record *record, const struct entered *entered, int output, uint64_t deadline,
                          struct probed *probed)
{
    bool over = false;
    struct pollfd ends[2] = {{entered->pidfd, POLLIN, 0}, {output, POLLIN, 0}};

    while (!ends[0].revents) {
        uint64_t now = ticks_ns();
        if (!over && now >= deadline) {
            over = true;
            probed->verdict = cgroup_frozen(record) ? VERDICT_VOID : VERDICT_TIMEOUT;
            kill(-entered->pid, SIGKILL);
            pidfd_signal_(entered->pidfd, SIGKILL);
            if (probed->verdict == VERDICT_VOID)         /* the frozen die when they thaw: nobody waits for that */
                return;
        }
        uint64_t left = over ? 0 : (deadline - now) / 1000000 + 1;
        if (poll(ends, 2, over ? -1 : left > INT_MAX ? INT_MAX : (int)left) < 0 && errno != EINTR)
            break;
        if (ends[1].revents && !read_output(probed, output))
            ends[1].fd = -1;
    }
    fcntl(output, F_SETFL, O_NONBLOCK);
    drain(probed, output);
}

static void failed(struct probed *probed, const struct failure *failure)
{
    bool command = !strncmp(failure->step, "exec", 4) || !strcmp(failure->step, "cwd");
    int size = snprintf(probed->output, HEALTH_OUTPUT, command
                        ? "OCI runtime exec failed: exec failed: unable to start container process: %s: unknown" : "%s",
                        failure->text);

    probed->verdict = VERDICT_FAILED;
    probed->size = (size_t)size < HEALTH_OUTPUT ? (size_t)size : HEALTH_OUTPUT - 1;
}

static int prepare(const struct record *record, struct entry *entry, struct stdio *stdio, int pipes[2],
                   struct failure *failure)
{
    struct process *process = entry->process;
    int null, rc;

    process->env.item = calloc(record->env.count + 3, sizeof *process->env.item);
    if (!process->env.item)
        return fail(failure, "exec", -ENOMEM, "no memory for the health check");
    memcpy(process->env.item, record->env.item, record->env.count * sizeof *process->env.item);
    process->env.count = record->env.count;
    null = null_clone(failure);
    if (null < 0)
        return null;
    stdio->in = null_open(null);
    if (stdio->in < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        return fail(failure, "exec", -errno, "make the streams of the health check: %s", strerror(errno));
    stdio->out = stdio->err = pipes[1];
    rc = seccomp_read(record->seccomp, &process->filter, failure);
    if (rc == 0 && record->cgroup_v2 && record->cgroups) {
        entry->cgroup = rc = open_at(AT_FDCWD, record->cgroup[0].directory, O_DIRECTORY | O_RDONLY, 0);
        if (rc < 0)
            return fail(failure, "cgroup", rc, "open %s: %s", record->cgroup[0].directory, strerror(-rc));
    }
    return rc;
}

static void probe(const struct record *record, int container, struct probed *probed)
{
    struct failure failure = {.error = 0};
    struct process process = {.record = record, .arg = &record->health, .init_exe = -1, .status = -1,
                              .user = record->user, .cwd = record->cwd, .caps = record->caps};
    struct stdio stdio = {-1, -1, -1};
    struct entry entry = {.record = record, .process = &process, .stdio = &stdio, .container = container, .cgroup = -1,
                          .foreground = true, .other_root = -1};
    struct exec_told told = {.record = record, .command = &record->health};
    struct entered entered = {-1, -1, -1, -1, -1};
    struct message message = {.kind = MESSAGE_FAILED};
    uint64_t deadline = ticks_ns() + record->health_timeout;
    int pipes[2] = {-1, -1};

    if (prepare(record, &entry, &stdio, pipes, &failure) < 0) {
        failed(probed, &failure);
        return;
    }
    exec_journal(&told, "exec_create");
    if (exec_enter(&entry, &entered, &failure) < 0) {
        close_fd(&entered.go);
        if (entered.pid > 0)
            reap(entered.pid);
        failed(probed, &failure);
        return;
    }
    close(pipes[1]);
    exec_journal(&told, "exec_start");
    if (write_all(entered.go, "g", 1) < 0 || message_receive(entered.status, &message, NULL) > 0) {
        close_fd(&entered.go);
        exec_die_journal(&told, reap(entered.pid));
        failed(probed, &message.failure);
        return;
    }
    watch_command(record, &entered, pipes[0], deadline, probed);
    if (probed->verdict == VERDICT_VOID)
        return;
    probed->code = reap(entered.pid);
    exec_die_journal(&told, probed->code);
}

/* Only these two descriptors stay: the monitor's lock above all must not be held by anyone else. */
static void close_the_rest(int one, int other)
{
    unsigned low = (unsigned)(one < other ? one : other), high = (unsigned)(one < other ? other : one);

    if (low > 3)
        syscall(SYS_close_range, 3, low - 1, 0);
    if (high > low + 1)
        syscall(SYS_close_range, low + 1, high - 1, 0);
    syscall(SYS_close_range, high + 1, ~0u, 0);
}

_Noreturn void probe_main(const struct record *record, int container, int answer)
{
    static struct probed probed;
    char gone;

    close_the_rest(container, answer);
    prctl(PR_SET_NAME, "tuidock-health");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (recv(answer, &gone, 1, MSG_DONTWAIT | MSG_PEEK) == 0)      /* the monitor died before it was asked for */
        _exit(1);
    probe(record, container, &probed);
    if (probed.output[HEALTH_OUTPUT])          /* it was cut, and says so */
        probed.size = HEALTH_OUTPUT + 3;
    send(answer, &probed, sizeof probed, MSG_NOSIGNAL);
    _exit(0);
}
