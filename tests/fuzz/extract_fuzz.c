/* Fuzzes the layer extractor with mutated archives, as root, on a real directory.
 *
 * Besides what the sanitizers see, one thing must hold for every archive: nothing appears or changes outside of the
 * directory that is filled. Its neighbour holds a witness for that.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extract.h"
#include "kernel.h"

static int work = -1;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

static void make_work(void)
{
    char path[] = "/dev/shm/tuidock-fuzz-XXXXXX";
    must(mkdtemp(path) != NULL, "mkdtemp");
    work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(work >= 0 && mkdirat(work, "outside", 0700) == 0, "outside");
    int witness = openat(work, "outside/witness", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    must(witness >= 0 && write(witness, "untouched", 9) == 9 && close(witness) == 0, "witness");
}

static void look_outside(void)
{
    struct stat directory, witness;
    char text[16] = "";
    must(fstatat(work, "outside", &directory, AT_SYMLINK_NOFOLLOW) == 0 && directory.st_nlink == 2, "outside changed");
    must((directory.st_mode & 07777) == 0700 && directory.st_uid == 0, "outside changed its looks");
    must(fstatat(work, "outside/witness", &witness, AT_SYMLINK_NOFOLLOW) == 0 && witness.st_nlink == 1
             && witness.st_mode == (S_IFREG | 0600) && witness.st_size == 9, "witness changed");
    int fd = openat(work, "outside/witness", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && read(fd, text, sizeof text) == 9 && !memcmp(text, "untouched", 9), "witness was written to");
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (work < 0)
        make_work();
    int tar = memfd_create("tar", MFD_CLOEXEC);
    must(tar >= 0 && write(tar, data, size) == (ssize_t)size && lseek(tar, 0, SEEK_SET) == 0, "memfd");
    must(mkdirat(work, "root", 0755) == 0, "root");
    int root = openat(work, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct td_extract extract = {
        .flags = size && data[size - 1] & 1 ? TD_EXTRACT_LAYER : TD_EXTRACT_LAYER | TD_EXTRACT_USERXATTR,
        .max_entries = 256, .max_bytes = 1 << 20, .follow = -1,
    };
    td_extract(tar, root, &extract);
    close(tar);
    close(root);
    must(td_remove_tree(work, "root") == 0, "remove what was unpacked");
    look_outside();
    return 0;
}
