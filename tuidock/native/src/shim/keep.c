/* The verb keep: a process that does nothing, in the user namespace of somebody who is not root.
 *
 * The namespaces last as long as somebody is in them, and every later command of that user, every container too, has to
 * be in the same. So this one stays. Who calls it writes the id maps, which takes rights that are not to be had inside.
 * `keep inside` takes the place of one that was killed, in the namespaces of a container that still runs.
 */
#include "shim.h"
#include "kernel.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define TOLD_FD 3        /* `ready`, then `kept`, or `error ERRNO`, a line each */
#define MAPPED_FD 4      /* one byte when the maps are written; its end when they are not */

static int tell(const char *line) { return write_all(TOLD_FD, line, strlen(line)); }

static int refuse(void)
{
    char line[32];

    snprintf(line, sizeof line, "error %d\n", errno);
    tell(line);
    return 125;
}

int keep_main(int argc, char **argv)
{
    int null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);
    bool inside = argc == 3 && !strcmp(argv[2], "inside");
    char byte;

    if ((argc != 2 && !inside) || null < 0)
        return 125;
    if (!inside && syscall(SYS_unshare, CLONE_NEWUSER) < 0)
        return refuse();
    if (tell("ready\n") < 0 || read(MAPPED_FD, &byte, 1) != 1)
        return 125;
    /* the host's mounts go on coming in, since a less privileged mount namespace is a slave by itself */
    if (!inside && syscall(SYS_unshare, CLONE_NEWNS) < 0)
        return refuse();
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    setsid();
    prctl(PR_SET_NAME, "tuidock-keep");
    if (chdir("/") < 0 || tell("kept\n") < 0)
        return 125;
    syscall(SYS_close_range, 3, ~0u, 0);
    for (;;)
        pause();
}
