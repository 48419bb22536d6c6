/* Published ports: a listening socket on each address.
 *
 * It reserves the port, serves those whom address translation does not reach (127.0.0.1, ::1), and everybody when somebody
 * flushes the rules. TCP is moved by splice(2) without passing through memory here; a half-closed side stays half closed.
 */
#include "stay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

enum { PIECE = 64 * 1024, ROUNDS = 16 };
#define SWEEP_NS 30000000000ull
#define PAUSE_NS 100000000ull

/* side[0] is the one who connected, side[1] the container; each side's pipe holds what came from it. */
struct side { struct watch watch; int pipe[2]; size_t held; bool ended, passed_on, hung; struct connection *connection; };
struct connection { struct side side[2]; bool connecting; struct connection *next, **previous; };

int relay_address(const char *text, uint16_t port, struct sockaddr_storage *address, socklen_t *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *size = sizeof *v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *size = sizeof *v6;
        return 0;
    }
    return -EINVAL;
}

static int listening_socket(const struct port *port, const char *host_ip)
{
    struct sockaddr_storage address;
    socklen_t size;
    const int on = 1;
    int error = relay_address(host_ip, port->host_port, &address, &size);
    if (error < 0)
        return error;
    bool udp = port->protocol == IPPROTO_UDP;
    int fd = socket(address.ss_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    (unsigned char)port->protocol);
    if (fd < 0)
        return -errno;
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (udp) {                                 /* an answer must come from the address that was asked */
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
        if (address.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || (!udp && listen(fd, 128) < 0)) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static const char *protocol_name(const struct port *port)
{
    return port->protocol == IPPROTO_UDP ? "udp" : port->protocol == IPPROTO_TCP ? "tcp" : "sctp";
}

/* The addresses a port is published on: all of both families, or the one given. */
static size_t host_addresses(const struct port *port, const char *address[2])
{
    const char *given = port->host_ip ? port->host_ip : "";
    address[0] = *given ? given : "0.0.0.0";
    address[1] = "::";
    return *given ? 1 : 2;
}

static bool may_be_missing(const struct port *port, size_t family, int error)
{
    bool no_such_family = error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
    bool no_sctp = (unsigned char)port->protocol == IPPROTO_SCTP && (error == -EPROTONOSUPPORT || error == -ESOCKTNOSUPPORT);
    return (family == 1 && no_such_family) || no_sctp;
}

static int listeners_make(struct monitor *monitor)
{
    const struct record *record = &monitor->record;
    if (record->ports)
        monitor->relay.listener = calloc(2 * record->ports, sizeof *monitor->relay.listener);
    return record->ports && !monitor->relay.listener ? -ENOMEM : 0;
}

static void listener_add(struct monitor *monitor, const struct port *port, int fd)
{
    monitor->relay.listener[monitor->relay.listeners++] = (struct listener){.watch = {.fd = fd}, .port = port};
}

int relay_listen(struct monitor *monitor, struct failure *failure)
{
    const struct record *record = &monitor->record;
    if (listeners_make(monitor) < 0)
        return fail(failure, "port", -ENOMEM, "no memory for %zu ports", record->ports);
    for (size_t i = 0; i < record->ports; i++) {
        const struct port *port = &record->port[i];
        const char *address[2];
        size_t addresses = host_addresses(port, address);
        for (size_t family = 0; family < addresses; family++) {
            int fd = listening_socket(port, address[family]);
            bool v6 = strchr(address[family], ':') != NULL;
            if (fd >= 0)
                listener_add(monitor, port, fd);
            else if (!may_be_missing(port, family, fd))
                return fail(failure, "port", fd, "failed to bind host port for %s%s%s:%u:%s:%u/%s: %s", v6 ? "[" : "",
                            address[family], v6 ? "]" : "", port->host_port, port->address ? port->address : "",
                            port->container_port, protocol_name(port),
                            fd == -EADDRINUSE ? "address already in use" : strerror(-fd));
        }
    }
    return 0;
}

/* A descriptor says by itself which port it is for. */
static const struct port *port_of_socket(const struct record *record, int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    int protocol = 0;
    socklen_t protocol_size = sizeof protocol;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0
        || getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_size) < 0)
        return NULL;
    uint16_t number = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                        : ((struct sockaddr_in *)&bound)->sin_port);
    for (size_t i = 0; i < record->ports; i++)
        if (record->port[i].host_port == number && (unsigned char)record->port[i].protocol == protocol)
            return &record->port[i];
    return NULL;
}

