/* AppArmor: the profile that the coming execve changes to. */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* `proc` is a procfs that nothing of a container lies over. A write that a fake /proc had swallowed would leave the
 * container unconfined and say nothing (CVE-2019-16884), so the walk may neither leave it nor follow a link. */
int apparmor_confine(const struct record *record, int proc, struct failure *failure)
{
    static const char *const FILES[] = {"apparmor/exec", "exec"};      /* the first one since Linux 5.8 */
    char self[32], path[80], text[300];
    ssize_t size;
    int fd = -ENOENT, rc;

    if (!*record->apparmor)
        return 0;
    size = readlinkat(proc, "self", self, sizeof self - 1);
    if (size < 0)
        return fail(failure, "apparmor", -errno, "find this process in /proc: %s", strerror(errno));
    self[size] = 0;
    for (size_t i = 0; i < COUNT(FILES) && fd == -ENOENT; i++) {
        snprintf(path, sizeof path, "%s/attr/%s", self, FILES[i]);
        fd = openat2_(proc, path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    }
    snprintf(text, sizeof text, "exec %s", record->apparmor);
    rc = fd < 0 ? fd : write_all(fd, text, strlen(text));
    if (fd >= 0)
        close(fd);
    return rc < 0 ? fail(failure, "apparmor", rc, "apply the AppArmor profile %s: %s", record->apparmor,
                         rc == -ENOENT ? "it is not loaded, or the kernel is without AppArmor" : strerror(-rc)) : 0;
}
