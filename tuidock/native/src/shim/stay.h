/* What the rooms of the stay side share: one monitor, and the parts that its loop watches.
 *
 * The loop (monitor.c) knows nothing of what it watches: a part embeds a struct watch, and its `ready` is called with the
 * events. One event is fetched at a time, so no part can be called after another one has freed it. Timers are deadlines in
 * the monitor. Nothing here blocks, except a launch (milliseconds).
 */
#ifndef TUIDOCK_STAY_H
#define TUIDOCK_STAY_H

#include "shim.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

enum {
    LINE_LIMIT = 16384,            /* a longer line is cut into P records, as docker does */
    CHUNK_LIMIT = 256 * 1024,      /* read from the container at once */
    FRAME_LIMIT = 32 * 1024,       /* payload of one frame to a client */
    CLIENT_BUFFER = 256 * 1024,
    CLIENTS = 64,
    PORT_SOCKETS = 4096,
    RELAY_CONNECTIONS = 1024,
    UDP_SESSIONS = 64,
};

struct monitor;
/* Descriptors that a client hands to `start`. */
enum { ANSWER_FD = 3, MOVE_LOCK_FD = 4, OWNER_FD = 5 };

struct watch;

typedef void watch_ready(struct monitor *monitor, struct watch *watch, uint32_t events);
struct watch {
    int fd;
    uint32_t events;               /* 0: not in the epoll set (a set with no events would still report HUP, and spin) */
    watch_ready *ready;
};
int watch_set(struct monitor *monitor, struct watch *watch, uint32_t events);
void watch_close(struct monitor *monitor, struct watch *watch);

/* ---- log.c: segments of CRI lines ---- */

struct position { uint64_t segment, offset; };

struct log {
    int directory, segment, dropped_file;     /* -1 */
    struct position end;
    long long size_limit;
    unsigned file_limit;
    uint64_t dropped;                          /* bytes of the container lost because the disk was full */
    uint64_t retry_at;
    char *batch;                               /* formatted lines on their way out */
    size_t used;
};

/* Shared memory that outlives the shim (the recorder holds it): what was in the works when the shim died. */
struct mark {
    uint32_t version;
    uint32_t chunk;                /* bytes of the chunk that is being written; 0: none */
    uint32_t stream;               /* 0 stdout, 1 stderr: whose chunk lies in the chunk pipe */
    uint32_t next;                 /* the slot of that stream when the chunk is done */
    struct position before;        /* where the log ended before the chunk */
    uint32_t slot[2];              /* which of the two copies of the unfinished line counts */
    uint32_t pending[2][2];        /* its length */
    char line[2][2][LINE_LIMIT];
};

int log_open(struct log *log, int container_dir, const struct record *record);
void log_close(struct log *log);
void log_rest(struct log *log);                /* gives the memory of the batch back */
/* Formats a chunk of a stream; what is left of an unfinished line goes to the other slot of the mark (mark->next). */
void log_chunk(struct log *log, struct mark *mark, unsigned stream, const char *bytes, size_t count);
void log_flush_pending(struct log *log, struct mark *mark, unsigned stream);     /* at the end: as a P line */
/* After a crash: bytes of the container (unfinished line included) that are in the log after `before`. */
long long log_written_since(const struct log *log, const struct position *before);

/* ---- pump.c: from the container to the log and the clients ---- */

struct source { struct watch watch; unsigned stream; bool tty; };

struct pump {
    struct source source[2];
    int chunk[2];                  /* pipe that holds the chunk until it is in the log; the recorder holds it too */
    int view[2];                   /* the same bytes once more, to be read */
    int null, mark_fd;
    struct mark *mark;
    char *bytes;
    size_t limit;
    uint64_t told_segment;         /* of the last position that was told to all clients */
    bool large;
};
int pump_prepare(struct monitor *monitor);
int pump_open(struct monitor *monitor);        /* the read ends of a run */
void pump_arm(struct monitor *monitor);
void pump_drain(struct monitor *monitor);      /* all that the dead container left */
void pump_recover(struct monitor *monitor);    /* the chunk a killed shim had in the works */
void pump_rest(struct monitor *monitor);

/* ---- attach.c: clients ---- */

enum { FRAME_HELLO, FRAME_STDIN, FRAME_STDIN_EOF, FRAME_RESIZE, FRAME_SIGNAL,
       FRAME_OUT = 16, FRAME_EXIT, FRAME_LOST, FRAME_STATE, FRAME_POSITION };
enum { WANT_STDIN = 1, WANT_STDOUT = 2, WANT_STDERR = 4, IS_OWNER = 8, HOLDS_STILL = 16 };
enum { TOKEN_SIZE = 8 };           /* of one who holds the container still, behind the flags of the hello */

