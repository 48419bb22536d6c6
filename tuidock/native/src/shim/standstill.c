/* A container that stands still while a client reads its files (engine/containers/standstill.py).
 *
 * The client keeps a connection for as long, from before it leaves its mark and freezes; what the mark ends with is said in
 * the hello. When that connection hangs up and the mark is still there, the client was killed, and the container goes on.
 * A successor has no such connection and watches the process that the mark names.
 */
#include "stay.h"
#include "kernel.h"
#include "launch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_RETRY_NS 20000000ull
#define MARK "paused"

struct reader { int pid; unsigned long long start; char token[TOKEN_SIZE + 1]; };

/* False: nobody reads, or a person has paused it. */
static bool mark_read(const struct monitor *monitor, struct reader *reader)
{
    char text[128];
    return read_file_at(monitor->run_dir, MARK, text, sizeof text) > 0
           && sscanf(text, "reading %d %llu %8s", &reader->pid, &reader->start, reader->token) == 3;
}

void still_left(struct monitor *monitor, const char *token)
{
    memcpy(monitor->still_token, token, sizeof monitor->still_token);
    monitor->deadline[TIMER_STILL] = ticks_ns();
}

/* Under the container's lock, which the killed one may still have for a moment: a pause by a person is not undone. */
void still_due(struct monitor *monitor)
{
    struct reader reader;
    if (!monitor->running)
        return;
    cleanup_close int lock = open_at(monitor->run_dir, "lock", O_RDWR | O_CREAT, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
        monitor->deadline[TIMER_STILL] = ticks_ns() + LOCK_RETRY_NS;
        return;
    }
    if (mark_read(monitor, &reader) && !strcmp(reader.token, monitor->still_token)
        && cgroup_thaw(&monitor->record) == 0)
        unlinkat(monitor->run_dir, MARK, 0);
}

static void reader_ended(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    (void)events;
    watch_close(monitor, watch);
    monitor->deadline[TIMER_STILL] = ticks_ns();
}

void still_adopt(struct monitor *monitor)
{
    struct reader reader;
    if (!mark_read(monitor, &reader))
        return;
    still_left(monitor, reader.token);
    int process = pidfd_open_(reader.pid);
    if (process >= 0 && process_start_time(reader.pid) == reader.start) {
        monitor->deadline[TIMER_STILL] = 0;
        monitor->still = (struct watch){process, 0, reader_ended};
        watch_set(monitor, &monitor->still, EPOLLIN);
    } else if (process >= 0) {
        close(process);
    }
}