int relay_adopt(struct monitor *monitor, int recorder_pidfd)
{
    const struct kept *kept = &monitor->pids.kept;
    if (listeners_make(monitor) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < kept->ports && monitor->relay.listeners < 2 * monitor->record.ports; i++) {
        int fd = pidfd_getfd_(recorder_pidfd, kept->port[i]);
        const struct port *port = fd < 0 ? NULL : port_of_socket(&monitor->record, fd);
        if (port)
            listener_add(monitor, port, fd);
        else if (fd >= 0)
            close(fd);
    }
    return 0;
}

static void connection_close(struct monitor *monitor, struct connection *connection, bool reset)
{
    const struct linger at_once = {.l_onoff = 1};
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &connection->side[i];
        if (reset && side->watch.fd >= 0)
            setsockopt(side->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        watch_close(monitor, &side->watch);
        close_fd(&side->pipe[0]);
        close_fd(&side->pipe[1]);
    }
    *connection->previous = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    monitor->relay.connections--;
    free(connection);
}

/* 1 something moved, 0 nothing to do now, -1 broken. */
static int move_once(struct side *from, struct side *to)
{
    int moved = 0;
    if (!from->ended && !from->held) {
        ssize_t got = splice(from->watch.fd, NULL, from->pipe[1], NULL, PIECE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        from->ended = got == 0;
        if (got > 0)
            from->held += (size_t)got;
        moved = got >= 0;
    }
    if (from->held) {
        ssize_t put = splice(from->pipe[0], NULL, to->watch.fd, NULL, from->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        if (put > 0)
            from->held -= (size_t)put;
        moved = put > 0;
    }
    if (from->ended && !from->held && !from->passed_on) {
        from->passed_on = true;
        shutdown(to->watch.fd, SHUT_WR);
    }
    return moved;
}

static void side_watch(struct monitor *monitor, struct side *side, const struct side *other)
{
    uint32_t events = side->hung ? 0 : EPOLLERR;   /* one that hung up would be told again and again */
    if (!side->ended && !side->held)
        events |= EPOLLIN;
    if (other->held)
        events |= EPOLLOUT;
    watch_set(monitor, &side->watch, events);
}

static void side_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct connection *connection = container_of(watch, struct side, watch)->connection;
    struct side *client = &connection->side[0], *container = &connection->side[1];
    int forth = 0, back = 0;
    bool moved = false;

    /* both its directions are shut: what came from it before may still have to wait for a slow reader at the other end */
    if (events & EPOLLHUP)
        container_of(watch, struct side, watch)->hung = true;
    if (connection->connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        if (watch != &container->watch || getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
            connection_close(monitor, connection, true);
            return;
        }
        connection->connecting = false;
    }
    for (int round = 0; round < ROUNDS; round++) {
        forth = move_once(client, container);
        back = move_once(container, client);
        moved |= forth > 0 || back > 0;
        if (forth < 0 || back < 0 || (forth == 0 && back == 0))
            break;
    }
    bool done = client->passed_on && container->passed_on;
    bool broken = forth < 0 || back < 0 || ((events & EPOLLERR) && !moved);
    if (done || broken) {
        connection_close(monitor, connection, !done);
        return;
    }
    side_watch(monitor, client, container);
    side_watch(monitor, container, client);
}

static int connection_open(struct monitor *monitor, const struct port *port, int accepted)
{
    struct sockaddr_storage address;
    socklen_t size;
    const int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(accepted);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < 2; i++)
        connection->side[i] = (struct side){.watch = {-1, 0, side_ready}, .pipe = {-1, -1}, .connection = connection};
    struct relay *relay = &monitor->relay;
    connection->side[0].watch.fd = accepted;
    connection->next = relay->first;
    connection->previous = &relay->first;
    if (relay->first)
        relay->first->previous = &connection->next;
    relay->first = connection;
    relay->connections++;

    int error = relay_address(port->address ? port->address : "", port->container_port, &address, &size);
    if (!error) {
        int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connection->side[1].watch.fd = fd;
        error = fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
    }
    for (unsigned i = 0; i < 2 && (!error || error == -EINPROGRESS); i++) {
        setsockopt(connection->side[i].watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pipe2(connection->side[i].pipe, O_CLOEXEC | O_NONBLOCK) < 0)
            error = -errno;
    }
    if (error && error != -EINPROGRESS) {
        connection_close(monitor, connection, true);
        return error;
    }
    connection->connecting = true;
    return watch_set(monitor, &connection->side[1].watch, EPOLLOUT);
}

