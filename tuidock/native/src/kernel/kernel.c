/* One door per system call; see kernel.h. */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* Own copies of the kernel's structures: <linux/mount.h> and <sys/mount.h> cannot be included together. */
struct how { uint64_t flags, mode, resolve; };
struct attributes { uint64_t set, clear, propagation, userns; };

static int result(long value) { return value < 0 ? -errno : (int)value; }

int td_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct how how = { flags, mode, resolve };
    long fd;
    /* EAGAIN: a rename somewhere on the machine raced with the walk; the kernel asks for another try */
    for (int tries = 0; (fd = syscall(SYS_openat2, directory, path, &how, sizeof how)) < 0; tries++)
        if (!(errno == EINTR || (errno == EAGAIN && tries < 128)))
            return -errno;
    return (int)fd;
}

int td_pidfd_open(int pid, unsigned flags) { return result(syscall(SYS_pidfd_open, pid, flags)); }

int td_pidfd_getfd(int pidfd, int fd) { return result(syscall(SYS_pidfd_getfd, pidfd, fd, 0)); }

int td_pidfd_send_signal(int pidfd, int signal)
{
    return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int td_fsopen(const char *type, unsigned flags) { return result(syscall(SYS_fsopen, type, flags)); }

int td_fsconfig(int context, unsigned command, const char *key, const char *value, int aux)
{
    return result(syscall(SYS_fsconfig, context, command, key, value, aux));
}

int td_fsmount(int context, unsigned flags, unsigned attributes)
{
    return result(syscall(SYS_fsmount, context, flags, attributes));
}

int td_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return result(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}

int td_open_tree(int directory, const char *path, unsigned flags)
{
    return result(syscall(SYS_open_tree, directory, path, flags));
}

int td_mount_setattr(int directory, const char *path, unsigned flags, uint64_t set, uint64_t clear,
                     uint64_t propagation, int userns)
{
    struct attributes attributes = { set, clear, propagation, userns < 0 ? 0 : (uint64_t)userns };
    return result(syscall(SYS_mount_setattr, directory, path, flags, &attributes, sizeof attributes));
}

int td_syncfs(int fd) { return result(syscall(SYS_syncfs, fd)); }

int td_begin_writeback(int fd) { return result(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE)); }

int td_close_range(unsigned first, unsigned last, unsigned flags)
{
    return result(syscall(SYS_close_range, first, last, flags));
}

int td_renameat2(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return result(syscall(SYS_renameat2, from, from_path, to, to_path, flags));
}

int td_setns(int fd, int type) { return result(syscall(SYS_setns, fd, type)); }
