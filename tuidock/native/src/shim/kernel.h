/* The system calls that musl and older glibc have no function for, and the constants that come with them.
 *
 * linux/mount.h and sys/mount.h cannot be included together (both define struct mount_attr in glibc 2.36), so the
 * kernel's header is used everywhere and mount(2) itself goes through syscall too.
 */
#ifndef TUIDOCK_KERNEL_H
#define TUIDOCK_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#define CLONE3_PIDFD 0x00001000ULL
#define CLONE3_INTO_CGROUP 0x200000000ULL

struct clone3_arguments {     /* struct clone_args of linux/sched.h, which clashes with sched.h */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static inline long checked(long result) { return result < 0 ? -errno : result; }

static inline int open_tree_(int directory, const char *path, unsigned flags)
{
    return (int)checked(syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC));
}
static inline int move_mount_(int mount, int target)     /* both by descriptor: no path is walked a second time */
{
    return (int)checked(syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}
static inline int fsopen_(const char *type) { return (int)checked(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
static inline int fsconfig_(int context, unsigned command, const char *key, const void *value, int extra)
{
    return (int)checked(syscall(SYS_fsconfig, context, command, key, value, extra));
}
static inline int fsmount_(int context, unsigned attributes)
{
    return (int)checked(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}
static inline int mount_setattr_(int mount, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
    struct mount_attr attributes = {.attr_set = set, .attr_clr = clear, .propagation = propagation};
    return (int)checked(syscall(SYS_mount_setattr, mount, "", flags | AT_EMPTY_PATH, &attributes, sizeof attributes));
}
static inline int mount_(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
    return (int)checked(syscall(SYS_mount, source, target, type, flags, data));
}
static inline int umount_(const char *target, int flags) { return (int)checked(syscall(SYS_umount2, target, flags)); }
static inline int pivot_root_(const char *root, const char *old)
{
    return (int)checked(syscall(SYS_pivot_root, root, old));
}
static inline int openat2_(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    return (int)checked(syscall(SYS_openat2, directory, path, &how, sizeof how));
}
static inline pid_t clone3_(struct clone3_arguments *arguments)
{
    return (pid_t)checked(syscall(SYS_clone3, arguments, sizeof *arguments));
}
static inline int pidfd_signal_(int pidfd, int signal)
{
    return (int)checked(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

#endif
