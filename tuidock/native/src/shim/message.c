/* What the init process tells its launcher before it execs: ready (with the terminal, when there is one) or what failed.
 * A SOCK_SEQPACKET pair, so a message is whole or absent; its closing by exec is the success.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int message_send(int socket, const struct message *message, int descriptor)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {{0}};
    struct iovec part = {(void *)(uintptr_t)message, sizeof *message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    if (descriptor >= 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(item), &descriptor, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int message_receive(int socket, struct message *message, int *descriptor)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    struct iovec part = {message, sizeof *message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                            .msg_controllen = sizeof control};
    struct cmsghdr *item;
    ssize_t size;

    do
        size = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (size == 0)
        return 0;
    item = CMSG_FIRSTHDR(&header);
    if (item && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS) {
        int received;
        memcpy(&received, CMSG_DATA(item), sizeof received);
        if (descriptor)
            *descriptor = received;
        else
            close(received);
    }
    if ((size_t)size != sizeof *message)
        return -EPROTO;
    message->failure.text[sizeof message->failure.text - 1] = 0;
    message->failure.step[sizeof message->failure.step - 1] = 0;
    return 1;
}
