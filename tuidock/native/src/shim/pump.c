/* The pump: from the container's FIFOs (or terminal) to the log, then to the clients.
 *
 * No line may be lost when the shim is killed, and none written twice. A chunk is moved by splice(2) into a pipe that the
 * recorder holds too, tee(2)d to be read, logged, and only then thrown away. The mark, memory shared with the recorder,
 * says how long the chunk is and where the log ended before it: a pipe that holds the whole chunk is an unfinished one
 * (its logged part is found by reading the log from there), a pipe that holds less was being emptied. Unfinished lines
 * live in the mark in two copies, of which the chunk's end chooses one. A terminal cannot be spliced: it is read plainly.
 */
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { MARK_VERSION = 1, SMALL_PIPE = 64 * 1024 };
#define TTY_RETRY_NS 100000000ull

static void source_ready(struct monitor *monitor, struct watch *watch, uint32_t events);

static int pump_memory(struct pump *pump)
{
    pump->mark = mmap(NULL, sizeof *pump->mark, PROT_READ | PROT_WRITE, MAP_SHARED, pump->mark_fd, 0);
    pump->bytes = mmap(NULL, CHUNK_LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pump->mark == MAP_FAILED || pump->bytes == MAP_FAILED)
        return -ENOMEM;
    pump->limit = SMALL_PIPE;
    for (unsigned i = 0; i < 2; i++)
        pump->source[i] = (struct source){.watch = {-1, 0, source_ready}, .stream = i};
    return 0;
}

