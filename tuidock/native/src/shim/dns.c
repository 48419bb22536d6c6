/* The resolver of a container: 127.0.0.11 inside, a process of its own without any right outside.
 *
 * The monitor makes the sockets inside the container's network namespace and forks this; it stays in the host's, so that
 * other questions go to the host's servers from there. It is neither root nor able to reach a file but the names, and knows
 * some thirty system calls, because everything that it reads is somebody else's. One process for each container, where a
 * helper for each network would have to be told who asks: here whoever asks is in the namespace, a container in several
 * networks has one answer for all of them, nobody can ask on another's behalf, and it works in networks that the host is
 * not part of (macvlan).
 *
 * Questions for members are answered at once; others are passed on (dns_jobs.c).
 */
#include "dns.h"
#include "kernel.h"
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define IDLE_NS 10000000000ull

enum { BATCH = 16, NOBODY = 65534, DESCRIPTORS = 512, IN_ROOM = 2 + DNS_QUESTION_MOST };

/* ---- answers ---- */

static void connection_close(struct dns_connection *connection)
{
    close_fd(&connection->fd);
    free(connection->in);
    free(connection->out);
    *connection = (struct dns_connection){.fd = -1};
}

static void connection_flush(struct dns_connection *connection)
{
    while (connection->out_sent < connection->out_size) {
        ssize_t count = send(connection->fd, connection->out + connection->out_sent,
                             connection->out_size - connection->out_sent, MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count < 0) {
            connection_close(connection);
            return;
        }
        connection->out_sent += (size_t)count;
    }
    free(connection->out);
    connection->out = NULL;
    connection->out_size = connection->out_sent = 0;
    connection->waits = false;
    connection->deadline = ticks_ns() + IDLE_NS;
}

void dns_reply(struct dns_resolver *resolver, const struct sockaddr_in *peer, struct dns_connection *connection,
                  const uint8_t *message, size_t size)
{
    if (!connection) {
        sendto(resolver->udp, message, size, MSG_DONTWAIT, (const struct sockaddr *)peer, sizeof *peer);
        return;
    }
    connection->out = malloc(size + 2);
    if (!connection->out) {
        connection_close(connection);
        return;
    }
    connection->out[0] = (uint8_t)(size >> 8);
    connection->out[1] = (uint8_t)size;
    memcpy(connection->out + 2, message, size);
    connection->out_size = size + 2;
    connection_flush(connection);
}

/* ---- questions ---- */

/* Neighbours of one name take turns. */
static void shuffle(struct dns_address *address, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t number = 0;
        if (getrandom(&number, sizeof number, 0) < 0)
            return;
        struct dns_address other = address[number % i];
        address[number % i] = address[i - 1];
        address[i - 1] = other;
    }
}

/* Size of our own answer, 0 when others have to be asked. */
static size_t answer_of_names(struct dns_resolver *resolver, const struct dns_question *question, const uint8_t *message,
                              size_t size, size_t room, uint8_t *out)
{
    static struct dns_address address[DNS_ADDRESSES];
    struct dns_names *names = &resolver->names;
    char text[2 * DNS_NAME];
    int family = question->type == DNS_AAAA ? AF_INET6 : AF_INET;

    if (question->class != DNS_IN)
        return dns_write_code(message, size, question, DNS_REFUSED, out);
    if (question->type == DNS_PTR && dns_reverse(question->name, address) &&
        dns_names_reverse(names, address, text, sizeof text))
        return dns_write_name(message, question, text, out);
    int count = dns_names_find(names, question->name, family, address, DNS_ADDRESSES);
    if (count >= 0) {
        bool asked = question->type == DNS_A || question->type == DNS_AAAA || question->type == DNS_ANY;
        shuffle(address, (size_t)count);
        return dns_write_addresses(message, question, address, asked ? (size_t)count : 0, room, out);
    }
    /* nowhere to ask: that nothing else exists is the truth of an internal network, and makes nobody wait */
    return names->servers ? 0 : dns_write_code(message, size, question, DNS_NXDOMAIN, out);
}

static void take_question(struct dns_resolver *resolver, const uint8_t *message, size_t size, const struct sockaddr_in *peer,
                          struct dns_connection *connection)
{
    static uint8_t out[DNS_QUESTION_MOST + 512];
    struct dns_question question;
    int code = dns_read(message, size, &question);
    size_t used;

