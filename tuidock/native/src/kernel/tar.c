/* The tar stream: ustar, GNU long names, pax headers, as Go's archive/tar reads them, because that is what docker does. */
#include "tar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY (1024 * 1024)
#define OWNER_LIMIT (UINT32_MAX - 1)    /* cut off it could be root's, and chown to the last one changes nothing */
#define MAJOR_LIMIT 0xfff               /* device numbers of Linux: 12 and 20 bits */
#define MINOR_LIMIT 0xfffff

static void explain(struct td_extract *extract, const char *format, va_list arguments)
{
    vsnprintf(extract->message, sizeof extract->message, format, arguments);
}

int bad(struct td_extract *extract, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    explain(extract, format, arguments);
    va_end(arguments);
    extract->bad_content = 1;
    return -EBADMSG;
}

int failed(struct td_extract *extract, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    explain(extract, format, arguments);
    va_end(arguments);
    return error > 0 ? -error : error;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

int reader_open(struct reader *reader, int fd, struct td_extract *extract)
{
    *reader = (struct reader){ .fd = fd, .capacity = CAPACITY, .extract = extract };
    reader->buffer = malloc(CAPACITY);
    return reader->buffer ? 0 : failed(extract, ENOMEM, "no memory to read the layer");
}

void reader_close(struct reader *reader) { free(reader->buffer); }

/* At the end of a file that another thread still writes: waits until there is more, or never will be. */
static bool has_grown(struct td_extract *extract)
{
    char news[256];
    if (extract->follow < 0)
        return false;
    ssize_t count = read(extract->follow, news, sizeof news);
    if (count == 0)
        extract->follow = -1;   /* one last look: the writer closed it behind its last write */
    return count >= 0 || errno == EINTR;
}

/* Reads more behind what is buffered; 0 at the end of the stream. */
static int fill(struct reader *reader)
{
    struct td_extract *extract = reader->extract;
    if (__atomic_load_n(&extract->stop, __ATOMIC_RELAXED))
        return failed(extract, ECANCELED, "stopped");
    if (reader->start == reader->end)
        reader->start = reader->end = 0;
    else if (reader->end == reader->capacity) {
        memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    ssize_t count;
    do
        count = read(reader->fd, reader->buffer + reader->end, reader->capacity - reader->end);
    while ((count < 0 && errno == EINTR) || (count == 0 && has_grown(extract)));
    if (__atomic_load_n(&extract->stop, __ATOMIC_RELAXED))
        return failed(extract, ECANCELED, "stopped");
    if (count < 0)
        return failed(extract, errno, "read the layer");
    reader->end += count;
    uint64_t total = extract->bytes_read + count;
    __atomic_store_n(&extract->bytes_read, total, __ATOMIC_RELAXED);
    if (total > extract->max_bytes)
        return bad(extract, "it unpacks to more than the %llu bytes that are allowed or free",
                   (unsigned long long)extract->max_bytes);
    return count > 0;
}

int reader_some(struct reader *reader, size_t limit, const char **bytes)
{
    if (reader->start == reader->end) {
        int rc = fill(reader);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return bad(reader->extract, "it ends in the middle of an entry");
    }
    size_t count = reader->end - reader->start;
    if (count > limit)
        count = limit;
    *bytes = reader->buffer + reader->start;
    reader->start += count;
    return (int)count;
}

int reader_skip(struct reader *reader, uint64_t count)
{
    const char *bytes;
    while (count > 0) {
        int some = reader_some(reader, count > CAPACITY ? CAPACITY : (size_t)count, &bytes);
        if (some < 0)
            return some;
        count -= some;
    }
    return 0;
}

int reader_drain(struct reader *reader)
{
    int rc;
    do {
        reader->start = reader->end = 0;
        rc = fill(reader);
    } while (rc > 0);
    return rc;
}

/* 1 and a whole block, 0 at the end of the stream. */
static int block(struct reader *reader, const char **bytes)
{
    while (reader->end - reader->start < BLOCK) {
        bool partial = reader->end != reader->start;
        int rc = fill(reader);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return partial ? bad(reader->extract, "it ends in the middle of a header") : 0;
    }
    *bytes = reader->buffer + reader->start;
    reader->start += BLOCK;
    return 1;
}

/* ---- numbers and headers ----------------------------------------------------------------------------------------- */

/* Octal text, or base 256 when the first bit is set. */
int tar_number(const char *field, size_t size, int64_t *value)
{
    const unsigned char *byte = (const unsigned char *)field;
    if (byte[0] & 0x80) {
        bool negative = byte[0] & 0x40;
        uint64_t number = negative ? ~(uint64_t)0 : 0;
        for (size_t i = 0; i < size; i++) {
            unsigned char part = i ? byte[i] : (negative ? byte[0] | 0x80 : byte[0] & 0x7f);
            if ((number >> 55) != (negative ? 0x1ff : 0))
                return -EINVAL;
            number = number << 8 | part;
        }
        *value = (int64_t)number;
        return 0;
    }
    size_t i = 0;
    while (i < size && (field[i] == ' ' || field[i] == 0))
        i++;
    uint64_t number = 0;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
        if (number >> 60)
            return -EINVAL;
        number = number << 3 | (uint64_t)(field[i] - '0');
    }
    for (; i < size; i++)
        if (field[i] != ' ' && field[i] != 0)
            return -EINVAL;
    *value = (int64_t)number;
    return 0;
}

static bool checksum_fits(const char *header)
{
    int64_t stated;
    if (tar_number(header + 148, 8, &stated) < 0)
        return false;
    int64_t with_unsigned = 0, with_signed = 0;
    for (int i = 0; i < BLOCK; i++) {
        char byte = i >= 148 && i < 156 ? ' ' : header[i];
        with_unsigned += (unsigned char)byte;
        with_signed += (signed char)byte;
    }
    return stated == with_unsigned || stated == with_signed;
}

static bool all_zero(const char *header)
{
    for (int i = 0; i < BLOCK; i++)
        if (header[i])
            return false;
    return true;
}

static void copy_field(char *to, const char *from, size_t size)
{
    size_t length = strnlen(from, size);
    memcpy(to, from, length);
    to[length] = 0;
}

/* The content of an entry of type L, K or x, in memory of its own with a NUL behind. */
static int special(struct reader *reader, uint64_t size, uint64_t limit, const char *what, char **content)
{
    if (size > limit)
        return bad(reader->extract, "%s of %llu bytes is too long", what, (unsigned long long)size);
    char *text = malloc(size + 1);
    if (!text)
        return failed(reader->extract, ENOMEM, "no memory for %s", what);
    for (uint64_t have = 0; have < size;) {
        const char *bytes;
        int some = reader_some(reader, size - have, &bytes);
        if (some < 0) {
            free(text);
            return some;
        }
        memcpy(text + have, bytes, some);
        have += some;
    }
    text[size] = 0;
    int rc = reader_skip(reader, padding(size));
    if (rc < 0) {
        free(text);
        return rc;
    }
    *content = text;
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static void entry_reset(struct entry *entry)
{
    free(entry->pax);
    entry->pax = NULL;
    entry->segments = entry->attributes = 0;
    entry->sparse = false;
    entry->name[0] = entry->link[0] = 0;
}

void entry_free(struct entry *entry)
{
    entry_reset(entry);
    free(entry->segment);
    free(entry->attribute);
}

static int set_name(struct reader *reader, char *to, const char *from)
{
    size_t length = strlen(from);
    if (length > NAME_LIMIT)
        return bad(reader->extract, "the name \"%.100s...\" is longer than %d bytes", from, NAME_LIMIT);
    memcpy(to, from, length + 1);
    return 0;
}

/* Fields of a plain header; names only where no longer one came before. */
static int header_fields(struct reader *reader, struct entry *entry, const char *header, bool has_name, bool has_link)
{
    if (!has_name) {
        char *name = entry->name;
        bool ustar = !memcmp(header + 257, "ustar\0", 6);
        size_t prefix = !ustar ? 0 : !memcmp(header + 508, "tar", 4) ? 131 : 155;
        if (prefix && header[345]) {
            copy_field(name, header + 345, prefix);
            name += strlen(name);
            *name++ = '/';
        }
        copy_field(name, header, 100);
    }
    if (!has_link)
        copy_field(entry->link, header + 157, 100);
    int64_t mode, uid, gid, size, mtime, major = 0, minor = 0;
    bool device = header[156] == '3' || header[156] == '4';
    if (tar_number(header + 100, 8, &mode) < 0 || tar_number(header + 108, 8, &uid) < 0
        || tar_number(header + 116, 8, &gid) < 0 || tar_number(header + 124, 12, &size) < 0
        || tar_number(header + 136, 12, &mtime) < 0
        || (device && (tar_number(header + 329, 8, &major) < 0 || tar_number(header + 337, 8, &minor) < 0))
        || size < 0 || uid < 0 || gid < 0 || major < 0 || major > MAJOR_LIMIT || minor < 0 || minor > MINOR_LIMIT)
        return bad(reader->extract, "entry \"%.200s\" has a number that cannot be read", entry->name);
    if (uid > OWNER_LIMIT || gid > OWNER_LIMIT)
        return bad(reader->extract, "entry \"%.200s\" belongs to nobody that this kernel knows", entry->name);
    entry->mode = mode & 07777;
    entry->uid = (uid_t)uid;
    entry->gid = (gid_t)gid;
    entry->size = (uint64_t)size;
    entry->mtime = (struct timespec){ .tv_sec = mtime };
    entry->major = (unsigned)major;
    entry->minor = (unsigned)minor;
    entry->type = header[156];
    return 0;
}

/* GNU's long names stand above those of a pax header, whatever their order, as in Go's reader. */
static int apply_pax(struct reader *reader, struct entry *entry, const struct pax *pax, bool has_name, bool has_link)
{
    int rc = 0;
    if (pax->path && !has_name)
        rc = set_name(reader, entry->name, pax->path);
    if (rc == 0 && pax->linkpath && !has_link)
        rc = set_name(reader, entry->link, pax->linkpath);
    if (rc < 0)
        return rc;
    if (pax->uid > OWNER_LIMIT || pax->gid > OWNER_LIMIT)
        return bad(reader->extract, "entry \"%.200s\" belongs to nobody that this kernel knows", entry->name);
    if (pax->size >= 0)
        entry->size = pax->size;
    if (pax->uid >= 0)
        entry->uid = (uid_t)pax->uid;
    if (pax->gid >= 0)
        entry->gid = (gid_t)pax->gid;
    if (pax->has_mtime)
        entry->mtime = pax->mtime;
    entry->real_size = entry->size;
    if (entry->sparse && pax->real_size >= 0) {
        entry->real_size = pax->real_size;
        return sparse_pax(reader, entry, &pax->sparse);
    }
    return 0;
}

int entry_next(struct reader *reader, struct entry *entry)
{
    struct td_extract *extract = reader->extract;
    static const struct pax nothing = { .size = -1, .uid = -1, .gid = -1, .real_size = -1 };
    struct pax pax = nothing;
    char header[BLOCK];
    bool has_name = false, has_link = false;
    entry_reset(entry);
    for (;;) {
        const char *bytes = NULL;
        int rc = block(reader, &bytes);
        if (rc < 0)
            return rc;
        if ((rc == 0 || all_zero(bytes)) && (entry->pax || has_name || has_link))
            return bad(extract, "it ends where an entry is announced");
        if (rc == 0)
            return 0;
        if (all_zero(bytes)) {
            rc = block(reader, &bytes);
            if (rc > 0 && !all_zero(bytes))
                return bad(extract, "there is something behind its end");
            return rc < 0 ? rc : 0;
        }
        memcpy(header, bytes, BLOCK); /* what follows may move the buffer */
        if (!checksum_fits(header))
            return bad(extract, "it is no tar archive or damaged (header checksum of entry %llu)",
                       (unsigned long long)extract->entries + 1);
        int64_t size;
        char type = header[156], *text = NULL;
        if (type == 'L' || type == 'K' || type == 'x' || type == 'g') {
            if (tar_number(header + 124, 12, &size) < 0 || size < 0)
                return bad(extract, "a long name has a size that cannot be read");
            bool is_name = type == 'L' || type == 'K';
            rc = special(reader, size, is_name ? NAME_LIMIT + 1 : SPECIAL_LIMIT, is_name ? "a name" : "a pax header", &text);
            if (rc < 0)
                return rc;
            if (type == 'x') {
                free(entry->pax);
                entry->pax = text;
                entry->segments = entry->attributes = 0;
                entry->sparse = false;
                pax = nothing;
                rc = pax_parse(reader, entry, &pax, text, size);
            } else {
                /* a global pax header ('g') is read over: docker ignores it too */
                if (is_name)
                    rc = set_name(reader, type == 'L' ? entry->name : entry->link, text);
                if (type == 'L')
                    has_name = text[0];
                if (type == 'K')
                    has_link = text[0];
                free(text);
            }
            if (rc < 0)
                return rc;
            continue;
        }
        rc = header_fields(reader, entry, header, has_name, has_link);
        if (rc == 0)
            rc = apply_pax(reader, entry, &pax, has_name, has_link);
        if (rc == 0 && type == 'S')
            rc = sparse_old(reader, entry, header);
        return rc < 0 ? rc : 1;
    }
}
