/* Small helpers that both halves of the shim stand on: failures, clocks, files by directory descriptor, pidfds. */
#include "shim.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* How many bytes at `c` are a control character: C0, DEL, C1 in UTF-8, one that turns the direction of writing or is not
 * seen at all. `inside`: bytes that the UTF-8 character before it still wants; a C1 byte that nobody wants is one too. */
static size_t control(const unsigned char *c, unsigned inside)
{
    if (!inside && *c >= 0x80 && *c <= 0xbf)
        return 1;
    if (*c < ' ' || *c == 127)
        return 1;
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
        return 2;
    if (c[0] == 0xe2 && ((c[1] == 0x80 && (c[2] == 0x8b || (c[2] >= 0x8e && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
                         (c[1] == 0x81 && c[2] >= 0xa0 && c[2] <= 0xaf)))
        return 3;
    return c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf ? 3 : 0;
}

int fail(struct failure *failure, const char *step, int negative_errno, const char *format, ...)
{
    va_list arguments;

    snprintf(failure->step, sizeof failure->step, "%s", step);
    failure->error = negative_errno < 0 ? -negative_errno : negative_errno;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    unsigned inside = 0;
    for (char *c = failure->text; *c; c++) {    /* it becomes one line on a terminal, and names in it come from images */
        size_t bad = control((unsigned char *)c, inside);
        unsigned char first = (unsigned char)*c;
        inside = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : inside && first >= 0x80 ? inside - 1 : 0;
        if (bad) {
            memset(c, '?', bad);
            c += bad - 1;
            inside = 0;
        }
    }
    return failure->error ? -failure->error : -EINVAL;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void) { return clock_ns(CLOCK_REALTIME); }

uint64_t ticks_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int open_at(int directory, const char *path, int flags, unsigned mode)
{
    int fd;
    do
        fd = openat(directory, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int open_in_root(int root, const char *path, int flags, unsigned mode)
{
    int fd;
    do      /* EAGAIN: something was renamed meanwhile and the kernel could not prove that the walk stayed inside */
        fd = openat2_(root, path, (unsigned)flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    while (fd == -EINTR || fd == -EAGAIN);
    return fd;
}

int write_all(int fd, const void *bytes, size_t count)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t written = write(fd, next, count);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        next += written;
        count -= (size_t)written;
    }
    return 0;
}

int write_file_at(int directory, const char *name, const char *text)
{
    cleanup_close int fd = open_at(directory, name, O_WRONLY, 0);
    ssize_t written;

    if (fd < 0)
        return fd;
    do      /* one write: control files take a value whole or not at all */
        written = write(fd, text, strlen(text));
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : (size_t)written == strlen(text) ? 0 : -EIO;
}

int replace_file_at(int directory, const char *name, const char *text, bool durable)
{
    char temporary[256];
    int rc;

    if ((size_t)snprintf(temporary, sizeof temporary, ".%s.tmp", name) >= sizeof temporary)
        return -ENAMETOOLONG;
    {
        cleanup_close int fd = open_at(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return fd;
        rc = write_all(fd, text, strlen(text));
        if (rc == 0 && durable && fsync(fd) < 0)
            rc = -errno;
    }
    if (rc == 0 && renameat(directory, temporary, directory, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(directory, temporary, 0);
        return rc;
    }
    return durable && fsync(directory) < 0 ? -errno : 0;
}

ssize_t read_file_at(int directory, const char *name, char *buffer, size_t size)
{
    cleanup_close int fd = open_at(directory, name, O_RDONLY, 0);
    size_t length = 0;

    if (fd < 0)
        return fd;
    while (length + 1 < size) {
        ssize_t count = read(fd, buffer + length, size - 1 - length);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (count == 0)
            break;
        length += (size_t)count;
    }
    buffer[length] = 0;
    return (ssize_t)length;
}

int pidfd_open_(pid_t pid) { return (int)checked(syscall(SYS_pidfd_open, pid, 0)); }

int pidfd_getfd_(int pidfd, int fd) { return (int)checked(syscall(SYS_pidfd_getfd, pidfd, fd, 0)); }

uint64_t process_start_time(pid_t pid)
{
    char path[32], text[1024];
    const char *field;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (read_file_at(AT_FDCWD, path, text, sizeof text) <= 0)
        return 0;
    field = strrchr(text, ')');          /* the command name in field 2 may hold blanks and brackets */
    if (!field)
        return 0;
    field++;
    for (int number = 3; number <= 22; number++) {
        field = strchr(field, ' ');
        if (!field)
            return 0;
        field++;
    }
    return strtoull(field, NULL, 10);
}

char process_state(pid_t pid)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (read_file_at(AT_FDCWD, path, text, sizeof text) <= 0)
        return 0;
    const char *end = strrchr(text, ')');
    return end && end[1] ? end[2] : 0;
}

const char *signal_name(int signal)
{
    static const char *const names[] = {
        [1] = "HUP", [2] = "INT", [3] = "QUIT", [4] = "ILL", [5] = "TRAP", [6] = "ABRT", [7] = "BUS", [8] = "FPE",
        [9] = "KILL", [10] = "USR1", [11] = "SEGV", [12] = "USR2", [13] = "PIPE", [14] = "ALRM", [15] = "TERM",
        [16] = "STKFLT", [17] = "CHLD", [18] = "CONT", [19] = "STOP", [20] = "TSTP", [21] = "TTIN", [22] = "TTOU",
        [23] = "URG", [24] = "XCPU", [25] = "XFSZ", [26] = "VTALRM", [27] = "PROF", [28] = "WINCH", [29] = "IO",
        [30] = "PWR", [31] = "SYS",
    };
    return signal > 0 && (size_t)signal < COUNT(names) && names[signal] ? names[signal] : "RT";
}
