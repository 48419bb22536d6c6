/* Fuzzes the layer writer with whatever trees the extractor makes of mutated archives.
 *
 * What was unpacked is packed, unpacked and packed again: both archives must be the same bytes, so nothing is lost, added
 * or in another order.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extract.h"
#include "kernel.h"
#include "tarwrite.h"

enum { LARGEST = 4 << 20 }; /* holes of sparse files are written out as zeros */

static int work = -1;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static int memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    must(fd >= 0, "memfd");
    return fd;
}

static int unpacked(int tar, const char *name, struct td_extract *extract)
{
    must(lseek(tar, 0, SEEK_SET) == 0 && mkdirat(work, name, 0755) == 0, "root");
    int root = openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(root >= 0, "open root");
    *extract = (struct td_extract){ .flags = TD_EXTRACT_LAYER, .max_entries = 256, .max_bytes = 8 << 20, .follow = -1 };
    int rc = td_extract(tar, root, extract);
    close(root);
    return rc;
}

/* -1: a path in it is longer than an archive's may be. */
static int packed(const char *name)
{
    struct td_tar tar = { .flags = TD_TAR_LAYER | TD_TAR_ROOT };
    int root = openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), out = memory("packed");
    int rc = td_tar_write(root, out, &tar);
    if (rc == -ENAMETOOLONG) {
        close(root);
        close(out);
        return -1;
    }
    if (rc < 0) {
        fprintf(stderr, "cannot pack: %s\n", tar.message);
        abort();
    }
    close(root);
    return out;
}

static void same(int one, int two)
{
    struct stat first, second;
    must(fstat(one, &first) == 0 && fstat(two, &second) == 0 && first.st_size == second.st_size, "another size");
    char *a = mmap(NULL, first.st_size, PROT_READ, MAP_SHARED, one, 0);
    char *b = mmap(NULL, first.st_size, PROT_READ, MAP_SHARED, two, 0);
    must(a != MAP_FAILED && b != MAP_FAILED && !memcmp(a, b, first.st_size), "other bytes");
    munmap(a, first.st_size);
    munmap(b, first.st_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct td_extract extract;
    if (work < 0) {
        char path[] = "/dev/shm/tuidock-fuzz-XXXXXX";
        must(mkdtemp(path) != NULL, "mkdtemp");
        work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    int tar = memory("tar");
    must(write(tar, data, size) == (ssize_t)size, "write");
    int rc = unpacked(tar, "root", &extract);
    int first = rc == 0 && extract.file_bytes < LARGEST ? packed("root") : -1;
    if (first >= 0) {
        if (unpacked(first, "again", &extract) < 0) {
            fprintf(stderr, "cannot unpack what was packed: %s\n", extract.message);
            abort();
        }
        int second = packed("again");
        same(first, second);
        close(first);
        close(second);
        must(td_remove_tree(work, "again") == 0, "remove");
    }
    close(tar);
    must(td_remove_tree(work, "root") == 0, "remove");
    return 0;
}
