/* The tar stream that is written: ustar headers, and pax headers where those are too small, as Go's archive/tar writes
 * them, because docker's layers come from there. */
#include "tarout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 512
#define CAPACITY (1024 * 1024)
#define SPECIAL_LIMIT (1024 * 1024)     /* of a pax header: the limit of those who read it */

int cannot(struct td_tar *tar, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tar->message, sizeof tar->message, format, arguments);
    va_end(arguments);
    return error > 0 ? -error : error;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

int output_open(struct output *output, int fd, struct td_tar *tar)
{
    *output = (struct output){ .fd = fd, .tar = tar };
    output->buffer = malloc(CAPACITY);
    return output->buffer ? 0 : cannot(tar, ENOMEM, "no memory to write the layer");
}

void output_close(struct output *output)
{
    free(output->buffer);
    free(output->record);
}

int output_flush(struct output *output)
{
    size_t done = 0;
    while (done < output->used) {
        if (__atomic_load_n(&output->tar->stop, __ATOMIC_RELAXED))
            return cannot(output->tar, ECANCELED, "stopped");
        ssize_t count = write(output->fd, output->buffer + done, output->used - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return cannot(output->tar, errno, "write the archive");
        done += count;
        __atomic_store_n(&output->tar->bytes_written, output->tar->bytes_written + count, __ATOMIC_RELAXED);
    }
    output->used = 0;
    return 0;
}

int output_room(struct output *output, size_t want, char **room, size_t *size)
{
    if (output->used == CAPACITY) {
        int rc = output_flush(output);
        if (rc < 0)
            return rc;
    }
    *room = output->buffer + output->used;
    *size = CAPACITY - output->used;
    if (*size > want)
        *size = want;
    return 0;
}

static int put(struct output *output, const void *bytes, size_t count)
{
    for (const char *from = bytes; count > 0;) {
        char *room;
        size_t size;
        int rc = output_room(output, count, &room, &size);
        if (rc < 0)
            return rc;
        memcpy(room, from, size);
        output->used += size;
        from += size;
        count -= size;
    }
    return 0;
}

int output_zeros(struct output *output, uint64_t count)
{
    while (count > 0) {
        char *room;
        size_t size;
        int rc = output_room(output, count > CAPACITY ? CAPACITY : (size_t)count, &room, &size);
        if (rc < 0)
            return rc;
        memset(room, 0, size);
        output->used += size;
        count -= size;
    }
    return 0;
}

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t limit)
{
    size_t length = 0;
    for (; text[length]; length++)
        if (text[length] & 0x80 || length >= limit)
            return false;
    return true;
}

static bool fits_octal(int64_t value, int digits) { return value >= 0 && value < (int64_t)1 << 3 * digits; }

static void octal(char *field, size_t size, int64_t value)
{
    if (!fits_octal(value, (int)size - 1))
        value = 0;      /* a pax record tells it */
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
    field[size - 1] = 0;
}

/* What of a name an old reader may see: cut off, without what it cannot read, and never a directory that it is not. */
static void short_name(char *field, size_t size, const char *name, bool directory)
{
    size_t used = 0;
    for (; *name && used < size; name++)
        if (!(*name & 0x80))
            field[used++] = *name;
    while (!directory && used > 0 && field[used - 1] == '/')
        field[--used] = 0;
}

static int put_header(struct output *output, const struct out_entry *entry)
{
    char header[BLOCK] = { 0 };
    short_name(header, 100, entry->name, entry->type == '5');
    octal(header + 100, 8, entry->mode);
    octal(header + 108, 8, entry->uid);
    octal(header + 116, 8, entry->gid);
    octal(header + 124, 12, entry->size > INT64_MAX ? -1 : (int64_t)entry->size);
    octal(header + 136, 12, entry->mtime);
    header[156] = entry->type;
    if (entry->link)
        short_name(header + 157, 100, entry->link, true);
    memcpy(header + 257, "ustar\0" "00", 8);
    octal(header + 329, 8, entry->major);
    octal(header + 337, 8, entry->minor);
    unsigned sum = 8 * ' ';
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    octal(header + 148, 7, sum);
    header[155] = ' ';
    return put(output, header, BLOCK);
}

