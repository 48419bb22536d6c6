/* The log: CRI lines in numbered segments that are never renamed, so that a reader's descriptor and offset stay true.
 *
 * A chunk is formatted into one batch with one time stamp and goes out in one write. A full disk never holds the container
 * up: what does not fit is counted in logs/dropped (its block is written at the start) and writing is tried again a
 * second later. A line is in the log whole or not at all. */
#include "stay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { PREFIX = 41,                            /* `2026-11-24T08:00:00.123456789Z stdout F ` */
       BATCH = 256 * 1024, DROPPED_WIDTH = 21 };
#define RETRY_NS 1000000000ull

static int segment_name(char *name, size_t size, uint64_t number)
{
    return snprintf(name, size, "%010llu.log", (unsigned long long)number);
}

/* 0 when the name is not a segment's. */
static uint64_t segment_number(const char *name)
{
    char *end;
    if (strspn(name, "0123456789") != 10)
        return 0;
    uint64_t number = strtoull(name, &end, 10);
    return strcmp(end, ".log") ? 0 : number;
}

/* Segments that more than `file_limit` newer ones have followed go. */
static uint64_t newest_segment(int directory, uint64_t keep_from)
{
    int copy = open_at(directory, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (!listing) {
        close_fd(&copy);
        return 0;
    }
    uint64_t newest = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        uint64_t number = segment_number(entry->d_name);
        if (number > newest)
            newest = number;
        if (number && number < keep_from)
            unlinkat(directory, entry->d_name, 0);
    }
    closedir(listing);
    return newest;
}

/* Where the last whole line ends: a power cut may have torn the one after it. */
static int64_t last_line_end(int fd, int64_t size)
{
    char block[4096];
    while (size > 0) {
        int64_t from = size > (int64_t)sizeof block ? size - (int64_t)sizeof block : 0;
        ssize_t got = pread(fd, block, (size_t)(size - from), from);
        if (got <= 0)
            return got < 0 ? -errno : from;
        char *newline = memrchr(block, '\n', (size_t)got);
        if (newline)
            return from + (newline - block) + 1;
        size = from;
    }
    return 0;
}

static int segment_open(struct log *log, uint64_t number)
{
    char name[32];
    struct stat status;
    segment_name(name, sizeof name, number);
    int fd = open_at(log->directory, name, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    int64_t end = last_line_end(fd, status.st_size);
    if (end >= 0 && end < status.st_size && ftruncate(fd, end) < 0)
        end = status.st_size;
    if (log->segment >= 0)
        close(log->segment);
    log->segment = fd;
    log->end = (struct position){number, (uint64_t)(end < 0 ? status.st_size : end)};
    return 0;
}

/* Of fixed width, in a block that is there since the start: on a full disk there would be no room for it. A failure
 * leaves the count in memory, for the next time. */
static int dropped_write(const struct log *log)
{
    char text[DROPPED_WIDTH + 1];
    snprintf(text, sizeof text, "%0*llu\n", DROPPED_WIDTH - 1, (unsigned long long)log->dropped);
    return pwrite(log->dropped_file, text, DROPPED_WIDTH, 0) < 0 ? -errno : 0;
}

static void dropped(struct log *log, uint64_t bytes)
{
    log->dropped += bytes;
    log->retry_at = ticks_ns() + RETRY_NS;
    dropped_write(log);
}

int log_open(struct log *log, int container_dir, const struct record *record)
{
    log->directory = log->segment = log->dropped_file = -1;
    log->size_limit = record->log_max_size;
    log->file_limit = record->log_max_file ? record->log_max_file : 1;
    if (mkdirat(container_dir, "logs", 0700) < 0 && errno != EEXIST)
        return -errno;
    log->directory = open_at(container_dir, "logs", O_RDONLY | O_DIRECTORY, 0);
    if (log->directory < 0)
        return log->directory;
    log->batch = mmap(NULL, BATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (log->batch == MAP_FAILED) {
        log->batch = NULL;
        return -ENOMEM;
    }
    log->dropped = number_read(log->directory, "dropped");
    log->dropped_file = open_at(log->directory, "dropped", O_WRONLY | O_CREAT, 0600);
    if (log->dropped_file >= 0 && !log->dropped)
        dropped_write(log);
    uint64_t newest = newest_segment(log->directory, 0);
    int error = segment_open(log, newest ? newest : 1);
    /* a full disk does not keep a container from starting: the segment is opened when there is room */
    return error == -ENOSPC || error == -EDQUOT ? 0 : error;
}

void log_close(struct log *log)
{
    if (log->batch)
        munmap(log->batch, BATCH);
    close_fd(&log->segment);
    close_fd(&log->dropped_file);
    close_fd(&log->directory);
    *log = (struct log){.directory = -1, .segment = -1, .dropped_file = -1};
}

void log_rest(struct log *log)
{
    if (log->batch && !log->used)
        madvise(log->batch, BATCH, MADV_DONTNEED);
}

/* Bytes of the container in formatted lines: the text, and the newline of each line that is not partial. */
static uint64_t raw_bytes(const char *lines, size_t count)
{
    uint64_t raw = 0;
    const char *at = lines, *end = lines + count;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline || newline - at < PREFIX - 1)
            break;
        raw += (uint64_t)(newline - at) - PREFIX + 1 + (at[PREFIX - 3] == 'F');
        at = newline + 1;
    }
    return raw;
}

