/* Sparse files: the old GNU type S, and pax formats 0.0, 0.1 and 1.0. */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_LIMIT (1 << 20)

int sparse_add(struct reader *reader, struct entry *entry, uint64_t offset, uint64_t length)
{
    if (entry->segments == SEGMENT_LIMIT)
        return bad(reader->extract, "entry \"%.200s\" has more than %d pieces", entry->name, SEGMENT_LIMIT);
    if (entry->segments == entry->segment_capacity) {
        size_t capacity = entry->segment_capacity ? 2 * entry->segment_capacity : 16;
        struct segment *more = reallocarray(entry->segment, capacity, sizeof *more);
        if (!more)
            return failed(reader->extract, ENOMEM, "no memory for a sparse file's map");
        entry->segment = more;
        entry->segment_capacity = capacity;
    }
    entry->segment[entry->segments++] = (struct segment){ offset, length };
    return 0;
}

/* The map must be in order, inside the file, and as long as what the archive holds. */
static int check(struct reader *reader, struct entry *entry)
{
    uint64_t end = 0, stored = 0;
    for (size_t i = 0; i < entry->segments; i++) {
        const struct segment *segment = &entry->segment[i];
        if (segment->offset < end || segment->length > entry->real_size
            || segment->offset > entry->real_size - segment->length)
            return bad(reader->extract, "the sparse map of entry \"%.200s\" contradicts itself", entry->name);
        end = segment->offset + segment->length;
        stored += segment->length;
    }
    if (stored != entry->size)
        return bad(reader->extract, "the sparse map of entry \"%.200s\" does not fit its size", entry->name);
    return 0;
}

/* `count` pairs of 12 byte numbers; an empty field ends the map. */
static int pairs(struct reader *reader, struct entry *entry, const char *field, int count)
{
    for (int i = 0; i < count && field[0]; i++, field += 24) {
        int64_t offset, length;
        if (tar_number(field, 12, &offset) < 0 || tar_number(field + 12, 12, &length) < 0 || offset < 0 || length < 0)
            return bad(reader->extract, "the sparse map of entry \"%.200s\" cannot be read", entry->name);
        int rc = sparse_add(reader, entry, offset, length);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int whole_block(struct reader *reader, char *block)
{
    for (size_t have = 0; have < BLOCK;) {
        const char *bytes;
        int some = reader_some(reader, BLOCK - have, &bytes);
        if (some < 0)
            return some;
        memcpy(block + have, bytes, some);
        have += some;
    }
    return 0;
}

int sparse_old(struct reader *reader, struct entry *entry, const char *header)
{
    int64_t real_size;
    if (tar_number(header + 483, 12, &real_size) < 0 || real_size < 0)
        return bad(reader->extract, "the size of sparse entry \"%.200s\" cannot be read", entry->name);
    entry->real_size = real_size;
    entry->sparse = true;
    bool more = header[482];
    int rc = pairs(reader, entry, header + 386, 4);
    char block[BLOCK];
    while (rc == 0 && more) {
        rc = whole_block(reader, block);
        if (rc == 0)
            rc = pairs(reader, entry, block, 21);
        more = block[504];
    }
    return rc < 0 ? rc : check(reader, entry);
}

/* Format 1.0: the map stands before the data, decimal lines, padded to a block. */
static int map_in_data(struct reader *reader, struct entry *entry)
{
    char block[BLOCK];
    uint64_t number = 0, first = 0, wanted = 0, seen = 0;
    size_t digits = 0;
    bool counted = false;
    for (;;) {
        if (entry->size < BLOCK)
            return bad(reader->extract, "the sparse map of entry \"%.200s\" is cut off", entry->name);
        int rc = whole_block(reader, block);
        if (rc < 0)
            return rc;
        entry->size -= BLOCK;
        for (size_t i = 0; i < BLOCK; i++) {
            if (block[i] >= '0' && block[i] <= '9' && digits < 18) {
                number = 10 * number + (uint64_t)(block[i] - '0');
                digits++;
                continue;
            }
            if (block[i] != '\n' || !digits)
                return bad(reader->extract, "the sparse map of entry \"%.200s\" cannot be read", entry->name);
            if (!counted) {
                counted = true;
                wanted = 2 * number;
                if (number > SEGMENT_LIMIT)
                    return bad(reader->extract, "entry \"%.200s\" has more than %d pieces", entry->name, SEGMENT_LIMIT);
            } else if (seen++ % 2 == 0)
                first = number;
            else if ((rc = sparse_add(reader, entry, first, number)) < 0)
                return rc;
            number = digits = 0;
            if (counted && seen == wanted)
                return 0;
        }
    }
}

int sparse_pax(struct reader *reader, struct entry *entry, const struct pax_sparse *pax)
{
    if (pax->major > 1 || (pax->major == 1 && pax->minor > 0))
        return bad(reader->extract, "entry \"%.200s\" is sparse in an unknown format", entry->name);
    if (pax->major == 1) {
        entry->segments = 0;
        int rc = map_in_data(reader, entry);
        if (rc < 0)
            return rc;
    }
    return check(reader, entry);
}
