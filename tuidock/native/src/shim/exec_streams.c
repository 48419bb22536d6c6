/* The streams that an exec gives to its command. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Whether the command may have the caller's own descriptor. Of a pipe it can spoil no more than the stream; but a file
 * could be opened anew by /proc/self/fd, for reading or writing, or become setuid, and a directory leads to all others. */
static bool may_be_given(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

/* What the command gets as 0, 1, 2: pipes and sockets of the caller directly, a pipe between for all else. */
int exec_streams(bool stdin_open, bool tty, bool detach, struct stdio *stdio, struct relay_ends *ends,
                 struct failure *failure)
{
    int *given[3] = {&stdio->in, &stdio->out, &stdio->err};
    int *kept[3] = {&ends->to_stdin, &ends->from_stdout, &ends->from_stderr};

    *stdio = (struct stdio){-1, -1, -1};
    *ends = (struct relay_ends){-1, -1, -1, false};
    int null = null_clone(failure);
    if (null < 0)
        return null;
    for (int fd = 0; fd <= 2 && !tty; fd++) {
        int pipes[2];
        if (detach || (fd == 0 && !stdin_open) || is_null(fd)) {
            *given[fd] = null_open(null);      /* the host's; the container may have none */
            if (*given[fd] < 0)
                return fail(failure, "device", *given[fd], "open /dev/null: %s", strerror(-*given[fd]));
            continue;
        }
        if (may_be_given(fd)) {
            *given[fd] = fd;
            continue;
        }
        if (pipe2(pipes, O_CLOEXEC) < 0)
            return fail(failure, "exec", -errno, "make a pipe: %s", strerror(errno));
        *given[fd] = pipes[fd == 0 ? 0 : 1];
        *kept[fd] = pipes[fd == 0 ? 1 : 0];
    }
    return 0;
}

void exec_streams_given(const struct stdio *stdio)
{
    const int given[3] = {stdio->in, stdio->out, stdio->err};
    for (int i = 0; i < 3; i++)
        if (given[i] > 2)
            close(given[i]);
}
