/* What the rooms of the launch side share among themselves: the making of a process inside a container. */
#ifndef TUIDOCK_LAUNCH_H
#define TUIDOCK_LAUNCH_H

#include "shim.h"

#include <linux/filter.h>

/* user.c: who the process is, resolved in the root file system's own passwd and group. */
struct identity { uid_t uid; gid_t gid; gid_t *group; size_t groups; char home[256]; };
int user_resolve(int root, const char *user, const struct list *group_add, struct identity *identity,
                 struct failure *failure);
void identity_free(struct identity *identity);

/* caps.c */
int caps_limit_bounding(uint64_t keep);
int caps_set(uint64_t effective, uint64_t permitted);          /* inheritable and ambient become empty */
uint64_t caps_permitted(void);

/* seccomp.c */
struct filter { struct sock_filter *instruction; unsigned short count; };
int seccomp_read(const char *path, struct filter *filter, struct failure *failure);    /* "" gives an empty filter */
int seccomp_load(const struct filter *filter);
void filter_free(struct filter *filter);
#define cleanup_filter __attribute__((cleanup(filter_free)))

/* apparmor.c: while the host's procfs, or one of our own, is at hand */
int apparmor_confine(const struct record *record, int proc, struct failure *failure);

/* process.c: from "inside the namespaces, as root" to the running program; the same for start and exec. */
struct process {
    const struct record *record;
    const struct list *arg;
    struct list env;             /* own array, HOME in it */
    const char *user, *cwd;
    uint64_t caps;
    struct filter filter;
    struct identity identity;
    int init_exe;                /* >= 0: executed as PID 1 in front of the command */
    bool owns_stdio;             /* the streams were made for this process: they become its user's */
    int status;                  /* where a failure is told: with init_exe all that stays open until execve */
    bool ends_with_launcher;     /* the launcher at the other end of `status` must not be outlived */
    char home[300];              /* HOME=... */
    char path[4096];             /* the executable, found */
};
/* Puts 0, 1 and 2 in place; `slave` >= 0: the terminal for all three, which becomes the controlling one. */
int process_stdio(const struct stdio *stdio, int slave, struct failure *failure);
int process_limits(const struct record *record, int proc, struct failure *failure);
int process_resolve(struct process *process, int root, struct failure *failure);       /* identity and HOME */
int process_make_cwd(const struct process *process, int root, struct failure *failure);
int process_become(struct process *process, struct failure *failure);                  /* returns only on failure */
void signals_reset(void);

/* rootfs.c */
int rootfs_layers(const struct record *record, struct failure *failure);               /* the overlay alone */
int rootfs_mount(const struct record *record, struct failure *failure);                /* detached mount, or < 0 */
int rootfs_enter(int root, const char *attach_at, struct failure *failure);            /* attach, pivot, forget the host */

/* mounts.c */
struct sources { int *tree; int *cgroup_tree; int *device; size_t trees, cgroup_trees; int null; };
/* Detached mounts of the file systems that need devices or the network of the host, in the record's order, -1 for all
 * others: made before the init process, which is in the container's device group and network. */
struct file_systems { int *made; size_t count; };
int file_systems_open(const struct record *record, struct file_systems *systems, struct failure *failure);
void file_systems_close(struct file_systems *systems);
#define cleanup_file_systems __attribute__((cleanup(file_systems_close)))
/* userns: binds that the record says so for are mapped by it; -1 for none. */
int sources_open(const struct record *record, const int *made, int userns, struct sources *sources,
                 struct failure *failure);
/* A read-only clone of the host's /dev/null, to cover files with, and to open as a stream: a chmod of that descriptor
 * inside a container would else be one of the host's node. While the host's /proc is in sight. */
int null_clone(struct failure *failure);
int null_open(int clone);
bool is_null(int fd);
/* `proc` is the detached procfs of this pid namespace: used for the first mount of that type. devpts becomes the mount of
 * the container's own devpts (-1 when it has none), own_dev whether /dev is a tmpfs made here. */
int mounts_make(const struct record *record, int root, struct sources *sources, int proc, int *devpts, bool *own_dev,
                struct failure *failure);
int target_open(int root, const char *path, bool is_file);      /* O_PATH, created when missing; -errno */
uint64_t mount_attributes(unsigned long flags);
int file_system_mount(const char *type, const char *source, const char *data, uint64_t attributes);

