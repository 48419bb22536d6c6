/* Health checks: when the next probe is due, and what its end means for the container.
 *
 * The rules are docker's: a success is `healthy` and ends the streak of failures, `retries` failures in a row are
 * `unhealthy`, failures within the start period do not count as long as no probe has succeeded. The file `health` beside
 * the launch record is the truth: status, streak and the last probes, read back by an adopter. A frozen container is not
 * probed, and a probe that it was frozen under means nothing.
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
#include <sys/socket.h>

#define FILE_NAME "health"
#define GRACE_NS 3000000000ull                 /* beyond its time before a probe is taken for stuck */

enum { PROBES_KEPT = 5, FILE_LIMIT = 64 * 1024, ENTRY_LIMIT = 2 * HEALTH_OUTPUT + 256 };

static const char *const NAMES[] = {"starting", "healthy", "unhealthy"};

/* Output as one line: a backslash, a newline and a NUL are written as \\, \n and \0. */
static size_t add_escaped(char *text, const char *bytes, size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        char plain = bytes[i] == '\n' ? 'n' : bytes[i] == 0 ? '0' : bytes[i] == '\\' ? '\\' : 0;
        if (plain)
            text[used++] = '\\';
        text[used++] = plain ? plain : bytes[i];
    }
    return used;
}

/* The file anew: what is known, the last probes of the old file, and `entry` ("" for none) behind them. */
static void save(struct monitor *monitor, uint64_t checked, const char *entry)
{
    enum { SIZE = FILE_LIMIT + ENTRY_LIMIT };
    cleanup_free char *old = malloc(FILE_LIMIT), *text = malloc(SIZE);
    const char *line[PROBES_KEPT];
    size_t lines = 0, keep = *entry ? PROBES_KEPT - 1 : PROBES_KEPT;

    if (!old || !text)
        return;
    if (read_file_at(monitor->container_dir, FILE_NAME, old, FILE_LIMIT) < 0)
        *old = 0;
    for (char *rest = old, *at; (at = strsep(&rest, "\n")) != NULL;)
        if (!strncmp(at, "log ", 4))
            line[lines++ % PROBES_KEPT] = at;
    size_t used = (size_t)snprintf(text, SIZE, "version 1\nstatus %s\nstreak %u\nstarted %llu\nchecked %llu\n",
                                   NAMES[monitor->health.status], monitor->health.streak,
                                   (unsigned long long)monitor->pids.started, (unsigned long long)checked);
    for (size_t i = lines > keep ? lines - keep : 0; i < lines; i++)
        used += (size_t)snprintf(text + used, SIZE - used, "%s\n", line[i % PROBES_KEPT]);
    snprintf(text + used, SIZE - used, "%s", entry);
    replace_file_at(monitor->container_dir, FILE_NAME, text, false);
}

static void arm(struct monitor *monitor, uint64_t delay)
{
    monitor->deadline[TIMER_HEALTH] = ticks_ns() + delay;
}

static uint64_t since_start(const struct monitor *monitor, uint64_t moment)
{
    return moment > monitor->pids.started ? moment - monitor->pids.started : 0;
}

static uint64_t next_interval(const struct monitor *monitor)
{
    const struct record *record = &monitor->record;

    if (monitor->health.status == HEALTH_STARTING && since_start(monitor, now_ns()) < record->health_start_period)
        return record->health_start_interval;
    return record->health_interval;
}

void health_begin(struct monitor *monitor)
{
    if (!monitor->record.health.count)
        return;
    monitor->health.status = HEALTH_STARTING;
    monitor->health.streak = 0;
    save(monitor, monitor->pids.started, "");
    arm(monitor, next_interval(monitor));
}

static uint64_t number_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

void health_adopt(struct monitor *monitor)
{
    char text[256];
    uint64_t now = now_ns(), interval, checked;

    if (!monitor->record.health.count)
        return;
    if (read_file_at(monitor->container_dir, FILE_NAME, text, sizeof text) < 0
        || number_of(text, "\nstarted ") != monitor->pids.started) {
        health_begin(monitor);
        return;
    }
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\nstatus %s\n", NAMES[i]);
        if (strstr(text, wanted))
            monitor->health.status = (enum health_status)i;
    }
    monitor->health.streak = (unsigned)number_of(text, "\nstreak ");
    checked = number_of(text, "\nchecked ");
    interval = next_interval(monitor);
    arm(monitor, checked <= now && now - checked < interval ? interval - (now - checked) : 0);
}

/* As Go prints a duration: 500ms, 30s, 1m30s, 1h0m0s. */
static void duration_text(char *text, size_t size, uint64_t ns)
{
    uint64_t minutes = ns / 60000000000ull;
    double seconds = (double)(ns % 60000000000ull) / 1e9;

    if (ns < 1000000000)
        snprintf(text, size, "%gms", (double)ns / 1e6);
    else if (!minutes)
        snprintf(text, size, "%gs", seconds);
    else if (minutes < 60)
        snprintf(text, size, "%llum%gs", (unsigned long long)minutes, seconds);
    else
        snprintf(text, size, "%lluh%llum%gs", (unsigned long long)(minutes / 60), (unsigned long long)(minutes % 60), seconds);
}

