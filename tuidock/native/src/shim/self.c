/* The program's own file, out of reach of containers.
 *
 * A process that enters a container shows its executable there as /proc/PID/exe, and who opens that for writing owns the
 * host (CVE-2019-5736). So the shim runs from a read-only clone of its mount: the pages stay shared, which a copy in a
 * memfd per container would not give.
 */
#include "shim.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Where mounts cannot be cloned (no CAP_SYS_ADMIN): a sealed copy, dearer but as safe. */
static int sealed_copy(void)
{
    cleanup_close int file = open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
    struct stat status;
    int copy, rc = 0;

    if (file < 0)
        return file;
    copy = memfd_create("tuidock-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0)
        return -errno;
    if (fstat(file, &status) < 0)
        rc = -errno;
    while (rc == 0 && lseek(copy, 0, SEEK_CUR) < status.st_size)
        if (sendfile(copy, file, NULL, (size_t)status.st_size) <= 0)
            rc = errno ? -errno : -EIO;
    if (rc == 0 && (fchmod(copy, 0755) < 0 || fcntl(copy, F_ADD_SEALS, SEALS) < 0))
        rc = -errno;
    if (rc < 0) {
        close(copy);
        return rc;
    }
    return copy;
}

static bool is_protected(void)
{
    cleanup_close int file = open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
    struct statvfs status;
    int seals;

    if (file < 0)
        return false;
    seals = fcntl(file, F_GET_SEALS);          /* -1, which has every bit, for a file that is no memfd */
    return (fstatvfs(file, &status) == 0 && status.f_flag & ST_RDONLY) || (seals >= 0 && (seals & SEALS) == SEALS);
}

int self_clone(void)
{
    int tree;

    if (is_protected())                        /* it runs from one: before Linux 6.15 that could not be cloned again */
        return open_at(AT_FDCWD, "/proc/self/exe", O_PATH, 0);
    tree = open_tree_(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE);
    if (tree >= 0) {
        if (mount_setattr_(tree, 0, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE) == 0)
            return tree;
        close(tree);
    }
    return sealed_copy();
}

int self_protect(char **argv)
{
    int clone;

    if (is_protected())
        return 0;
    clone = self_clone();
    if (clone < 0)
        return clone;
    /* it stays open behind the descriptors that Python gives: the mount goes with its last one, and that waits for RCU */
    fcntl(clone, F_DUPFD, 10);
    syscall(SYS_execveat, clone, "", argv, environ, AT_EMPTY_PATH);
    clone = -errno;
    return clone;
}
