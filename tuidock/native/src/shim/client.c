/* One attach client: its socket, and the buffer for what the socket does not take at once.
 *
 * A frame is taken whole or not at all, so that a stream never ends in the middle of one. Most of the time there is no
 * buffer: what the socket takes is sent from where it lies.
 */
#include "client.h"
#include "kernel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 8, SLACK = 4096 };

void client_watch(struct monitor *monitor, struct client *client)
{
    uint32_t events = EPOLLERR;                /* in the set for HUP alone */
    if (client->used)
        events |= EPOLLOUT;
    if (!client->waits_for_stdin && !client->half_closed)
        events |= EPOLLIN;
    watch_set(monitor, &client->watch, events);
}

void client_close(struct monitor *monitor, struct client *client)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (monitor->client[i] == client)
            monitor->client[i] = NULL;
    if (monitor->owner == client) {
        monitor->owner = NULL;
        if (monitor->record.bound && monitor->running)         /* nobody else knows that it is there */
            pidfd_signal_(monitor->init_pidfd, SIGKILL);
    }
    if (client->flags & HOLDS_STILL)
        still_left(monitor, client->token);
    watch_close(monitor, &client->watch);
    if (client->buffer)
        munmap(client->buffer, client->size);
    free(client);
    pump_arm(monitor);
}

/* Room for `count` more bytes. The owner's buffer may grow, but only by what a dead container left in its pipes. */
static bool client_room(struct client *client, size_t count, bool may_grow)
{
    if (!client->buffer) {
        size_t size = CLIENT_BUFFER + SLACK;
        char *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (buffer == MAP_FAILED)
            return false;
        client->buffer = buffer;
        client->size = size;
    }
    if (client->start && client->start + client->used + count > client->size) {
        memmove(client->buffer, client->buffer + client->start, client->used);
        client->start = 0;
    }
    if (client->used + count > client->size && may_grow) {
        size_t size = client->size + count + CLIENT_BUFFER;
        char *buffer = mremap(client->buffer, client->size, size, MREMAP_MAYMOVE);
        if (buffer == MAP_FAILED)
            return false;
        client->buffer = buffer;
        client->size = size;
    }
    return client->used + count <= client->size;
}

void client_mute(struct client *client)
{
    client->flags &= ~(unsigned)(WANT_STDOUT | WANT_STDERR);
    client->used = client->start = 0;
    client->lost = 0;
}

void client_flush(struct client *client)
{
    while (client->used) {
        ssize_t sent = send(client->watch.fd, client->buffer + client->start, client->used,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            client_mute(client);
        if (sent <= 0)
            return;
        client->start += (size_t)sent;
        client->used -= (size_t)sent;
    }
    if (client->buffer) {
        munmap(client->buffer, client->size);
        client->buffer = NULL;
        client->start = client->size = 0;
    }
}

bool client_frame(struct client *client, unsigned type, unsigned stream, const void *payload, size_t count, bool must)
{
    unsigned char header[HEADER] = {(unsigned char)type, (unsigned char)stream};
    uint32_t length = (uint32_t)count;
    size_t sent = 0, size = HEADER + count;
    memcpy(header + 4, &length, sizeof length);
    if (client->used)
        client_flush(client);
    if (!client->used) {
        struct iovec parts[] = {{header, HEADER}, {(void *)payload, count}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t done = sendmsg(client->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
            client_mute(client);
            return true;
        }
        sent = done > 0 ? (size_t)done : 0;
        if (sent == size)
            return true;
    } else if (!must && client->used + size > CLIENT_BUFFER) {
        return false;
    }
    if (!client_room(client, size - sent, must)) {
        if (sent)                              /* half a frame is out: nothing that follows could be understood */
            shutdown(client->watch.fd, SHUT_RDWR);
        return false;
    }
    char *at = client->buffer + client->start + client->used;
    if (sent < HEADER) {
        memcpy(at, header + sent, HEADER - sent);
        memcpy(at + HEADER - sent, payload, count);
    } else {
        memcpy(at, (const char *)payload + (sent - HEADER), size - sent);
    }
    client->used += size - sent;
    return true;
}

void client_settle(struct monitor *monitor, struct client *client)
{
    if (!client->used && client->lost && !client->closing) {
        uint64_t lost = client->lost;
        client->closing = true;
        client_frame(client, FRAME_LOST, 0, &lost, sizeof lost, true);
    }
    if (!client->used && client->closing) {
        client_close(monitor, client);
        return;
    }
    client_watch(monitor, client);
    if (client == monitor->owner)
        pump_arm(monitor);
}

struct client *client_add(struct monitor *monitor, int fd, watch_ready *ready)
{
    size_t slot = CLIENTS;
    for (size_t i = 0; i < CLIENTS && slot == CLIENTS; i++)
        if (!monitor->client[i])
            slot = i;
    for (size_t i = 0; i < CLIENTS && slot == CLIENTS; i++)
        if (monitor->client[i]->lost && monitor->client[i] != monitor->owner) {
            client_close(monitor, monitor->client[i]);
            slot = i;
        }
    struct client *client = slot < CLIENTS ? calloc(1, sizeof *client) : NULL;
    if (!client) {
        close(fd);
        return NULL;
    }
    client->watch = (struct watch){fd, 0, ready};
    monitor->client[slot] = client;
    client_watch(monitor, client);
    return client;
}