static void tell_change(const struct monitor *monitor, enum health_status before)
{
    char action[48];

    if (monitor->health.status == before)
        return;
    snprintf(action, sizeof action, "health_status: %s", NAMES[monitor->health.status]);
    journal_append(&monitor->record, action, "{}");
}

static void judge(struct monitor *monitor, bool succeeded)
{
    struct health *health = &monitor->health;
    const struct record *record = &monitor->record;
    bool counts = health->status != HEALTH_STARTING
                  || since_start(monitor, health->began) >= record->health_start_period;

    if (succeeded) {
        health->streak = 0;
        health->status = HEALTHY;
    } else if (counts && ++health->streak >= record->health_retries) {
        health->status = UNHEALTHY;
    }
}

static void conclude(struct monitor *monitor, const struct probed *probed)
{
    enum health_status before = monitor->health.status;
    uint64_t end = now_ns();
    cleanup_free char *entry = malloc(ENTRY_LIMIT);
    int code = probed->verdict == VERDICT_EXITED ? probed->code : -1;
    char took[48];

    if (!entry)
        return;
    size_t used = (size_t)snprintf(entry, ENTRY_LIMIT, "log %llu %llu %d ", (unsigned long long)monitor->health.began,
                                   (unsigned long long)end, code);
    if (probed->verdict == VERDICT_TIMEOUT) {
        duration_text(took, sizeof took, monitor->record.health_timeout);
        used += (size_t)snprintf(entry + used, ENTRY_LIMIT - used, "Health check exceeded timeout (%s)%s", took,
                                 probed->size ? ": " : "");
    }
    used += add_escaped(entry + used, probed->output, probed->size);
    memcpy(entry + used, "\n", 2);
    judge(monitor, code == 0);
    save(monitor, end, entry);
    tell_change(monitor, before);
}

/* Its end is told by the recorder, which writes it down first: probes that fail until then say nothing about health. */
static bool has_ended(const struct monitor *monitor)
{
    struct pollfd end = {monitor->init_pidfd, POLLIN, 0};
    return !monitor->running || poll(&end, 1, 0) > 0;
}

static void forget_probe(struct monitor *monitor)
{
    watch_close(monitor, &monitor->health.answer);
    close_fd(&monitor->health.probe);
    monitor->health.probe = -1;
}

static void answer_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    cleanup_free struct probed *probed = malloc(sizeof *probed);
    ssize_t got = probed ? recv(watch->fd, probed, sizeof *probed, MSG_DONTWAIT) : 0;

    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    forget_probe(monitor);
    if (has_ended(monitor))
        return;
    if (got == sizeof *probed && probed->verdict != VERDICT_VOID && probed->size < sizeof probed->output)
        conclude(monitor, probed);
    else
        save(monitor, now_ns(), "");
    arm(monitor, next_interval(monitor));
}

static void begin_probe(struct monitor *monitor)
{
    struct health *health = &monitor->health;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        arm(monitor, next_interval(monitor));
        return;
    }
    health->began = now_ns();
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        probe_main(&monitor->record, monitor->init_pidfd, pair[1]);
    }
    close(pair[1]);
    health->answer.fd = pair[0];
    health->answer.events = 0;
    health->probe = child < 0 ? -1 : pidfd_open_(child);
    if (health->probe < 0 || watch_set(monitor, &health->answer, EPOLLIN) < 0)
        forget_probe(monitor);
    arm(monitor, health->probe < 0 ? next_interval(monitor) : monitor->record.health_timeout + GRACE_NS);
}

/* With a probe under way it is one that did not end in its time, not even by its own clock. */
void health_due(struct monitor *monitor)
{
    struct health *health = &monitor->health;
    static const struct probed stuck = {.verdict = VERDICT_TIMEOUT};

    if (has_ended(monitor))
        return;
    bool frozen = cgroup_frozen(&monitor->record);
    if (health->probe >= 0) {
        pidfd_signal_(health->probe, SIGKILL);
        forget_probe(monitor);
        if (!frozen)
            conclude(monitor, &stuck);
        arm(monitor, next_interval(monitor));
    } else if (frozen) {
        arm(monitor, next_interval(monitor));
    } else {
        begin_probe(monitor);
    }
}

void health_end(struct monitor *monitor)
{
    if (monitor->health.probe >= 0)
        pidfd_signal_(monitor->health.probe, SIGKILL);
    forget_probe(monitor);
    monitor->deadline[TIMER_HEALTH] = 0;
}

void health_prepare(struct monitor *monitor)
{
    monitor->health = (struct health){.answer = {-1, 0, answer_ready}, .probe = -1};
}