struct client {
    struct watch watch;
    unsigned flags;
    bool greeted, closing, waits_for_stdin, half_closed;
    uint64_t lost;                 /* > 0: too slow; gets what is buffered, then LOST */
    unsigned char header[8], small[16];
    char token[TOKEN_SIZE + 1];
    unsigned header_used, small_used;
    uint32_t left;                 /* payload of the current frame still to come */
    char *buffer;
    size_t start, used, size;
};
int attach_listen(struct monitor *monitor, struct failure *failure);
int attach_owner(struct monitor *monitor, int fd);
void attach_output(struct monitor *monitor, unsigned stream, const char *bytes, size_t count);
void attach_position(struct monitor *monitor);  /* tells where in the log the clients are now */
void attach_ended(struct monitor *monitor, int status);
void attach_stdin_opened(struct monitor *monitor);
bool attach_flushed(const struct monitor *monitor);
bool attach_owner_full(const struct monitor *monitor);
void attach_close(struct monitor *monitor);

/* ---- standstill.c: it is frozen for a client ---- */

void still_left(struct monitor *monitor, const char *token);   /* the client that held it has hung up */
void still_due(struct monitor *monitor);
void still_adopt(struct monitor *monitor);

/* ---- relay.c: published ports ---- */

struct listener { struct watch watch; const struct port *port; struct relay_session *session; unsigned sessions; };
struct relay {
    struct listener *listener;
    size_t listeners;
    struct connection *first;
    unsigned connections;
    pid_t inside;                  /* usermode.c: the process that relays instead; 0: none */
    struct rlimit descriptors;     /* as it was before it was raised; rlim_max 0: it was not */
};
/* usermode.c */
int usermode_relay(struct monitor *monitor);
void usermode_relay_end(struct monitor *monitor);
/* relay_udp.c */
void relay_udp_ready(struct monitor *monitor, struct watch *watch, uint32_t events);
void relay_udp_close(struct monitor *monitor, struct listener *listener);
bool relay_udp_sweep(struct monitor *monitor, struct listener *listener);      /* true: sessions are left */
int relay_address(const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size);
int relay_listen(struct monitor *monitor, struct failure *failure);
int relay_adopt(struct monitor *monitor, int recorder_pidfd);     /* the recorder's sockets, in the order of the ports */
int relay_serve(struct monitor *monitor);
void relay_sweep(struct monitor *monitor);
/* After a failed accept: without a free descriptor or memory nobody is let in for a moment, or the loop would spin. */
void relay_pause(struct monitor *monitor, int error);
void relay_close(struct monitor *monitor);

/* ---- nft_watch.c ---- */

void rules_watch(struct monitor *monitor);                       /* our table going is noticed */
void rules_look(struct monitor *monitor);

/* ---- resolver.c: names on networks that people made ---- */

struct resolver_watch { struct watch watch; pid_t pid; int udp, tcp, alive; uint64_t began; };
/* Its sockets inside, before the init process can ask; nothing in networks without names. */
int resolver_prepare(struct monitor *monitor, struct failure *failure);
void resolver_start(struct monitor *monitor);
void resolver_look(struct monitor *monitor);                     /* whether it has come into its first network */
void resolver_stop(struct monitor *monitor);
void resolver_leave(struct monitor *monitor);                    /* the container is not found any more */

/* ---- status.c: small files ---- */

struct ending { int status, signal; bool oom; uint64_t started, finished; unsigned restarts; char error[256]; };
int exit_reserve(int container_dir);
int exit_write(int container_dir, unsigned long generation, const struct ending *ending);
int exit_read(int container_dir, unsigned long generation, struct ending *ending);
void ending_from_wait(struct ending *ending, int code, int status);       /* of a siginfo_t: si_code, si_status */

struct kept {                      /* numbers in the recorder */
    int out, err, in, pty, net, control, chunk_read, chunk_write, mark;
    int port[PORT_SOCKETS];
    size_t ports;
};
struct pids {
    unsigned long generation;
    pid_t shim, recorder, init;
    uint64_t shim_start, recorder_start, init_start, started;
    unsigned restarts;
    char boot[40];
    struct kept kept;
};
int boot_id(char *text, size_t size);
int pid_write(int run_dir, const struct pids *pids);
int pid_read(int run_dir, struct pids *pids);
void timeline_write(const struct record *record, int container_dir, const struct launched *times);
int number_write(int directory, const char *name, unsigned long number);
unsigned long number_read(int directory, const char *name);

/* ---- recorder.c: the parent of the init process ---- */