static int rotate(struct log *log)
{
    uint64_t number = log->end.segment + 1;
    int error = segment_open(log, number);
    if (!error && number >= log->file_limit)
        newest_segment(log->directory, number - log->file_limit + 1);
    return error;
}

/* Whole lines only. Returns how many bytes of them are in the segment, at a line's end. */
static size_t segment_write(struct log *log, const char *lines, size_t count)
{
    size_t done = 0;
    while (done < count) {
        ssize_t put = write(log->segment, lines + done, count - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    if (done < count) {
        const char *newline = memrchr(lines, '\n', done);
        size_t whole = newline ? (size_t)(newline - lines) + 1 : 0;
        if (whole < done && ftruncate(log->segment, (off_t)(log->end.offset + whole)) == 0)
            done = whole;
    }
    log->end.offset += done;
    return done;
}

static void log_flush(struct log *log)
{
    const char *at = log->batch, *end = log->batch + log->used;
    log->used = 0;
    if (log->retry_at && ticks_ns() < log->retry_at) {
        uint64_t retry_at = log->retry_at;
        dropped(log, raw_bytes(at, (size_t)(end - at)));
        log->retry_at = retry_at;
        return;
    }
    log->retry_at = 0;
    while (at < end) {
        size_t piece = (size_t)(end - at);
        if (log->segment < 0 || (log->size_limit > 0 && log->end.offset >= (uint64_t)log->size_limit)) {
            if (log->segment < 0 ? segment_open(log, log->end.segment ? log->end.segment : 1) : rotate(log)) {
                dropped(log, raw_bytes(at, piece));
                return;
            }
        }
        if (log->size_limit > 0 && piece > (uint64_t)log->size_limit - log->end.offset) {
            /* the line that crosses the limit still belongs to this segment */
            const char *from = at + ((uint64_t)log->size_limit - log->end.offset) - 1;
            const char *newline = memchr(from, '\n', (size_t)(end - from));
            piece = (size_t)(newline - at) + 1;
        }
        size_t done = segment_write(log, at, piece);
        at += done;
        if (done < piece) {
            dropped(log, raw_bytes(at, (size_t)(end - at)));
            return;
        }
    }
}

static void two_digits(char *at, int number)
{
    at[0] = (char)('0' + number / 10 % 10);
    at[1] = (char)('0' + number % 10);
}

static void make_prefix(char prefix[48], unsigned stream)
{
    uint64_t now = now_ns();
    time_t seconds = (time_t)(now / 1000000000);
    uint32_t fraction = (uint32_t)(now % 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    memcpy(prefix, "0000-00-00T00:00:00.000000000Z stdout F         ", 48);
    two_digits(prefix, (utc.tm_year + 1900) / 100);
    two_digits(prefix + 2, (utc.tm_year + 1900) % 100);
    two_digits(prefix + 5, utc.tm_mon + 1);
    two_digits(prefix + 8, utc.tm_mday);
    two_digits(prefix + 11, utc.tm_hour);
    two_digits(prefix + 14, utc.tm_min);
    two_digits(prefix + 17, utc.tm_sec);
    for (int i = 28; i >= 20; i--, fraction /= 10)
        prefix[i] = (char)('0' + fraction % 10);
    if (stream)
        memcpy(prefix + 31, "stderr", 6);
}

/* One line, in up to two pieces (an unfinished one from before, and its continuation). */
static void put_line(struct log *log, const char prefix[48], char tag, const char *head, size_t head_size,
                     const char *tail, size_t tail_size)
{
    size_t size = PREFIX + head_size + tail_size;
    if (log->used + size + 48 > BATCH)
        log_flush(log);
    char *at = log->batch + log->used;
    memcpy(at, prefix, 48);
    at[PREFIX - 3] = tag;
    at += PREFIX - 1;
    if (head_size)
        memcpy(at, head, head_size);
    memcpy(at + head_size, tail, tail_size);
    at[head_size + tail_size] = '\n';
    log->used += size;
}

void log_chunk(struct log *log, struct mark *mark, unsigned stream, const char *bytes, size_t count)
{
    char prefix[48];
    uint32_t slot = mark->slot[stream];
    const char *pending = mark->line[stream][slot];
    size_t pending_size = mark->pending[stream][slot];
    const char *at = bytes, *end = bytes + count;

    make_prefix(prefix, stream);
    while (at < end) {
        size_t room = LINE_LIMIT - pending_size, left = (size_t)(end - at);
        const char *newline = memchr(at, '\n', left < room ? left : room);
        if (newline) {
            put_line(log, prefix, 'F', pending, pending_size, at, (size_t)(newline - at));
            at = newline + 1;
        } else if (left >= room) {
            put_line(log, prefix, 'P', pending, pending_size, at, room);
            at += room;
        } else {
            break;
        }
        pending_size = 0;
    }
    log_flush(log);

    /* the other copy, so that the one that counts stays true until the chunk is done */
    uint32_t other = slot ^ 1;
    size_t rest = (size_t)(end - at);
    if (pending_size)
        memcpy(mark->line[stream][other], pending, pending_size);
    if (rest)
        memcpy(mark->line[stream][other] + pending_size, at, rest);
    mark->pending[stream][other] = (uint32_t)(pending_size + rest);
    mark->next = other;
}

void log_flush_pending(struct log *log, struct mark *mark, unsigned stream)
{
    char prefix[48];
    uint32_t slot = mark->slot[stream];
    if (!mark->pending[stream][slot])
        return;
    make_prefix(prefix, stream);
    put_line(log, prefix, 'P', mark->line[stream][slot], mark->pending[stream][slot], "", 0);
    mark->pending[stream][slot] = 0;
    log_flush(log);
}

long long log_written_since(const struct log *log, const struct position *before)
{
    uint64_t raw = 0;
    cleanup_free char *block = malloc(BATCH);
    if (!block)
        return -ENOMEM;
    for (uint64_t number = before->segment; number <= log->end.segment; number++) {
        char name[32];
        segment_name(name, sizeof name, number);
        cleanup_close int fd = open_at(log->directory, name, O_RDONLY, 0);
        if (fd < 0)
            continue;                          /* rotated away meanwhile: what it held is written */
        off_t at = number == before->segment ? (off_t)before->offset : 0;
        for (;;) {
            ssize_t got = pread(fd, block, BATCH, at);
            char *newline = got > 0 ? memrchr(block, '\n', (size_t)got) : NULL;
            if (!newline)
                break;
            size_t whole = (size_t)(newline - block) + 1;
            raw += raw_bytes(block, whole);
            at += (off_t)whole;
        }
    }
    return (long long)raw;
}
