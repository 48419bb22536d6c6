#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "logcopy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `2026-11-24T08:00:00.123456789Z stdout F ` */
enum { TIME_LENGTH = 30, STREAM_AT = 31, TAG_AT = 38, TEXT_AT = 40, CHUNK = 1 << 20 };

struct sink {
    int fd;
    size_t used;
    char *buffer;
};

static int flush(struct sink *sink) {
    size_t done = 0;
    while (done < sink->used) {
        ssize_t count = write(sink->fd, sink->buffer + done, sink->used - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        done += (size_t)count;
    }
    sink->used = 0;
    return 0;
}

/* One line (with its newline) into its sink. The other sink is flushed first, so that a terminal that shows both
 * streams keeps their order. */
static int put_line(struct sink *sink, struct sink *other, const char *line, size_t length, int timestamps) {
    if (sink->fd < 0)
        return 0;
    if (other->used) {
        int rc = flush(other);
        if (rc < 0)
            return rc;
    }
    size_t text = length - TEXT_AT;
    if (line[TAG_AT] == 'P')
        text--;                                     /* the line goes on in the next one: no newline here */
    size_t needed = text + (timestamps ? TIME_LENGTH + 1 : 0);
    if (sink->used + needed > CHUNK) {
        int rc = flush(sink);
        if (rc < 0)
            return rc;
    }
    if (timestamps) {
        memcpy(sink->buffer + sink->used, line, TIME_LENGTH + 1);
        sink->used += TIME_LENGTH + 1;
    }
    memcpy(sink->buffer + sink->used, line + TEXT_AT, text);
    sink->used += text;
    return 0;
}

int td_log_copy(int segment, int64_t *offset, int64_t end, int out, int err, int timestamps) {
    /* the longest line that the shim writes is 16 KiB and its prefix, so a chunk always holds a whole one */
    char *memory = malloc(3 * CHUNK);
    if (!memory)
        return -ENOMEM;
    char *chunk = memory;
    struct sink sinks[2] = {{out, 0, memory + CHUNK}, {err, 0, memory + 2 * CHUNK}};
    int rc = 0;
    int continues = 0;                              /* only the first part of a long line bears its time */
    while (rc >= 0 && (end < 0 || *offset < end)) {
        size_t wanted = end >= 0 && end - *offset < CHUNK ? (size_t)(end - *offset) : CHUNK;
        ssize_t count = pread(segment, chunk, wanted, *offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            rc = -errno;
        if (count <= 0)
            break;
        const char *line = chunk, *stop = chunk + count, *newline;
        while (rc >= 0 && (newline = memchr(line, '\n', (size_t)(stop - line)))) {
            size_t length = (size_t)(newline + 1 - line);
            if (length > TEXT_AT && line[TIME_LENGTH] == ' ') {
                int is_err = line[STREAM_AT + 3] == 'e';
                rc = put_line(&sinks[is_err], &sinks[!is_err], line, length, timestamps && !continues);
                continues = line[TAG_AT] == 'P';
            }
            line = newline + 1;
        }
        if (line == chunk)
            break;                                  /* a torn line at the end */
        *offset += line - chunk;
    }
    for (int i = 0; i < 2; i++) {
        int flushed = rc >= 0 && sinks[i].used ? flush(&sinks[i]) : 0;
        if (flushed < 0)
            rc = flushed;
    }
    free(memory);
    return rc;
}