static size_t digits_of(size_t number)
{
    size_t digits = 1;
    while (number /= 10)
        digits++;
    return digits;
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static int record(struct output *output, const char *prefix, const char *key, const char *value, size_t size)
{
    size_t rest = strlen(prefix) + strlen(key) + size + 3, length = rest + digits_of(rest);
    length = rest + digits_of(length);
    if (output->recorded + length + 1 > output->record_capacity) {
        size_t capacity = 2 * (output->recorded + length + 1);
        char *more = realloc(output->record, capacity);
        if (!more)
            return cannot(output->tar, ENOMEM, "no memory for a pax header");
        output->record = more;
        output->record_capacity = capacity;
    }
    char *to = output->record + output->recorded;
    int used = snprintf(to, length + 1, "%zu %s%s=", length, prefix, key);
    memcpy(to + used, value, size);
    to[length - 1] = '\n';
    output->recorded += length;
    return 0;
}

static int number_record(struct output *output, const char *key, int64_t value)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%lld", (long long)value);
    return record(output, "", key, text, (size_t)size);
}

/* The records, in the order of their keys. */
static int collect_records(struct output *output, const struct out_entry *entry)
{
    int rc = 0;
    output->recorded = 0;
    for (size_t i = 0; rc == 0 && i < entry->attributes; i++) {
        const struct out_attribute *attribute = &entry->attribute[i];
        rc = record(output, "SCHILY.xattr.", attribute->name, attribute->value, attribute->size);
    }
    if (rc == 0 && !fits_octal(entry->gid, 7))
        rc = number_record(output, "gid", entry->gid);
    if (rc == 0 && entry->link && !is_plain(entry->link, 100))
        rc = record(output, "", "linkpath", entry->link, strlen(entry->link));
    if (rc == 0 && !fits_octal(entry->mtime, 11))
        rc = number_record(output, "mtime", entry->mtime);
    if (rc == 0 && !is_plain(entry->name, 100))
        rc = record(output, "", "path", entry->name, strlen(entry->name));
    if (rc == 0 && !fits_octal((int64_t)entry->size, 11))
        rc = number_record(output, "size", (int64_t)entry->size);
    if (rc == 0 && !fits_octal(entry->uid, 7))
        rc = number_record(output, "uid", entry->uid);
    return rc;
}

/* dir/PaxHeaders.0/base, as others call it; nobody reads it. */
static int put_pax(struct output *output, const struct out_entry *entry)
{
    size_t length = strlen(entry->name);
    while (length > 0 && entry->name[length - 1] == '/')
        length--;
    size_t base = length;
    while (base > 0 && entry->name[base - 1] != '/')
        base--;
    char name[101];
    snprintf(name, sizeof name, "%.*sPaxHeaders.0/%.*s", (int)(base > 80 ? 80 : base), entry->name,
             (int)(length - base), entry->name + base);
    if (output->recorded > SPECIAL_LIMIT)
        return cannot(output->tar, E2BIG, "the extended attributes of \"%.200s\" are too many for an archive",
                      entry->name);
    struct out_entry pax = { .type = 'x', .name = name, .size = output->recorded };
    int rc = put_header(output, &pax);
    if (rc == 0)
        rc = put(output, output->record, output->recorded);
    return rc < 0 ? rc : output_zeros(output, -output->recorded % BLOCK);
}

int output_entry(struct output *output, const struct out_entry *entry)
{
    int rc = collect_records(output, entry);
    if (rc == 0 && output->recorded)
        rc = put_pax(output, entry);
    return rc < 0 ? rc : put_header(output, entry);
}
