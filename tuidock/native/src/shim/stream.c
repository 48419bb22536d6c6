/* The caller's side of an exec in front: raw mode, window size, detach keys, signals, and bytes both ways.
 *
 * The container never gets the caller's own terminal as a descriptor (it could read the keys typed there later, or set its
 * modes): with -t it has a pty, without it pipes stand between. Files and pipes of the caller are inherited directly.
 */
#include "launch.h"
#include "kernel.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#define CHUNK 16384

int keys_parse(const char *text, struct keys *keys)
{
    keys->count = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        unsigned char byte;

        if (length == 1) {
            byte = (unsigned char)*text;
        } else if (length == 6 && !strncmp(text, "ctrl-", 5)) {
            int key = tolower((unsigned char)text[5]);
            if (key >= 'a' && key <= 'z')
                byte = (unsigned char)(key - 'a' + 1);
            else if (key == '@' || (key >= '[' && key <= '_'))
                byte = (unsigned char)(key & 31);
            else
                return -EINVAL;
        } else {
            return -EINVAL;
        }
        if (keys->count == sizeof keys->byte)
            return -E2BIG;
        keys->byte[keys->count++] = byte;
        text += length + (text[length] == ',');
    }
    return 0;
}

/* Bytes on their way; what begins the detach keys is held back until it is known to be something else. */
struct channel { int from, to; char buffer[CHUNK + 16]; size_t start, used, matched; bool ended; };

static bool filter_keys(struct channel *channel, const struct keys *keys, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (keys->count && (unsigned char)bytes[i] == keys->byte[channel->matched]) {
            if (++channel->matched == keys->count)
                return true;
            continue;
        }
        memcpy(channel->buffer + channel->used, keys->byte, channel->matched);
        channel->used += channel->matched;
        channel->matched = 0;
        if (keys->count && (unsigned char)bytes[i] == keys->byte[0])
            channel->matched = 1;
        else
            channel->buffer[channel->used++] = bytes[i];
    }
    return false;
}

/* Reads when empty. True when the detach keys came. */
static bool channel_read(struct channel *channel, const struct keys *keys)
{
    char bytes[CHUNK / 2];               /* held keys may come before it, so half of the room */
    ssize_t size = read(channel->from, bytes, sizeof bytes);

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (size <= 0) {                     /* EIO: the other side of a pty is closed */
        channel->ended = true;
        return false;
    }
    return filter_keys(channel, keys, bytes, (size_t)size);
}

static void channel_write(struct channel *channel)
{
    ssize_t size = write(channel->to, channel->buffer + channel->start, channel->used - channel->start);

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size < 0)
        channel->ended = true;
    else
        channel->start += (size_t)size;
    if (size < 0 || channel->start == channel->used)
        channel->start = channel->used = 0;
}

void stream_copy_size(int terminal)
{
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(terminal, TIOCSWINSZ, &size);
}

static void forward_signal(int signals, int pidfd, int terminal)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGWINCH && terminal >= 0)
        stream_copy_size(terminal);
    else if (info.ssi_signo != SIGWINCH)
        pidfd_signal_(pidfd, (int)info.ssi_signo);
}

static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static int loop(struct channel channel[3], const struct keys *keys, int pidfd, int signals, int terminal, int owner)
{
    static const struct keys NONE = {{0}, 0};
    bool dead = false;

    for (;;) {
        struct pollfd poll_set[6] = {{signals, POLLIN, 0}, {dead ? -1 : pidfd, POLLIN, 0}, [5] = {owner, POLLIN, 0}};
        bool open = false, progress = false, waiting = false;

        for (int i = 0; i < 3; i++) {
            bool full = channel[i].used > channel[i].start;
            bool over = channel[i].ended && !full;
            poll_set[2 + i].fd = over ? -1 : full ? channel[i].to : channel[i].from;
            poll_set[2 + i].events = full ? POLLOUT : POLLIN;
            open |= i > 0 && !over;
            waiting |= i > 0 && full;
        }
        if (dead && !open)
            return 0;
        /* after the end only what is there already: a child of it that lives on may hold the pipes for ever */
        if (poll(poll_set, COUNT(poll_set), dead && !waiting ? 0 : -1) < 0 && errno != EINTR)
            return -errno;
        if (poll_set[5].revents)
            return STREAM_ABANDONED;
        if (poll_set[0].revents)
            forward_signal(signals, pidfd, terminal);
        if (!dead && poll_set[1].revents)
            dead = progress = true;
        for (int i = 0; i < 3; i++) {
            if (poll_set[2 + i].fd < 0 || !poll_set[2 + i].revents)
                continue;
            progress |= i > 0;
            if (channel[i].used > channel[i].start)
                channel_write(&channel[i]);
            else if (channel_read(&channel[i], i == 0 ? keys : &NONE))
                return STREAM_DETACHED;
            if (i == 0 && channel[0].ended && channel[0].used == channel[0].start && terminal < 0)
                close_fd(&channel[0].to), channel[0].to = channel[0].from = -1;
        }
        if (dead && !progress && !waiting)
            return 0;
    }
}

/* A program that lends its terminal for this command names itself in TUIDOCK_TERMINAL_OF; the command must not outlive it.
 * Its pidfd; -1 for none, -ESRCH when it has died already. */
int stream_owner(void)
{
    const char *text = getenv("TUIDOCK_TERMINAL_OF");
    long pid = text ? strtol(text, NULL, 10) : 0;
    int owner = pid > 0 ? pidfd_open_((pid_t)pid) : -1;

    return owner >= 0 ? owner : pid > 0 && getppid() != pid ? -ESRCH : -1;
}

/* When the owner of the terminal is gone a shell may be at work on it already, in a mode of its own. */
static void restore_mode(const struct termios *before, const struct termios *raw, bool abandoned)
{
    struct termios now;

    signal(SIGTTOU, SIG_IGN);
    if (!abandoned || (tcgetattr(STDIN_FILENO, &now) == 0 && now.c_lflag == raw->c_lflag && now.c_iflag == raw->c_iflag &&
                       now.c_oflag == raw->c_oflag))
        tcsetattr(STDIN_FILENO, TCSADRAIN, before);
}

int stream_run(const struct relay_ends *ends, const struct keys *keys, int pidfd, int owner)
{
    cleanup_free struct channel *channel = calloc(3, sizeof *channel);
    struct termios before, raw;
    cleanup_close int signals = -1;
    bool restore = false;
    sigset_t set;
    int rc;

    if (!channel)
        return -ENOMEM;
    sigprocmask(SIG_SETMASK, NULL, &set);        /* those that exec.c blocked are those that are passed on */
    sigdelset(&set, SIGCHLD);
    sigdelset(&set, SIGPIPE);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    channel[0] = (struct channel){.from = ends->to_stdin < 0 ? -1 : STDIN_FILENO, .to = ends->to_stdin};
    channel[1] = (struct channel){.from = ends->from_stdout, .to = STDOUT_FILENO};
    channel[2] = (struct channel){.from = ends->from_stderr, .to = STDERR_FILENO};
    for (int i = 0; i < 3; i++)
        channel[i].ended = channel[i].from < 0;
    if (ends->to_stdin >= 0)
        set_nonblocking(ends->to_stdin);
    if (ends->terminal && ends->to_stdin >= 0 && tcgetattr(STDIN_FILENO, &before) == 0) {
        raw = before;
        cfmakeraw(&raw);
        restore = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    rc = loop(channel, keys, pidfd, signals, ends->terminal ? ends->from_stdout : -1, owner);
    if (restore)
        restore_mode(&before, &raw, rc == STREAM_ABANDONED);
    return rc;
}
