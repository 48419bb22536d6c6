/* Attach clients: frames over a stream socket, both ways.
 *
 * The owner (a foreground `run`) gets every byte: while its socket is full the container is not read. Any other client
 * has a bounded buffer; one that falls behind gets what is buffered, then LOST, and can come back and read the log. No
 * client ever holds the container up, nor its end.
 */
#include "client.h"
#include "kernel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

enum { HEADER = 8, STDIN_PIECE = 16384, PROTOCOL = 1 };

static bool greeted(const struct client *client) { return client && client->greeted; }

static void stdin_close(struct monitor *monitor)
{
    const struct notice message = {.kind = NOTICE_STDIN_CLOSED};
    if (monitor->input.fd < 0)
        return;
    watch_close(monitor, &monitor->input);
    if (monitor->control.fd >= 0)
        notice_send(monitor->control.fd, &message, NOTICE_SMALL, NULL, 0);
}

/* The end of a client's input ends the container's only as `stdin-once` says; a terminal has no such end. */
static void input_ended(struct monitor *monitor, const struct client *client)
{
    if ((client->flags & WANT_STDIN) && monitor->record.stdin_once && !monitor->record.tty)
        stdin_close(monitor);
}

void attach_output(struct monitor *monitor, unsigned stream, const char *bytes, size_t count)
{
    unsigned wanted = stream ? WANT_STDERR : WANT_STDOUT;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = monitor->client[i];
        if (!greeted(client) || !(client->flags & wanted))
            continue;
        for (size_t at = 0; at < count && (client->flags & wanted); at += FRAME_LIMIT) {
            size_t part = count - at < FRAME_LIMIT ? count - at : FRAME_LIMIT;
            if (client->lost || !client_frame(client, FRAME_OUT, stream + 1, bytes + at, part, client == monitor->owner))
                client->lost += part;
        }
        client_watch(monitor, client);
    }
}

bool attach_owner_full(const struct monitor *monitor)
{
    return monitor->owner && monitor->owner->used > 0;
}

bool attach_flushed(const struct monitor *monitor)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (monitor->client[i])
            return false;
    return true;
}

/* Where the log ends, and what of it is still an unfinished line: a client that loses its shim finds in the log what it has
 * not got, and goes on with the next shim's output without a gap. */
static void send_position(struct monitor *monitor, struct client *client)
{
    struct { uint64_t segment, offset; uint32_t pending[2]; char text[2 * LINE_LIMIT]; } *position;
    const struct mark *mark = monitor->pump.mark;
    size_t used = 0;

    if (monitor->record.log_none || !(position = malloc(sizeof *position)))
        return;
    position->segment = monitor->log.end.segment;
    position->offset = monitor->log.end.offset;
    for (unsigned i = 0; i < 2; i++) {
        position->pending[i] = mark->pending[i][mark->slot[i]];
        memcpy(position->text + used, mark->line[i][mark->slot[i]], position->pending[i]);
        used += position->pending[i];
    }
    if (!client_frame(client, FRAME_POSITION, 0, position, offsetof(typeof(*position), text) + used, client == monitor->owner))
        client->lost++;
    free(position);
}

void attach_position(struct monitor *monitor)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = monitor->client[i];
        if (greeted(client) && !client->lost && (client->flags & (WANT_STDOUT | WANT_STDERR))) {
            send_position(monitor, client);
            client_watch(monitor, client);
        }
    }
}

static bool hello(struct monitor *monitor, struct client *client)
{
    if (client->small[0] != PROTOCOL || client->greeted)       /* each hello is answered, and must be: no endless ones */
        return false;
    client->flags = client->small[1];
    client->greeted = true;
    if (client->small_used < 2 + TOKEN_SIZE)
        client->flags &= ~(unsigned)HOLDS_STILL;
    else
        memcpy(client->token, client->small + 2, TOKEN_SIZE);
    if ((client->flags & IS_OWNER) && !monitor->owner)
        monitor->owner = client;
    const unsigned char state[2] = {monitor->record.tty, monitor->record.stdin_open && monitor->input.fd >= 0};
    client_frame(client, FRAME_STATE, 0, state, sizeof state, true);
    send_position(monitor, client);
    return true;
}

