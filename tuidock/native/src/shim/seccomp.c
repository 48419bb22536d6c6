/* Seccomp: the filter arrives compiled (a raw array of struct sock_filter) and is only loaded here. */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/stat.h>

int seccomp_read(const char *path, struct filter *filter, struct failure *failure)
{
    cleanup_close int fd = -1;
    struct stat status;
    ssize_t size;

    *filter = (struct filter){NULL, 0};
    if (!*path)
        return 0;
    fd = open_at(AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0)
        return fail(failure, "seccomp", fd, "open the seccomp filter %s: %s", path, strerror(-fd));
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
        status.st_size % (off_t)sizeof(struct sock_filter) ||
        status.st_size > (off_t)(BPF_MAXINSNS * sizeof(struct sock_filter)))
        return fail(failure, "seccomp", -EINVAL, "%s is not a seccomp filter of 1 to %d instructions", path,
                    BPF_MAXINSNS);
    filter->instruction = malloc((size_t)status.st_size);
    if (!filter->instruction)
        return fail(failure, "seccomp", -ENOMEM, "no memory for the seccomp filter");
    size = read(fd, filter->instruction, (size_t)status.st_size);
    if (size != status.st_size) {
        filter_free(filter);
        return fail(failure, "seccomp", -EIO, "read the seccomp filter %s", path);
    }
    filter->count = (unsigned short)((size_t)size / sizeof(struct sock_filter));
    return 0;
}

int seccomp_load(const struct filter *filter)
{
    struct sock_fprog program = {.len = filter->count, .filter = filter->instruction};

    if (!filter->count)
        return 0;
    return (int)checked(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

void filter_free(struct filter *filter)
{
    free(filter->instruction);
    *filter = (struct filter){NULL, 0};
}
