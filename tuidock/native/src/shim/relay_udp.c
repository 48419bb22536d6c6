/* UDP relay: a small table of sessions per published port, one connected socket to the container for each peer.
 *
 * A session goes when it was quiet for 90 seconds (as docker's proxy has it), or when a new peer needs the place of the
 * one that was quiet longest. */
#include "stay.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { DATAGRAM = 65536, BATCH = 32 };
#define QUIET_NS 90000000000ull
#define SWEEP_NS 30000000000ull

struct relay_session {
    struct watch watch;            /* fd -1: free */
    struct listener *listener;
    struct sockaddr_storage peer;
    socklen_t peer_size;
    _Alignas(struct cmsghdr) char asked[CMSG_SPACE(sizeof(struct in6_pktinfo))];   /* control message that answers from the asked address */
    size_t asked_size;
    uint64_t last;
};

/* One for all: a datagram is passed on before the next is read. */
static char *datagram(void)
{
    static char room[DATAGRAM];
    return room;
}

static void session_close(struct monitor *monitor, struct relay_session *session)
{
    watch_close(monitor, &session->watch);
    session->listener->sessions--;
}

/* From the container to the peer. */
static void session_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct relay_session *session = container_of(watch, struct relay_session, watch);
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        ssize_t got = recv(watch->fd, datagram(), DATAGRAM, MSG_DONTWAIT);
        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR)
                session_close(monitor, session);      /* nobody listens in the container */
            return;
        }
        struct iovec part = {datagram(), (size_t)got};
        struct msghdr message = {.msg_name = &session->peer, .msg_namelen = session->peer_size, .msg_iov = &part,
                                 .msg_iovlen = 1, .msg_control = session->asked_size ? session->asked : NULL,
                                 .msg_controllen = session->asked_size};
        sendmsg(session->listener->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        session->last = ticks_ns();
    }
}

static struct relay_session *session_find(struct listener *listener, const struct sockaddr_storage *peer, socklen_t size)
{
    for (size_t i = 0; i < UDP_SESSIONS; i++) {
        struct relay_session *session = &listener->session[i];
        if (session->watch.fd >= 0 && session->peer_size == size && !memcmp(&session->peer, peer, size))
            return session;
    }
    return NULL;
}

static struct relay_session *session_open(struct monitor *monitor, struct listener *listener,
                                          const struct sockaddr_storage *peer, socklen_t peer_size)
{
    struct sockaddr_storage address;
    socklen_t size;
    struct relay_session *session = &listener->session[0];
    for (size_t i = 0; i < UDP_SESSIONS; i++) {
        struct relay_session *other = &listener->session[i];
        if (other->watch.fd < 0) {
            session = other;
            break;
        }
        if (other->last < session->last)
            session = other;
    }
    if (session->watch.fd >= 0)
        session_close(monitor, session);
    const char *container = listener->port->address ? listener->port->address : "";
    if (relay_address(container, listener->port->container_port, &address, &size) < 0)
        return NULL;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0) {
        close_fd(&fd);
        return NULL;
    }
    *session = (struct relay_session){.watch = {fd, 0, session_ready}, .listener = listener, .peer_size = peer_size};
    memcpy(&session->peer, peer, peer_size);
    listener->sessions++;
    watch_set(monitor, &session->watch, EPOLLIN);
    if (!monitor->deadline[TIMER_RELAY])
        monitor->deadline[TIMER_RELAY] = ticks_ns() + SWEEP_NS;
    return session;
}

/* Turns the received `which address was asked` into the control message of the answers. */
static void remember_asked(struct relay_session *session, struct msghdr *received)
{
    for (struct cmsghdr *one = CMSG_FIRSTHDR(received); one; one = CMSG_NXTHDR(received, one)) {
        bool v4 = one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO;
        bool v6 = one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO;
        if (!v4 && !v6)
            continue;
        struct cmsghdr *answer = (struct cmsghdr *)session->asked;
        size_t size = v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo);
        memcpy(answer, one, CMSG_LEN(size));
        session->asked_size = CMSG_SPACE(size);
        if (v4) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(answer), sizeof info);
            info.ipi_spec_dst = info.ipi_addr;
            info.ipi_ifindex = 0;
            memcpy(CMSG_DATA(answer), &info, sizeof info);
        }
    }
}

static bool sessions_make(struct listener *listener)
{
    if (!listener->session) {
        listener->session = calloc(UDP_SESSIONS, sizeof *listener->session);
        for (size_t i = 0; listener->session && i < UDP_SESSIONS; i++)
            listener->session[i].watch.fd = -1;
    }
    return listener->session;
}

/* From a peer to the container. */
void relay_udp_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage peer;
        _Alignas(struct cmsghdr) char control[256];
        struct iovec part = {datagram(), DATAGRAM};
        struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &part, .msg_iovlen = 1,
                                 .msg_control = control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(watch->fd, &message, MSG_DONTWAIT);
        if (got < 0 || !sessions_make(listener))
            return;
        struct relay_session *session = session_find(listener, &peer, message.msg_namelen);
        if (!session) {
            session = session_open(monitor, listener, &peer, message.msg_namelen);
            if (session)
                remember_asked(session, &message);
        }
        if (!session)
            continue;
        session->last = ticks_ns();
        if (send(session->watch.fd, datagram(), (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
            session_close(monitor, session);
    }
}

bool relay_udp_sweep(struct monitor *monitor, struct listener *listener)
{
    uint64_t now = ticks_ns();
    for (size_t i = 0; listener->session && i < UDP_SESSIONS; i++) {
        struct relay_session *session = &listener->session[i];
        if (session->watch.fd >= 0 && now - session->last > QUIET_NS)
            session_close(monitor, session);
    }
    return listener->sessions > 0;
}

void relay_udp_close(struct monitor *monitor, struct listener *listener)
{
    for (size_t i = 0; listener->session && i < UDP_SESSIONS; i++)
        if (listener->session[i].watch.fd >= 0)
            session_close(monitor, &listener->session[i]);
    free(listener->session);
    listener->session = NULL;
}