/* userns.c: inside a user namespace */
int userns_loopback(struct failure *failure);
int userns_sysfs(const struct record *record, struct sources *sources, struct failure *failure);
int *userns_devices(const struct record *record, struct failure *failure);       /* detached mounts, NULL on failure */
int userns_bind(int directory, const char *name, int tree);

/* idmap.c: a user namespace of the container's own */
struct mapped { struct sources sources; int root; };            /* what is made outside of it */
int idmap_prepare(const struct record *record, const int *made, struct mapped *mapped, struct failure *failure);
int idmap_write(const struct record *record, pid_t pid, struct failure *failure);
int idmap_mount(int tree, int userns, unsigned recursive);
int idmap_become_root(struct failure *failure);

/* usermode.c: starts the program that carries a network for who is not root; 0 when the record wants none */
int usermode_start(const struct record *record, int netns, int init, struct failure *failure);

/* dress.c: devices, sysctls, masks, read-only paths, terminal */
int sysctls_write(const struct record *record, int proc, struct failure *failure);
int devices_make(const struct record *record, int root, const struct sources *sources, bool own_dev,
                 struct failure *failure);
int paths_hide(const struct record *record, int root, int null, struct failure *failure);
int terminal_open(const struct record *record, int root, int devpts, bool own_dev, int *slave, struct failure *failure);

/* child.c */
enum { MESSAGE_READY = 'R', MESSAGE_FAILED = 'F' };
struct message { int kind; uint64_t ns_layer; struct failure failure; };
struct joined { int ipc, uts, net; };                           /* namespaces given by path, -1 none */
struct child {
    const struct record *record;
    const struct prepared *prepared;
    const struct stdio *stdio;
    const struct filter *filter;
    struct joined join;
    const int *file_systems;
    const struct mapped *mapped;     /* NULL: no user namespace of its own */
    int status, go;
};
_Noreturn void child_main(const struct child *child);
int message_send(int socket, const struct message *message, int descriptor);
int message_receive(int socket, struct message *message, int *descriptor);   /* 1, 0 at the end, -errno */

/* exec_child.c */
struct entry {                   /* what an exec brings along into the container */
    const struct record *record;
    struct process *process;
    const struct stdio *stdio;
    int container, cgroup;       /* pidfd of its init process; v2: its cgroup, joined at birth */
    bool tty, foreground;
    int other_root;              /* a detached mount that becomes the root instead of the container's; -1: none */
};
struct entered { pid_t pid; int pidfd, status, go, terminal; };
int exec_enter(const struct entry *entry, struct entered *entered, struct failure *failure);

/* debug.c */
int debug_prepare(const struct record *record, const struct list *layers, struct failure *failure);
int debug_enter(int tree, struct failure *failure);

/* exec_journal.c */
struct exec_told {               /* an exec as the journal tells it */
    const struct record *record;
    const struct list *command;
    char id[65];                 /* made at the first word */
};
void exec_journal(struct exec_told *told, const char *action);          /* exec_create, exec_start */
void exec_detach_journal(const struct exec_told *told);                 /* its client went by the detach keys */
void exec_die_journal(const struct exec_told *told, int code);          /* code < 0: not known */

/* stream.c: the caller's terminal and streams while an exec runs in front */
struct relay_ends { int to_stdin, from_stdout, from_stderr; bool terminal; };      /* -1: not relayed */
/* exec_streams.c: what the command gets as 0, 1, 2, and what is relayed; then closes what only the command needs. */
int exec_streams(bool stdin_open, bool tty, bool detach, struct stdio *stdio, struct relay_ends *ends,
                 struct failure *failure);
void exec_streams_given(const struct stdio *stdio);

struct keys { unsigned char byte[16]; size_t count; };
int keys_parse(const char *text, struct keys *keys);
enum { STREAM_DETACHED = -2, STREAM_ABANDONED = -3 };
int stream_owner(void);
void stream_copy_size(int terminal);                                  /* from the caller's terminal */
/* Until it ended, was detached, or `owner`, a pidfd or -1, has died. */
int stream_run(const struct relay_ends *ends, const struct keys *keys, int pidfd, int owner);

/* cgroup.c */
bool cgroup_frozen(const struct record *record);
int cgroup_thaw(const struct record *record);               /* 0, or that of the last failure */
int cgroup_join_v1(const struct record *record, struct failure *failure);

#endif