static void tcp_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        relay_pause(monitor, errno);
        return;
    }
    if (monitor->relay.connections >= RELAY_CONNECTIONS)
        close(fd);
    else
        connection_open(monitor, listener->port, fd);
}

void relay_pause(struct monitor *monitor, int error)
{
    struct relay *relay = &monitor->relay;
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
        return;
    for (size_t i = 0; i < relay->listeners; i++)
        if (relay->listener[i].port->protocol == IPPROTO_TCP)
            watch_set(monitor, &relay->listener[i].watch, 0);
    watch_set(monitor, &monitor->attach, 0);
    monitor->deadline[TIMER_RELAY] = ticks_ns() + PAUSE_NS;
}

static void let_in(struct monitor *monitor)
{
    struct relay *relay = &monitor->relay;
    for (size_t i = 0; i < relay->listeners; i++) {
        struct listener *listener = &relay->listener[i];
        bool udp = listener->port->protocol == IPPROTO_UDP;
        listener->watch.ready = udp ? relay_udp_ready : tcp_ready;
        if (udp || listener->port->protocol == IPPROTO_TCP)
            watch_set(monitor, &listener->watch, EPOLLIN);
    }
}

int relay_serve(struct monitor *monitor)
{
    struct relay *relay = &monitor->relay;
    if (monitor->record.user_network.count)
        return usermode_relay(monitor);
    let_in(monitor);
    if (relay->listeners && getrlimit(RLIMIT_NOFILE, &relay->descriptors) == 0) {
        struct rlimit raised = {relay->descriptors.rlim_max, relay->descriptors.rlim_max};
        setrlimit(RLIMIT_NOFILE, &raised);
    }
    return 0;
}

void relay_sweep(struct monitor *monitor)
{
    bool left = false;
    let_in(monitor);
    watch_set(monitor, &monitor->attach, EPOLLIN);
    for (size_t i = 0; i < monitor->relay.listeners; i++)
        left |= relay_udp_sweep(monitor, &monitor->relay.listener[i]);
    monitor->deadline[TIMER_RELAY] = left ? ticks_ns() + SWEEP_NS : 0;
}

void relay_close(struct monitor *monitor)
{
    usermode_relay_end(monitor);
    while (monitor->relay.first)
        connection_close(monitor, monitor->relay.first, true);
    for (size_t i = 0; i < monitor->relay.listeners; i++) {
        relay_udp_close(monitor, &monitor->relay.listener[i]);
        watch_close(monitor, &monitor->relay.listener[i].watch);
    }
    free(monitor->relay.listener);
    monitor->relay.listener = NULL;
    monitor->relay.listeners = 0;
}
