/* Pax headers: long names, big numbers, times with fractions, extended attributes, sparse files. */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Digits only: strtoll would also take blanks and signs before them, which others read as no number. */
static int decimal(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end)
        return -EINVAL;
    *value = number;
    return 0;
}

/* "1350244992.023960108", also negative and without a fraction. */
static int pax_time(const char *text, struct timespec *time)
{
    char *end;
    errno = 0;
    long long seconds = strtoll(text, &end, 10);
    if (errno || end == text)
        return -EINVAL;
    long nanoseconds = 0, unit = 100000000;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
            nanoseconds += (*end - '0') * unit;
    if (*end)
        return -EINVAL;
    if (text[0] == '-' && nanoseconds) {
        if (seconds == INT64_MIN)
            return -EINVAL;
        seconds -= 1;
        nanoseconds = 1000000000 - nanoseconds;
    }
    *time = (struct timespec){ .tv_sec = seconds, .tv_nsec = nanoseconds };
    return 0;
}

static int add_attribute(struct reader *reader, struct entry *entry, const char *name, const char *value, size_t size)
{
    if (entry->attributes == entry->attribute_capacity) {
        size_t capacity = entry->attribute_capacity ? 2 * entry->attribute_capacity : 8;
        struct attribute *more = reallocarray(entry->attribute, capacity, sizeof *more);
        if (!more)
            return failed(reader->extract, ENOMEM, "no memory for extended attributes");
        entry->attribute = more;
        entry->attribute_capacity = capacity;
    }
    entry->attribute[entry->attributes++] = (struct attribute){ name, value, size };
    return 0;
}

/* GNU.sparse.map of pax sparse format 0.1: "offset,length,offset,length". */
static int sparse_map(struct reader *reader, struct entry *entry, const char *text)
{
    while (*text) {
        char *end;
        unsigned long long offset = strtoull(text, &end, 10);
        if (end == text || *end != ',')
            return -EINVAL;
        text = end + 1;
        unsigned long long length = strtoull(text, &end, 10);
        if (end == text || (*end && *end != ','))
            return -EINVAL;
        int rc = sparse_add(reader, entry, offset, length);
        if (rc < 0)
            return rc;
        text = *end ? end + 1 : end;
    }
    return 0;
}

static int pax_record(struct reader *reader, struct entry *entry, struct pax *pax, char *key, char *value, size_t size)
{
    static const char xattr[] = "SCHILY.xattr.", sparse[] = "GNU.sparse.";
    if (!strncmp(key, xattr, sizeof xattr - 1))
        return add_attribute(reader, entry, key + sizeof xattr - 1, value, size);
    if (!size)
        return 0;   /* what the plain header says stays */
    bool is_text = strlen(value) == size;
    int64_t number = -1;
    int rc = 0;
    if (!is_text)
        rc = !strcmp(key, "path") || !strcmp(key, "linkpath") ? -EINVAL : 0;
    else if (!strcmp(key, "path"))
        pax->path = value;
    else if (!strcmp(key, "linkpath"))
        pax->linkpath = value;
    else if (!strcmp(key, "size"))
        rc = decimal(value, &pax->size);
    else if (!strcmp(key, "uid"))
        rc = decimal(value, &pax->uid);
    else if (!strcmp(key, "gid"))
        rc = decimal(value, &pax->gid);
    else if (!strcmp(key, "mtime")) {
        rc = pax_time(value, &pax->mtime);
        pax->has_mtime = rc == 0;
    } else if (!strncmp(key, sparse, sizeof sparse - 1)) {
        const char *field = key + sizeof sparse - 1;
        if (!strcmp(field, "name")) {
            pax->path = value;
            pax->sparse.named = true;
        } else if (!strcmp(field, "realsize") || !strcmp(field, "size")) {
            rc = decimal(value, &pax->real_size);
            entry->sparse = true;
        } else if (!strcmp(field, "major")) {
            rc = decimal(value, &number);
            pax->sparse.major = number > 9 ? 9 : (int)number;
        } else if (!strcmp(field, "minor")) {
            rc = decimal(value, &number);
            pax->sparse.minor = number > 9 ? 9 : (int)number;
        } else if (!strcmp(field, "map"))
            rc = sparse_map(reader, entry, value);
        else if (!strcmp(field, "offset"))
            rc = decimal(value, &pax->sparse_offset);
        else if (!strcmp(field, "numbytes")) {
            rc = decimal(value, &number);
            if (rc == 0)
                rc = sparse_add(reader, entry, pax->sparse_offset, number);
        }
    }
    return rc == -EINVAL ? bad(reader->extract, "the pax record %.40s has the value \"%.100s\"", key, value) : rc;
}

/* Records "LENGTH KEY=VALUE\n"; the pointers that stay point into the text, which the entry owns. */
int pax_parse(struct reader *reader, struct entry *entry, struct pax *pax, char *text, size_t size)
{
    char *end = text + size;
    while (text < end) {
        char *after;
        errno = 0;
        unsigned long length = strtoul(text, &after, 10);
        if (errno || after == text || *after != ' ' || length > (size_t)(end - text) || text + length <= after + 1
            || text[length - 1] != '\n')
            return bad(reader->extract, "a pax header is damaged");
        char *key = after + 1, *last = text + length - 1;
        char *equals = memchr(key, '=', last - key);
        if (!equals || equals == key || memchr(key, 0, equals - key))
            return bad(reader->extract, "a pax header is damaged");
        *equals = 0;
        *last = 0;
        int rc = pax_record(reader, entry, pax, key, equals + 1, last - equals - 1);
        if (rc < 0)
            return rc;
        text += length;
    }
    return 0;
}