/* Descriptors that are set already (by adoption) are kept. */
int pump_prepare(struct monitor *monitor)
{
    struct pump *pump = &monitor->pump;
    bool fresh = pump->mark_fd < 0;
    if (fresh) {
        pump->mark_fd = memfd_create("tuidock-mark", MFD_CLOEXEC);
        if (pump->mark_fd < 0 || ftruncate(pump->mark_fd, sizeof(struct mark)) < 0)
            return -errno;
    }
    if (pump->chunk[0] < 0 && pipe2(pump->chunk, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(pump->view, O_CLOEXEC) < 0)
        return -errno;
    pump->null = open_at(AT_FDCWD, "/dev/null", O_WRONLY, 0);
    if (pump->null < 0)
        return pump->null;
    int error = pump_memory(pump);
    if (!error && fresh)
        pump->mark->version = MARK_VERSION;
    return error ? error : pump->mark->version == MARK_VERSION ? 0 : -EPROTO;
}

/* FIFOs are opened without waiting for a writer: an adopter's blocking open would hang. */
int pump_open(struct monitor *monitor)
{
    static const char *const names[] = {"out", "err"};
    for (unsigned i = 0; i < 2; i++) {
        struct source *source = &monitor->pump.source[i];
        if (source->watch.fd >= 0 || monitor->record.tty)
            continue;
        source->watch.fd = open_at(monitor->run_dir, names[i], O_RDONLY | O_NONBLOCK, 0);
        if (source->watch.fd < 0)
            return source->watch.fd;
    }
    return 0;
}

/* While the owner has not taken what it was given, the container is not read: that is the back-pressure. */
void pump_arm(struct monitor *monitor)
{
    bool wanted = !attach_owner_full(monitor);
    for (unsigned i = 0; i < 2; i++) {
        struct source *source = &monitor->pump.source[i];
        if (source->watch.fd >= 0 && !(source->tty && monitor->deadline[TIMER_TTY]))
            watch_set(monitor, &source->watch, wanted ? EPOLLIN : 0);
    }
}

/* A container that fills its pipe gets a larger one: fewer, larger chunks. Idle ones keep the small rings. */
static void pump_grow(struct pump *pump, int source)
{
    if (fcntl(pump->chunk[0], F_SETPIPE_SZ, CHUNK_LIMIT) < CHUNK_LIMIT
        || fcntl(pump->view[0], F_SETPIPE_SZ, CHUNK_LIMIT) < CHUNK_LIMIT)
        return;
    pump->limit = CHUNK_LIMIT;
    fcntl(source, F_SETPIPE_SZ, CHUNK_LIMIT);
}

static void hand_out(struct monitor *monitor, unsigned stream, size_t from, size_t count)
{
    const char *bytes = monitor->pump.bytes + from;
    if (!monitor->record.log_none)
        log_chunk(&monitor->log, monitor->pump.mark, stream, bytes, count);
    attach_output(monitor, stream, bytes, count);
}

static void chunk_done(struct pump *pump)
{
    struct mark *mark = pump->mark;
    int left = 0;
    while (ioctl(pump->chunk[0], FIONREAD, &left) == 0 && left > 0)
        if (splice(pump->chunk[0], NULL, pump->null, NULL, (size_t)left, 0) <= 0 && errno != EINTR)
            break;
    __atomic_store_n(&mark->slot[mark->stream], mark->next, __ATOMIC_SEQ_CST);
    __atomic_store_n(&mark->chunk, 0, __ATOMIC_SEQ_CST);
}

/* Copies what the chunk pipe holds, without taking it. */
static ssize_t chunk_view(struct pump *pump, size_t count)
{
    size_t got = 0;
    ssize_t teed = tee(pump->chunk[0], pump->view[1], count, 0);
    while (teed > 0 && got < (size_t)teed) {
        ssize_t part = read(pump->view[0], pump->bytes + got, (size_t)teed - got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        got += (size_t)part;
    }
    return teed < 0 ? -errno : (ssize_t)got;
}

/* A new segment: positions within the old ones may be rotated away, so clients get one that stays. */
static void tell_position(struct monitor *monitor)
{
    if (monitor->record.log_none || monitor->log.end.segment == monitor->pump.told_segment)
        return;
    monitor->pump.told_segment = monitor->log.end.segment;
    attach_position(monitor);
}

/* As read(2): bytes taken, 0 at the end, -errno. */
static ssize_t pump_spliced(struct monitor *monitor, struct source *source)
{
    struct pump *pump = &monitor->pump;
    struct mark *mark = pump->mark;
    __atomic_store_n(&mark->stream, source->stream, __ATOMIC_SEQ_CST);
    ssize_t count = splice(source->watch.fd, NULL, pump->chunk[1], NULL, pump->limit, SPLICE_F_NONBLOCK);
    if (count <= 0)
        return count < 0 ? -errno : 0;
    mark->before = monitor->log.end;
    __atomic_store_n(&mark->chunk, (uint32_t)count, __ATOMIC_SEQ_CST);
    ssize_t seen = chunk_view(pump, (size_t)count);
    if (seen == count)
        hand_out(monitor, source->stream, 0, (size_t)count);
    chunk_done(pump);
    tell_position(monitor);
    if (count == SMALL_PIPE && pump->limit == SMALL_PIPE)
        pump_grow(pump, source->watch.fd);
    return seen < 0 ? seen : count;
}

static ssize_t pump_read(struct monitor *monitor, struct source *source)
{
    struct pump *pump = &monitor->pump;
    ssize_t count = read(source->watch.fd, pump->bytes, pump->limit);
    if (count <= 0)
        return count < 0 ? -errno : 0;
    hand_out(monitor, source->stream, 0, (size_t)count);
    if (!monitor->record.log_none)
        pump->mark->slot[source->stream] = pump->mark->next;
    tell_position(monitor);
    return count;
}

static ssize_t pump_once(struct monitor *monitor, struct source *source)
{
    ssize_t count;
    do
        count = source->tty || monitor->record.log_none ? pump_read(monitor, source) : pump_spliced(monitor, source);
    while (count == -EINTR);
    return count;
}

static void source_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct source *source = container_of(watch, struct source, watch);
    (void)events;
    ssize_t count = pump_once(monitor, source);
    if (count == -EIO && source->tty) {
        /* every slave is closed, which hangs the master up for good: look again when somebody may have opened one */
        watch_set(monitor, watch, 0);
        monitor->deadline[TIMER_TTY] = ticks_ns() + TTY_RETRY_NS;
    } else if (count <= 0 && count != -EAGAIN) {
        watch_close(monitor, watch);
    }
    pump_arm(monitor);
}

/* A burst's pages go back once it is over: an idle shim stays small. */
void pump_rest(struct monitor *monitor)
{
    madvise(monitor->pump.bytes, CHUNK_LIMIT, MADV_DONTNEED);
    log_rest(&monitor->log);
}

void pump_drain(struct monitor *monitor)
{
    for (unsigned i = 0; i < 2; i++) {
        struct source *source = &monitor->pump.source[i];
        while (source->watch.fd >= 0 && pump_once(monitor, source) > 0)
            ;
        watch_close(monitor, &source->watch);
        if (!monitor->record.log_none)
            log_flush_pending(&monitor->log, monitor->pump.mark, i);
    }
    monitor->deadline[TIMER_TTY] = 0;
    pump_rest(monitor);
}

void pump_recover(struct monitor *monitor)
{
    struct pump *pump = &monitor->pump;
    struct mark *mark = pump->mark;
    unsigned stream = mark->stream & 1;
    uint32_t pending = mark->pending[stream][mark->slot[stream]];
    int held = 0;
    if (ioctl(pump->chunk[0], FIONREAD, &held) < 0 || (held == 0 && mark->chunk == 0))
        return;
    fcntl(pump->view[0], F_SETPIPE_SZ, fcntl(pump->chunk[0], F_GETPIPE_SZ));
    if (mark->chunk && (uint32_t)held < mark->chunk) {
        chunk_done(pump);
        return;
    }
    long long logged = 0;
    if (mark->chunk)
        logged = log_written_since(&monitor->log, &mark->before);
    else
        mark->before = monitor->log.end;
    __atomic_store_n(&mark->chunk, (uint32_t)held, __ATOMIC_SEQ_CST);
    ssize_t seen = chunk_view(pump, (size_t)held);
    size_t skip = 0;
    if (logged > 0) {                          /* it begins with the unfinished line, so that one is done */
        skip = (size_t)logged > pending ? (size_t)logged - pending : 0;
        mark->pending[stream][mark->slot[stream]] = 0;
    }
    if (seen > 0 && (size_t)seen >= skip)
        hand_out(monitor, stream, skip, (size_t)seen - skip);
    chunk_done(pump);
}
