/* tuidock.native._kernel: system calls that Python lacks, and the layer extractor.
 *
 * Every td_ function returns a value >= 0 or the negative errno. The system calls go by number, so that an older libc
 * is no reason to miss one; numbers from 424 on are the same on every architecture.
 */
#ifndef TUIDOCK_KERNEL_H
#define TUIDOCK_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <sys/types.h>

int td_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int td_pidfd_open(int pid, unsigned flags);
int td_pidfd_getfd(int pidfd, int fd);
int td_pidfd_send_signal(int pidfd, int signal);
int td_fsopen(const char *type, unsigned flags);
int td_fsconfig(int context, unsigned command, const char *key, const char *value, int aux);
int td_fsmount(int context, unsigned flags, unsigned attributes);
int td_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags);
int td_open_tree(int directory, const char *path, unsigned flags);
int td_mount_setattr(int directory, const char *path, unsigned flags, uint64_t set, uint64_t clear,
                     uint64_t propagation, int userns);
int td_syncfs(int fd);
/* Asks the disk to begin with what was written to a file; waits for nothing. */
int td_begin_writeback(int fd);
int td_close_range(unsigned first, unsigned last, unsigned flags);
int td_renameat2(int from, const char *from_path, int to, const char *to_path, unsigned flags);
int td_setns(int fd, int type);
/* The ids by which the calling thread makes files; its capabilities stay. */
int td_act_as(unsigned user, unsigned group);
/* A detached mount of the root of another mount namespace, without what is mounted below it. */
int td_clone_root(int mount_namespace);
/* A mount namespace in which `tree`, a detached mount, lies at the directory `at`, and in it the detached mounts at their
 * targets (paths below it, resolved in it). An O_PATH descriptor of its root; it lives for as long as *namespace is open. */
int td_furnished_root(int tree, const char *at, const int *mount, const char **target, int mounts, int *namespace);
/* A file, or a directory with all below it, never through a link; absent is fine. */
int td_remove_tree(int parent, const char *name);

#endif
