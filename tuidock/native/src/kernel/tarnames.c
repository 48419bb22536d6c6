/* The names in a directory, sorted by their bytes: the order of an archive must not be that of a disk. */
#include "tarout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int collect(struct names *names, struct td_tar *tar, DIR *directory, const char *path)
{
    size_t used = 0, capacity = 0;
    struct dirent *item;
    while (errno = 0, (item = readdir(directory)) != NULL) {
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        size_t size = strlen(item->d_name) + 1;
        if (used + size > capacity) {
            capacity = 2 * (capacity + size + 512);
            char *more = realloc(names->text, capacity);
            if (!more)
                return cannot(tar, ENOMEM, "no memory for the names in \"%.200s\"", path);
            names->text = more;
        }
        memcpy(names->text + used, item->d_name, size);
        used += size;
        names->count++;
    }
    return errno && errno != ENOENT ? cannot(tar, errno, "list the directory \"%.200s\"", path) : 0;
}

int names_read(struct names *names, struct td_tar *tar, int directory, const char *path)
{
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listed = own < 0 ? NULL : fdopendir(own);
    if (!listed) {
        int rc = cannot(tar, errno, "list the directory \"%.200s\"", path);
        if (own >= 0)
            close(own);
        return rc;
    }
    int rc = collect(names, tar, listed, path);
    closedir(listed);
    if (rc < 0 || !names->count)
        return rc;
    names->name = calloc(names->count, sizeof *names->name);
    if (!names->name)
        return cannot(tar, ENOMEM, "no memory for the names in \"%.200s\"", path);
    char *name = names->text;
    for (size_t i = 0; i < names->count; i++, name += strlen(name) + 1)
        names->name[i] = name;
    qsort(names->name, names->count, sizeof *names->name, by_name);
    return 0;
}

void names_close(struct names *names)
{
    free(names->text);
    free(names->name);
}