    if (code == DNS_DROP) {
        if (connection)
            connection_close(connection);
        return;
    }
    if (code == 0 && dns_names_refresh(&resolver->names) < 0)
        code = DNS_SERVFAIL;
    used = code ? dns_write_code(message, size, &question, code, out)
                : answer_of_names(resolver, &question, message, size,
                                  connection ? (size_t)DNS_QUESTION_MOST : question.room, out);
    if (used)
        dns_reply(resolver, peer, connection, out, used);
    else
        dns_job_begin(resolver, &question, message, size, peer, connection);
}

static void udp_ready(struct dns_resolver *resolver)
{
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        ssize_t count = recvfrom(resolver->udp, resolver->message, DNS_QUESTION_MOST + 1, MSG_DONTWAIT,
                                 (struct sockaddr *)&peer, &size);
        if (count < 0)
            return;
        if (count <= DNS_QUESTION_MOST && size == sizeof peer)
            take_question(resolver, resolver->message, (size_t)count, &peer, NULL);
    }
}

static void tcp_ready(struct dns_resolver *resolver)
{
    struct dns_connection *place = NULL;
    int fd = accept4(resolver->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    for (size_t i = 0; i < DNS_CONNECTIONS && !place; i++)
        if (resolver->connection[i].fd < 0)
            place = &resolver->connection[i];
    uint8_t *in = place ? malloc(IN_ROOM) : NULL;
    if (!in) {
        close(fd);
        return;
    }
    *place = (struct dns_connection){.fd = fd, .in = in, .deadline = ticks_ns() + IDLE_NS};
}

/* One question after the other; the next one waits in the buffer while one is answered. */
static void connection_take(struct dns_resolver *resolver, struct dns_connection *connection)
{
    while (connection->fd >= 0 && !connection->waits && !connection->out && connection->used >= 2) {
        size_t size = (size_t)(connection->in[0] << 8 | connection->in[1]);
        if (size > DNS_QUESTION_MOST) {
            connection_close(connection);
            return;
        }
        if (connection->used < size + 2)
            return;
        memcpy(resolver->message, connection->in + 2, size);
        connection->used -= size + 2;
        memmove(connection->in, connection->in + 2 + size, connection->used);
        take_question(resolver, resolver->message, size, NULL, connection);
    }
}

static void connection_ready(struct dns_resolver *resolver, struct dns_connection *connection, short events)
{
    if (connection->out) {
        if (events & (POLLOUT | POLLERR | POLLHUP))
            connection_flush(connection);
    } else {
        ssize_t count = recv(connection->fd, connection->in + connection->used, IN_ROOM - connection->used, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            connection_close(connection);
            return;
        }
        connection->used += (size_t)count;
    }
    connection_take(resolver, connection);
}

/* ---- the process ---- */

/* What an asker closes must not be answered to whoever comes next on the same number. */
static void orphan_jobs(struct dns_resolver *resolver)
{
    for (size_t i = 0; i < DNS_JOBS; i++) {
        struct dns_job *job = &resolver->job[i];
        if (job->question && job->connection && (job->connection->fd < 0 || !job->connection->waits)) {
            job->connection = NULL;
            dns_job_end(job);
        }
    }
}

static int timeout_ms(uint64_t deadline)
{
    uint64_t now = ticks_ns();
    return !deadline ? -1 : deadline <= now ? 0 : (int)((deadline - now) / 1000000 + 1);
}

static void look(struct dns_resolver *resolver)
{
    struct pollfd polled[3 + DNS_CONNECTIONS + DNS_JOBS];
    uint64_t first = 0;
    size_t count = 3;
    struct { struct dns_connection *connection; struct dns_job *job; } owner[3 + DNS_CONNECTIONS + DNS_JOBS];

    polled[0] = (struct pollfd){resolver->alive, POLLIN, 0};
    polled[1] = (struct pollfd){resolver->udp, POLLIN, 0};
    polled[2] = (struct pollfd){resolver->tcp, POLLIN, 0};
    for (size_t i = 0; i < DNS_CONNECTIONS; i++) {
        struct dns_connection *connection = &resolver->connection[i];
        if (connection->fd < 0)
            continue;
        short events = connection->out ? POLLOUT : connection->waits ? 0 : POLLIN;
        bool idle = !connection->waits || connection->out;
        if (idle && (!first || connection->deadline < first))
            first = connection->deadline;
        owner[count].connection = connection;
        owner[count].job = NULL;
        polled[count++] = (struct pollfd){connection->fd, events, 0};
    }
    for (size_t i = 0; i < DNS_JOBS; i++) {
        struct dns_job *job = &resolver->job[i];
        if (!job->question)
            continue;
        bool writes = job->connection && job->sent < job->size + 2;
        if (!first || job->deadline < first)
            first = job->deadline;
        owner[count].connection = NULL;
        owner[count].job = job;
        polled[count++] = (struct pollfd){job->fd, writes ? POLLOUT : POLLIN, 0};
    }
    if (poll(polled, count, timeout_ms(first)) < 0)
        return;
    if (polled[0].revents)
        _exit(0);
    if (polled[1].revents)
        udp_ready(resolver);
    if (polled[2].revents)
        tcp_ready(resolver);
    uint64_t now = ticks_ns();
    for (size_t i = 3; i < count; i++) {
        struct dns_connection *connection = owner[i].connection;
        struct dns_job *job = owner[i].job;
        if (connection && connection->fd == polled[i].fd) {
            if (connection->waits && polled[i].revents & (POLLHUP | POLLERR))
                connection_close(connection);
            else if (polled[i].revents)
                connection_ready(resolver, connection, polled[i].revents);
            else if ((!connection->waits || connection->out) && connection->deadline <= now)
                connection_close(connection);
        }
        orphan_jobs(resolver);
        if (job && job->question && job->fd == polled[i].fd) {
            struct dns_connection *asker = job->connection;
            if (polled[i].revents && asker)
                dns_job_ready_tcp(resolver, job);
            else if (polled[i].revents)
                dns_job_ready_udp(resolver, job);
            else if (job->deadline <= now)
                dns_job_try(resolver, job);
            if (asker && asker->fd >= 0)
                connection_take(resolver, asker);
        }
    }
}

/* The system calls that are left: sockets, the small files, memory and the clock. */
static int confine(void)
{
    static const unsigned short CALLS[] = {
        SYS_read, SYS_write, SYS_recvfrom, SYS_sendto, SYS_close, SYS_socket, SYS_connect, SYS_accept4, SYS_openat,
        SYS_fstat, SYS_newfstatat, SYS_getdents64, SYS_lseek, SYS_fcntl, SYS_mmap, SYS_munmap, SYS_mremap, SYS_brk,
        SYS_madvise, SYS_clock_gettime, SYS_getrandom, SYS_ppoll, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit,
        SYS_exit_group,
#ifdef SYS_poll
        SYS_poll,
#endif
#ifdef SYS_open
        SYS_open,
#endif
    };
#ifdef __aarch64__
    const uint32_t machine = AUDIT_ARCH_AARCH64;
#else
    const uint32_t machine = AUDIT_ARCH_X86_64;
#endif
    struct sock_filter program[COUNT(CALLS) + 6];
    struct filter filter = {program, 0};
    unsigned short at = 0;

    program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, machine, 1, 0);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(CALLS); i++)
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i],
                                                     (uint8_t)(COUNT(CALLS) - i), 0);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter.count = at;
    return seccomp_load(&filter);
}

/* From root to nobody: no file is in sight but the names, and no way leads back. */
static int drop_rights(int zones)
{
    const struct rlimit descriptors = {DESCRIPTORS, DESCRIPTORS}, none = {0, 0};

    setrlimit(RLIMIT_NOFILE, &descriptors);
    setrlimit(RLIMIT_CORE, &none);
    if (fchdir(zones) < 0 || chroot(".") < 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return confine();
}

_Noreturn void dns_serve(int udp, int tcp, int own, int zones, int alive)
{
    static struct dns_resolver resolver;

    prctl(PR_SET_NAME, "tuidock-dns");
    resolver.udp = udp;
    resolver.tcp = tcp;
    resolver.alive = alive;
    resolver.names.own = own;
    resolver.names.zones = zones;
    for (size_t i = 0; i < DNS_JOBS; i++)
        resolver.job[i].fd = -1;
    for (size_t i = 0; i < DNS_CONNECTIONS; i++)
        resolver.connection[i].fd = -1;
    if (drop_rights(zones) < 0)
        _exit(1);                              /* with rights it does not work */
    for (;;)
        look(&resolver);
}
