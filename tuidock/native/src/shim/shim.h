/* tuidock-shim: what its rooms share.
 *
 * The C error rule: every function that can fail returns a value >= 0, or the negative errno; the caller adds what was
 * tried with fail(), once, at the place that knows. Resources are freed by scope (cleanup_close, cleanup_free), so an
 * early return needs no ladder. No globals; the process is single-threaded.
 */
#ifndef TUIDOCK_SHIM_H
#define TUIDOCK_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static inline void close_fd(int *fd) { if (*fd >= 0) close(*fd); }
static inline void free_pointer(void *pointer) { free(*(void **)pointer); }
#define cleanup_close __attribute__((cleanup(close_fd)))
#define cleanup_free __attribute__((cleanup(free_pointer)))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Where a start failed and what to tell: becomes the answer line `error STEP ERRNO TEXT`. */
struct failure {
    char step[24];
    int error;       /* positive errno */
    char text[1024];
};
/* Fills the failure (printf style) and returns -error, so that callers write `return fail(f, "mount", rc, "...")`. */
int fail(struct failure *failure, const char *step, int negative_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

struct list { char **item; size_t count; };   /* NULL-terminated, so that it serves as argv and envp */

struct mount { char *type, *source, *target, *data, *subpath; unsigned long flags, propagation; bool target_is_file;
               bool readonly_top, idmap; struct list cgroup_bind; };
struct device { char type; unsigned major, minor, mode; uid_t uid; gid_t gid; char *path; };
struct setting { char *file, *value; bool optional; };
struct cgroup { char *directory; struct setting *setting; size_t settings; };
/* driver "": a veth pair whose end `veth` hangs on `bridge`; macvlan or ipvlan: a link of the host's link `bridge`. */
struct interface { char *name, *bridge, *veth, *mac, *driver, *mode; struct list address, gateway; unsigned mtu;
                   bool isolated; };
struct port { char protocol; /* IPPROTO_* */ char *host_ip, *address, *address6; uint16_t host_port, container_port; };
struct limit { int resource; uint64_t soft, hard; bool by_user; };

/* The launch record (file `record`): written by tuidock.engine.runtime.record, read here, versioned. */
struct record {
    char *buffer;                /* all strings point into it */
    char *id, *name, *instance, *container_dir, *run_dir, *events, *actor;
    unsigned long generation;
    struct list step;
    char *hostname, *domainname;
    bool plain, readonly_root, userxattr, in_userns; struct list uid_map, gid_map;
    struct list lower; char *upper, *work, *plain_root;
    struct mount *mount; size_t mounts;
    struct device *device; size_t devices;
    struct list masked, readonly_path, sysctl, device_rule;
    struct cgroup *cgroup; size_t cgroups; bool cgroup_v2; char *cgroup_memory;
    char *ns_pid, *ns_ipc, *ns_uts, *ns_cgroup, *ns_net; struct list user_network;
    struct interface *interface; size_t interfaces;
    struct port *port; size_t ports; char *nft_table;
    char *user; struct list group_add;
    struct list arg, env; char *cwd; unsigned umask;
    bool tty; unsigned short rows, cols; bool stdin_open, stdin_once;
    uint64_t caps; bool no_new_privs; char *seccomp, *apparmor;
    struct limit *limit; size_t limits; int oom_score_adj; bool init;
    bool log_none; long long log_max_size; unsigned log_max_file;
    int stop_signal; char *restart_policy; unsigned restart_max;
    bool auto_remove; struct list reap, restore; bool bound;
    struct list health; unsigned health_retries;            /* the command of a health check; none: not checked */
    unsigned long health_interval, health_timeout, health_start_period, health_start_interval;      /* ns */
};
int record_read(struct record *record, int directory, struct failure *failure);   /* opens "record" in directory */
void record_free(struct record *record);

/* ---- launch side (launch.c, child.c, mounts.c, net.c, nft.c, cgroup.c, caps.c, seccomp.c, user.c, exec.c) --------- */

/* Descriptors a container is given. For a tty, `slave_to` is where the child sends the pty master (SCM_RIGHTS). */
struct stdio { int in, out, err; };

/* What outlives the launch. Every descriptor is -1 when there is none. */
struct launched {
    pid_t pid;
    int pidfd;
    int pty_master;
    int netns;
    int go;              /* write one byte: the init process may go on and exec (pid record is durable by then) */
    int status;          /* CLOEXEC pipe: EOF = exec succeeded; else `STEP ERRNO TEXT` */
    uint64_t ns_layer, ns_bridge, ns_address, ns_process;   /* how long the steps took; process ends at exec */
    uint64_t ticks_clone;                                   /* when the init process was cloned */
};
/* Prepared by the shim before the recorder is forked: cgroup directories and limits, opened namespaces, sealed self. */
struct prepared {
    int cgroup_fd;           /* v2: for CLONE_INTO_CGROUP */
    int netns;               /* >= 0: join it (container:ID, host path, or kept over a policy restart) */
    bool netns_is_new;       /* false for a kept one: interfaces exist already */
    int self_exe;            /* read-only clone of tuidock-shim for --init */
};
#define PREPARED_NONE {-1, -1, true, -1}     /* what cgroup_create and launch are handed at a first start */

/* First act of the verbs start, adopt and exec: executes the program again from a read-only clone of its mount, so that
 * no container can reach the file for writing by /proc/PID/exe. Returns when it runs from there already, or -errno. */
int self_protect(char **argv);
/* That read-only clone: an O_PATH descriptor to execute with execveat(fd, "", ..., AT_EMPTY_PATH), or -errno. */
int self_clone(void);

int cgroup_create(const struct record *record, struct prepared *prepared, struct failure *failure);
int cgroup_remove(const struct record *record);            /* kills what is left in it, then rmdir; 0 when gone */
long cgroup_oom_kills(const struct record *record);        /* counter of kills, or -errno */
int cgroup_oom_watch(const struct record *record, int *event_fd, uint32_t *epoll_events);  /* v1 eventfd; v2 memory.events + EPOLLPRI */
/* Called in the recorder: clone3 and everything up to "waits for go". The parent's part (uid maps, veth, nft elements) is
 * inside: launch calls net_attach and nft_add_ports itself, unless prepared->netns is a kept one (netns_is_new false).
 * It opens namespaces given by path and self_exe when they are still -1 (prepared->self_exe stays open for a restart).
 * On failure the init process is gone and reaped, launched holds nothing; the caller undoes net, nft and cgroups. */
int launch(const struct record *record, struct prepared *prepared, const struct stdio *stdio,
           struct launched *launched, struct failure *failure);
/* After go (a byte written, launched->go closed or not): waits for exec, closes go and status. 0, or the failure that the
 * child reported, which is then reaped. */
int launch_finish(struct launched *launched, struct failure *failure);

int net_attach(const struct record *record, pid_t pid, int netns, struct launched *times, struct failure *failure);
int net_detach(const struct record *record);               /* deletes the veths; absent is fine */
int net_route(const struct interface *interface, int netns, struct failure *failure);    /* its gateways: the way out */
int net_remove(const struct interface *interface, int netns, struct failure *failure);   /* from inside; absent is fine */
int nft_add_ports(const struct record *record, struct failure *failure);   /* one transaction; -ENOENT: no table */
int nft_remove_ports(const struct record *record);
bool nft_table_exists(const char *table);
int nft_redirect_names(uint32_t address, uint16_t port);   /* of this namespace; address in host order, port as it is sent */
int device_program_attach(const struct record *record, int cgroup_fd, struct failure *failure);   /* v2 */

int exec_main(int argc, char **argv);                       /* verb exec */
int init_main(int argc, char **argv);                       /* verb init */
int network_main(int argc, char **argv);                    /* verb network, plug.c */

/* ---- stay side (main.c, monitor.c, recorder.c, log.c, attach.c, relay.c, restart.c, health.c, adopt.c, status.c) - */

int start_main(int argc, char **argv);
int adopt_main(int argc, char **argv);
int keep_main(int argc, char **argv);                       /* verb keep: of rootless use */
int guard_main(int argc, char **argv);                      /* verb guard: of the app's terminal */
int journal_append(const struct record *record, const char *action, const char *attributes_json);
/* Journal for exec, which has its own record open. Attributes are a complete JSON object or "{}". */

/* ---- both: util.c ------------------------------------------------------------------------------------------------ */

uint64_t now_ns(void);                                      /* wall clock */
uint64_t ticks_ns(void);                                    /* CLOCK_MONOTONIC */
int open_at(int directory, const char *path, int flags, unsigned mode);    /* O_CLOEXEC added; -errno */
int open_in_root(int root, const char *path, int flags, unsigned mode);    /* openat2 RESOLVE_IN_ROOT|NO_MAGICLINKS */
int write_all(int fd, const void *bytes, size_t count);
int write_file_at(int directory, const char *name, const char *text);      /* existing file, as for cgroup settings */
int replace_file_at(int directory, const char *name, const char *text, bool durable);  /* tmp, fsync, rename */
ssize_t read_file_at(int directory, const char *name, char *buffer, size_t size);      /* NUL-terminated */
int pidfd_open_(pid_t pid);
int pidfd_getfd_(int pidfd, int fd);
uint64_t process_start_time(pid_t pid);                      /* field 22 of /proc/PID/stat, 0 when gone */
char process_state(pid_t pid);                                  /* field 3 of it: R, S, Z ..., 0 when gone */
const char *signal_name(int signal);

#endif
