/* Restart policies: whether a container that has ended runs again, and when.
 *
 * The delay doubles from 100 ms to a minute and starts anew after a run of ten seconds. A restart is a move like any
 * other: it takes the container's move lock (without waiting for it) and obeys the intent that a client has written.
 */
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define FIRST_DELAY_NS 100000000ull
#define LAST_DELAY_NS 60000000000ull
#define LONG_RUN_NS 10000000000ull
#define LOCK_RETRY_NS 50000000ull

static bool intent_is_stop(const struct monitor *monitor)
{
    char text[64];
    return read_file_at(monitor->container_dir, "intent", text, sizeof text) > 0 && strncmp(text, "run", 3);
}

/* An update writes the record anew while the container runs: the policy and the limits of the next run are its, and what
 * events tell of it, for a rename. All else stays as it was at the start, since others point into that. */
static void renew(struct monitor *monitor)
{
    struct record *record = &monitor->record, fresh;
    struct failure failure;
    if (record_read(&fresh, monitor->container_dir, &failure) < 0)
        return;
    if (fresh.generation != record->generation) {
        record_free(&fresh);
        return;
    }
    struct cgroup *former = record->cgroup;
    size_t formers = record->cgroups;
    char *actor = record->actor;
    record->restart_policy = fresh.restart_policy;
    record->restart_max = fresh.restart_max;
    record->cgroup = fresh.cgroup;
    record->cgroups = fresh.cgroups;
    fresh.cgroup = former;                     /* freed with it, once nobody looks at its strings any more */
    fresh.cgroups = formers;
    record->actor = fresh.actor;
    fresh.actor = actor;
    record_free(&monitor->renewed);
    monitor->renewed = fresh;
}

static bool policy_wants(const struct monitor *monitor)
{
    const struct record *record = &monitor->record;
    const char *policy = record->restart_policy ? record->restart_policy : "no";
    if (record->auto_remove)
        return false;
    if (!strcmp(policy, "always") || !strcmp(policy, "unless-stopped"))
        return true;
    return !strcmp(policy, "on-failure") && monitor->ending.status != 0
           && (record->restart_max == 0 || monitor->ending.restarts < record->restart_max);
}

void restart_decide(struct monitor *monitor)
{
    char text[96];
    renew(monitor);
    if (!policy_wants(monitor) || monitor->stop_wanted || intent_is_stop(monitor)) {
        monitor_end(monitor);
        return;
    }
    if (!monitor->restart_delay || ticks_ns() - monitor->run_began >= LONG_RUN_NS)
        monitor->restart_delay = FIRST_DELAY_NS;
    else if ((monitor->restart_delay *= 2) > LAST_DELAY_NS)
        monitor->restart_delay = LAST_DELAY_NS;
    snprintf(text, sizeof text, "until %llu attempt %u\n",
             (unsigned long long)(now_ns() + monitor->restart_delay), monitor->ending.restarts + 1);
    replace_file_at(monitor->run_dir, "restarting", text, false);
    monitor_journal_die(monitor);
    monitor->deadline[TIMER_RESTART] = ticks_ns() + monitor->restart_delay;
}

/* As for a start that a client asked for; here nobody waits for it. */
static int failure_status(const struct failure *failure)
{
    if (!strcmp(failure->step, "exec-notfound") || !strcmp(failure->step, "mount-notdir"))
        return 127;
    return !strcmp(failure->step, "exec-permission") ? 126 : 125;
}

static void restart_failed(struct monitor *monitor, const struct failure *failure)
{
    struct ending *ending = &monitor->ending;
    ending->status = failure_status(failure);
    ending->signal = 0;
    ending->oom = false;
    ending->finished = now_ns();
    snprintf(ending->error, sizeof ending->error, "%.255s", failure->text);
    exit_write(monitor->container_dir, monitor->record.generation, ending);
    monitor_end(monitor);
}

void restart_due(struct monitor *monitor)
{
    struct failure failure = {0};
    cleanup_close int lock = -1;
    if (!monitor->stop_wanted) {
        lock = open_at(monitor->run_dir, "lock", O_RDWR | O_CREAT, 0600);
        if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
            monitor->deadline[TIMER_RESTART] = ticks_ns() + LOCK_RETRY_NS;
            return;
        }
    }
    monitor->deadline[TIMER_RESTART] = 0;
    if (monitor->stop_wanted || intent_is_stop(monitor)) {
        monitor_end(monitor);
        return;
    }
    renew(monitor);
    monitor->ending.restarts++;
    number_write(monitor->container_dir, "restarts", monitor->ending.restarts);
    int error = monitor_launch(monitor, &failure);
    unlinkat(monitor->run_dir, "restarting", 0);
    if (error >= 0)
        error = monitor_watch(monitor);
    if (error < 0)
        restart_failed(monitor, &failure);
}
