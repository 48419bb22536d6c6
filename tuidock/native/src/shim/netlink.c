/* Netlink messages by hand: no library is worth the few that a start needs, and `import pyroute2` takes 160 ms. */
#include "netlink.h"
#include "shim.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void *reserve(struct batch *batch, size_t size)
{
    void *place = batch->bytes + batch->used;
    size_t padded = NLMSG_ALIGN(size);

    if (batch->full || batch->used + padded > sizeof batch->bytes) {
        batch->full = -EMSGSIZE;
        return NULL;
    }
    memset(place, 0, padded);
    batch->used += padded;
    if (size)
        ((struct nlmsghdr *)(batch->bytes + batch->current))->nlmsg_len = (uint32_t)(batch->used - batch->current);
    return place;
}

void batch_begin(struct batch *batch, uint16_t type, uint16_t flags, const void *header, size_t size)
{
    struct nlmsghdr *message;

    batch->current = batch->used;
    message = reserve(batch, sizeof *message);
    if (!message)
        return;
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = ++batch->sequence;
    batch_raw(batch, header, size);
}

void batch_raw(struct batch *batch, const void *bytes, size_t size)
{
    void *place = reserve(batch, size);
    if (place && size)
        memcpy(place, bytes, size);
}

void batch_attribute(struct batch *batch, uint16_t type, const void *value, size_t size)
{
    struct nlattr *attribute = reserve(batch, NLA_HDRLEN + size);
    if (!attribute)
        return;
    attribute->nla_type = type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    memcpy((char *)attribute + NLA_HDRLEN, value, size);
}

void batch_text(struct batch *batch, uint16_t type, const char *value)
{
    batch_attribute(batch, type, value, strlen(value) + 1);
}

void batch_u32(struct batch *batch, uint16_t type, uint32_t value) { batch_attribute(batch, type, &value, sizeof value); }

size_t batch_nest(struct batch *batch, uint16_t type)
{
    size_t start = batch->used;
    batch_attribute(batch, type | NLA_F_NESTED, "", 0);
    return start;
}

void batch_unnest(struct batch *batch, size_t nest)
{
    if (!batch->full)
        ((struct nlattr *)(batch->bytes + nest))->nla_len = (uint16_t)(batch->used - nest);
}

int netlink_open(int protocol)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    int one = 1;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);      /* errors need not carry the request back */
    return fd;
}

static int send_all(int fd, const struct batch *batch)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;

    if (batch->full)
        return batch->full;
    do
        sent = sendto(fd, batch->bytes, batch->used, 0, (struct sockaddr *)&kernel, sizeof kernel);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int batch_send(int fd, struct batch *batch, uint32_t answers, uint32_t *culprit)
{
    _Alignas(8) uint8_t answer[16384];
    int result = send_all(fd, batch);

    if (culprit)
        *culprit = 0;
    if (result < 0)
        return result;
    while (answers > 0) {
        ssize_t size = recv(fd, answer, sizeof answer, 0);
        struct nlmsghdr *message = (struct nlmsghdr *)answer;

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return result < 0 ? result : -errno;
        for (size_t left = (size_t)size; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
            struct nlmsgerr *error = NLMSG_DATA(message);
            if (message->nlmsg_type != NLMSG_ERROR)
                continue;
            if (error->error < 0 && result == 0) {
                result = error->error;
                if (culprit)
                    *culprit = message->nlmsg_seq;
            }
            if (answers > 0)
                answers--;
        }
    }
    return result;
}

long batch_ask(int fd, struct batch *batch, void *answer, size_t size)
{
    int rc = send_all(fd, batch);
    ssize_t received;
    struct nlmsghdr *message = answer;

    if (rc < 0)
        return rc;
    do
        received = recv(fd, answer, size, 0);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    if (!NLMSG_OK(message, (size_t)received))
        return -EPROTO;
    if (message->nlmsg_type == NLMSG_ERROR) {
        rc = ((struct nlmsgerr *)NLMSG_DATA(message))->error;
        return rc < 0 ? rc : -EPROTO;
    }
    return received;
}