/* Both talk over a SOCK_SEQPACKET pair; descriptors travel with LAUNCHED. */
enum notice_kind { NOTICE_LAUNCHED = 1, NOTICE_GO, NOTICE_STARTED, NOTICE_FAILED, NOTICE_ENDED, NOTICE_HELLO,
                    NOTICE_STDIN_CLOSED, NOTICE_DONE, NOTICE_RELIEVED };
struct notice {
    enum notice_kind kind;
    pid_t init;
    uint64_t init_start, started;
    int pty, net;                  /* numbers in the recorder */
    struct launched times;
    struct ending ending;
    struct failure failure;
};
int notice_send(int fd, const struct notice *message, size_t size, const int *fds, size_t count);
int notice_receive(int fd, struct notice *message, int *fds, size_t count);
#define NOTICE_SMALL offsetof(struct notice, init)

int recorder_start(struct monitor *monitor, struct prepared *prepared, const struct stdio *stdio);
void init_ending(pid_t pid, int pidfd, struct ending *ending);     /* waits; exit status also without being the parent */

/* ---- idle.c: waiting for long, with as few pages as can be; both return -errno ---- */

struct pollfd;
int idle_epoll(int epoll, struct epoll_event *event, int timeout);
int idle_poll(struct pollfd *polled, unsigned count);

/* ---- health.c: health checks; probe.c: one of them, in a process of its own ---- */

enum { HEALTH_OUTPUT = 4096 };     /* bytes kept of what a probe says, as docker does */
enum health_status { HEALTH_STARTING, HEALTHY, UNHEALTHY };
struct health {
    struct watch answer;           /* of the probe that is under way */
    int probe;                     /* its pidfd, -1: none is */
    enum health_status status;
    unsigned streak;               /* failures in a row */
    uint64_t began;                /* of the probe, wall clock */
};
enum verdict { VERDICT_EXITED, VERDICT_TIMEOUT, VERDICT_FAILED, VERDICT_VOID };     /* void: nothing can be concluded */
struct probed {
    enum verdict verdict;
    int code;
    size_t size;
    char output[HEALTH_OUTPUT + 4];            /* room for "..." where it was cut */
};
void health_prepare(struct monitor *monitor);
void health_begin(struct monitor *monitor);    /* a run has begun */
void health_adopt(struct monitor *monitor);    /* goes on where the killed shim was */
void health_due(struct monitor *monitor);
void health_end(struct monitor *monitor);      /* the run is over */
_Noreturn void probe_main(const struct record *record, int container, int answer);

/* ---- the monitor ---- */

enum timer { TIMER_RESTART, TIMER_TTY, TIMER_RELAY, TIMER_LINGER, TIMER_REST, TIMER_OOM, TIMER_HEALTH,
             TIMER_RESOLVER, TIMER_RULES, TIMER_STILL, TIMERS };

struct monitor {
    struct record record;
    const char *container_path, *run_path;
    int container_dir, run_dir, lock;
    int answer, move_lock;                     /* while starting */
    int epoll;
    struct watch signals, control, init_watch, oom, attach, input, rules, still;
    struct pids pids;
    int init_pidfd, netns;
    long oom_kills;
    struct pump pump;
    struct log log;
    struct client *client[CLIENTS];
    struct client *owner;
    struct relay relay;
    struct resolver_watch resolver;
    struct health health;
    struct record renewed;                     /* what an update has changed since the start; see restart.c */
    uint64_t deadline[TIMERS];                 /* of ticks_ns(); 0: not set */
    uint64_t run_began, restart_delay, oom_delay;
    char still_token[TOKEN_SIZE + 1];
    struct ending ending;
    struct launched times;
    bool running, ended, stop_wanted, may_release, quiet;
};

int monitor_prepare(struct monitor *monitor, const char *container_path, const char *run_path);
int monitor_lock(struct monitor *monitor);
int monitor_launch(struct monitor *monitor, struct failure *failure);     /* one run, from cgroup to exec */
int monitor_watch(struct monitor *monitor);                               /* what a running container needs watched */
int monitor_loop(struct monitor *monitor);
void monitor_end(struct monitor *monitor);                                /* the container is really over */
void monitor_release(struct monitor *monitor);                            /* cgroups, link, nft elements, names */
void monitor_init_died(struct monitor *monitor, const struct ending *ending);
void monitor_watch_init(struct monitor *monitor);                         /* when no recorder does */
void monitor_journal_die(struct monitor *monitor);
void process_detach(void);                                                /* session, stdio, signals, directory */

void restart_decide(struct monitor *monitor);
void restart_due(struct monitor *monitor);

#endif