static void resize(struct monitor *monitor, const unsigned char *payload)
{
    struct winsize size = {0}, before;
    int terminal = monitor->record.tty ? monitor->pump.source[0].watch.fd : -1;
    uint16_t rows, cols;
    char attributes[64];
    memcpy(&rows, payload, sizeof rows);
    memcpy(&cols, payload + 2, sizeof cols);
    size.ws_row = rows;
    size.ws_col = cols;
    if (terminal < 0 || (ioctl(terminal, TIOCGWINSZ, &before) == 0 && before.ws_row == rows && before.ws_col == cols))
        return;
    if (ioctl(terminal, TIOCSWINSZ, &size) < 0)
        return;
    snprintf(attributes, sizeof attributes, "{\"height\":\"%u\",\"width\":\"%u\"}", rows, cols);
    journal_append(&monitor->record, "resize", attributes);
}

/* A whole small frame has come. False: the client does not speak the protocol. */
static bool frame_done(struct monitor *monitor, struct client *client)
{
    unsigned type = client->header[0];
    uint32_t number;
    if (type == FRAME_HELLO)
        return client->small_used >= 2 && hello(monitor, client);
    if (!client->greeted)
        return false;
    switch (type) {
    case FRAME_STDIN:
        return true;
    case FRAME_STDIN_EOF:
        input_ended(monitor, client);
        return true;
    case FRAME_RESIZE:
        if (client->small_used < 4)
            return false;
        resize(monitor, client->small);
        return true;
    case FRAME_SIGNAL:
        if (client->small_used < 4)
            return false;
        memcpy(&number, client->small, sizeof number);
        if (monitor->running && number > 0 && number < NSIG)
            pidfd_signal_(monitor->init_pidfd, (int)number);
        return true;
    default:
        return false;
    }
}

/* Bytes go on only as the container takes them: looked at first, and taken off the socket when they are delivered. */
static ssize_t deliver_stdin(struct monitor *monitor, struct client *client)
{
    char bytes[STDIN_PIECE];
    ssize_t seen = recv(client->watch.fd, bytes, client->left < sizeof bytes ? client->left : sizeof bytes,
                        MSG_PEEK | MSG_DONTWAIT);
    if (seen <= 0)
        return seen;
    ssize_t taken = seen;
    if (monitor->input.fd >= 0 && (client->flags & WANT_STDIN)) {
        taken = write(monitor->input.fd, bytes, (size_t)seen);
        if (taken < 0 && errno == EAGAIN) {
            client->waits_for_stdin = true;
            watch_set(monitor, &monitor->input, EPOLLOUT);
            return -1;
        }
        if (taken < 0 && errno != EINTR) {
            stdin_close(monitor);
            taken = seen;
        }
    }
    if (taken > 0)
        taken = recv(client->watch.fd, bytes, (size_t)taken, MSG_DONTWAIT);
    if (taken > 0)
        client->left -= (uint32_t)taken;
    return taken < 0 ? -1 : taken;
}

/* One step of reading: header, small payload or stdin. > 0 went on, 0 the peer's end, -1 nothing now, -2 bad. */
static int client_step(struct monitor *monitor, struct client *client)
{
    ssize_t got;
    if (client->header_used < HEADER) {
        got = recv(client->watch.fd, client->header + client->header_used, HEADER - client->header_used, MSG_DONTWAIT);
        if (got <= 0)
            return got == 0 || (errno != EAGAIN && errno != EINTR) ? 0 : -1;
        client->header_used += (unsigned)got;
        if (client->header_used < HEADER)
            return 1;
        memcpy(&client->left, client->header + 4, sizeof client->left);
        client->small_used = 0;
        if (client->header[0] != FRAME_STDIN && client->left > sizeof client->small)
            return -2;
    } else if (client->header[0] == FRAME_STDIN) {
        if (!client->greeted)
            return -2;
        got = deliver_stdin(monitor, client);
        if (got <= 0)
            return got == 0 || (errno != EAGAIN && errno != EINTR) ? 0 : -1;
    } else {
        got = recv(client->watch.fd, client->small + client->small_used, client->left, MSG_DONTWAIT);
        if (got <= 0)
            return got == 0 || (errno != EAGAIN && errno != EINTR) ? 0 : -1;
        client->small_used += (unsigned)got;
        client->left -= (uint32_t)got;
    }
    if (client->left)
        return 1;
    client->header_used = 0;
    return frame_done(monitor, client) ? 1 : -2;
}

