/* A layer's entries become files.
 *
 * What is refused: names and hard links that lead out, names longer than PATH_MAX, unknown entry types, damaged headers,
 * archives above the limits. What is dropped: overlay's own attributes and AUFS's housekeeping.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- whiteouts --------------------------------------------------------------------------------------------------- */

static int make_whiteout(struct work *work, int parent, const char *hidden)
{
    struct stat stat;
    if (!hidden[0] || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
        return bad(work->extract, "the whiteout \"%.200s\" names nothing", work->path);
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return failed(work->extract, errno, "make the whiteout \"%.200s\"", work->path);
    /* The same layer also has the name: it hides what lies below by itself, a directory only when it is opaque. */
    if (fstatat(parent, hidden, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(work->extract, errno, "look at \"%.200s\"", work->path);
    if (!S_ISDIR(stat.st_mode))
        return 0;
    int fd = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(work->extract, errno, "open \"%.200s\"", work->path);
    int rc = looks_opaque(work, fd);
    close(fd);
    return rc;
}

/* 1: it was one and is done; 0: an ordinary name. */
static int whiteout(struct work *work, int parent, const char *base)
{
    if (!(work->extract->flags & TD_EXTRACT_LAYER) || strncmp(base, ".wh.", 4))
        return 0;
    int rc = 0;
    if (!strcmp(base, ".wh..wh..opq"))
        rc = looks_opaque(work, parent);
    else if (strncmp(base, ".wh..wh.", 8))   /* other names of that form are housekeeping of AUFS */
        rc = make_whiteout(work, parent, base + 4);
    return rc < 0 ? rc : 1;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool in_aufs_housekeeping(const char *path)
{
    return !strncmp(path, ".wh..wh.plnk", 12) || !strncmp(path, ".wh..wh.orph", 12);
}

static int make_entry(struct work *work)
{
    struct entry *entry = &work->entry;
    const char *base;
    if (entry->type == 0)
        entry->type = entry->name[0] && entry->name[strlen(entry->name) - 1] == '/' ? '5' : '0';
    if (entry->type == '7' || entry->type == 'S')
        entry->type = '0';
    if (entry->type < '0' || entry->type > '6')
        return bad(work->extract, "entry \"%.200s\" is of the unknown type %d", entry->name, entry->type);
    bool has_content = entry->type == '0';
    int rc = tree_clean_name(&work->tree, "entry", entry->name, work->path);
    if (rc < 0)
        return rc;
    if (!work->path[0])
        return make_root(work);
    if (work->extract->flags & TD_EXTRACT_LAYER && in_aufs_housekeeping(work->path))
        return has_content ? reader_skip(&work->reader, entry->size + padding(entry->size)) : 0;
    int parent = tree_parent(&work->tree, work->path, &base);
    if (parent < 0)
        return parent;
    rc = whiteout(work, parent, base);
    if (rc != 0)
        return rc < 0 || !has_content ? (rc < 0 ? rc : 0)
                                      : reader_skip(&work->reader, entry->size + padding(entry->size));
    switch (entry->type) {
    case '0': return make_file(work, parent, base);
    case '1': return make_hard_link(work);
    case '5': return make_directory(work, parent, base);
    default: return make_special(work, parent, base);
    }
}

static int run(struct work *work)
{
    struct td_extract *extract = work->extract;
    int rc;
    while ((rc = entry_next(&work->reader, &work->entry)) > 0) {
        if (extract->entries >= extract->max_entries)
            return bad(extract, "it has more than %llu entries", (unsigned long long)extract->max_entries);
        __atomic_store_n(&extract->entries, extract->entries + 1, __ATOMIC_RELAXED);
        rc = make_entry(work);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        rc = times_set(&work->times, &work->tree);
    return rc < 0 ? rc : reader_drain(&work->reader);
}

int td_extract(int tar, int root, struct td_extract *extract)
{
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return failed(extract, ENOMEM, "no memory to unpack");
    work->extract = extract;
    int rc = reader_open(&work->reader, tar, extract);
    tree_open(&work->tree, root, extract);
    if (rc == 0)
        rc = run(work);
    tree_close(&work->tree);
    reader_close(&work->reader);
    entry_free(&work->entry);
    times_forget(&work->times);
    free(work);
    return rc;
}