static void client_read(struct monitor *monitor, struct client *client, bool gone)
{
    int step = 1;
    for (int steps = 0; step > 0 && steps < 32; steps++)
        step = client_step(monitor, client);
    if (step == 0) {
        input_ended(monitor, client);
        client->half_closed = true;
    }
    if (step == -2 || (step == 0 && gone)) {
        client_close(monitor, client);
        return;
    }
    client_settle(monitor, client);
}

static void client_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct client *client = container_of(watch, struct client, watch);
    bool gone = events & (EPOLLHUP | EPOLLERR);
    if (gone)
        client_mute(client);
    if (events & EPOLLOUT)
        client_flush(client);
    if (gone && client->half_closed) {
        client_close(monitor, client);
    } else if (gone && client->waits_for_stdin) {
        watch_set(monitor, watch, 0);          /* what it has sent still goes to the container, at its pace */
        pump_arm(monitor);
    } else if ((events & EPOLLIN) || gone) {
        client_read(monitor, client, gone);
    } else {
        client_settle(monitor, client);
    }
}

/* The container takes input again. */
static void input_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    if (events & EPOLLERR)
        stdin_close(monitor);
    else
        watch_set(monitor, watch, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = monitor->client[i];
        if (client && client->waits_for_stdin) {
            client->waits_for_stdin = false;
            client_watch(monitor, client);
        }
    }
}

void attach_stdin_opened(struct monitor *monitor)
{
    monitor->input.ready = input_ready;
}

static void listener_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        client_add(monitor, fd, client_ready);
    else
        relay_pause(monitor, errno);
}

int attach_owner(struct monitor *monitor, int fd)
{
    struct client *client = client_add(monitor, fd, client_ready);
    if (!client)
        return -ENOMEM;
    client->small[0] = PROTOCOL;
    client->small[1] = WANT_STDIN | WANT_STDOUT | WANT_STDERR | IS_OWNER;
    hello(monitor, client);
    client_watch(monitor, client);
    return 0;
}

/* Bound by descriptor: a data root may lie deeper than a socket address is long. */
int attach_listen(struct monitor *monitor, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach", monitor->run_dir);
    unlinkat(monitor->run_dir, "attach", 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(failure, "log", -errno, "make the attach socket: %s", strerror(errno));
    monitor->attach = (struct watch){fd, 0, listener_ready};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || fchmodat(monitor->run_dir, "attach", 0600, 0) < 0
        || listen(fd, 64) < 0)
        return fail(failure, "log", -errno, "listen on the attach socket in %s: %s", monitor->run_path, strerror(errno));
    return 0;
}

void attach_ended(struct monitor *monitor, int status)
{
    int32_t code = status;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = monitor->client[i];
        if (!client)
            continue;
        if (!client->greeted) {
            client_close(monitor, client);
            continue;
        }
        client->waits_for_stdin = false;
        if (!client->lost) {
            client_frame(client, FRAME_EXIT, 0, &code, sizeof code, true);
            client->closing = true;
        }
        client_settle(monitor, client);
    }
}

/* All but the owner, who may take as long as it likes. */
void attach_close(struct monitor *monitor)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (monitor->client[i] && monitor->client[i] != monitor->owner)
            client_close(monitor, monitor->client[i]);
}
