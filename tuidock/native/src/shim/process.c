/* From "root inside the namespaces" to the program of the container: limits, working directory, identity, capabilities,
 * seccomp, execve. Start and exec both end here, so that neither can be laxer than the other.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef CLOSE_RANGE_FIRST
#define CLOSE_RANGE_FIRST 3
#endif

void signals_reset(void)
{
    /* the system calls themselves, since libc keeps signals 32 to 34 to itself and would leave them as inherited */
    static const uint64_t DEFAULT[8], NONE;

    for (int number = 1; number <= 64; number++)
        syscall(SYS_rt_sigaction, number, DEFAULT, NULL, sizeof NONE);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &NONE, NULL, sizeof NONE);
}

int process_limits(const struct record *record, int proc, struct failure *failure)
{
    char text[16], current[16];
    int rc;

    for (size_t i = 0; i < record->limits; i++) {
        const struct limit *limit = &record->limit[i];
        struct rlimit wanted = {limit->soft, limit->hard}, now;

        if (!limit->by_user && getrlimit((unsigned)limit->resource, &now) == 0) {  /* a default is no reason to fail */
            if (wanted.rlim_max > now.rlim_max)
                wanted.rlim_max = now.rlim_max;
            if (wanted.rlim_cur > wanted.rlim_max)
                wanted.rlim_cur = wanted.rlim_max;
        }
        if (setrlimit((unsigned)limit->resource, &wanted) < 0)
            return fail(failure, "rlimit", -errno, "error setting rlimit type %d: %s", limit->resource,
                        errno == EPERM ? "operation not permitted" : strerror(errno));
    }
    snprintf(text, sizeof text, "%d", record->oom_score_adj);
    if (read_file_at(proc, "self/oom_score_adj", current, sizeof current) > 0 && atoi(current) == record->oom_score_adj)
        return 0;
    rc = write_file_at(proc, "self/oom_score_adj", text);
    return rc < 0 ? fail(failure, "rlimit", rc, "set oom_score_adj to %s: %s", text, strerror(-rc)) : 0;
}

int process_resolve(struct process *process, int root, struct failure *failure)
{
    bool has_home = false;
    int rc = user_resolve(root, process->user, &process->record->group_add, &process->identity, failure);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < process->env.count; i++)
        has_home |= !strncmp(process->env.item[i], "HOME=", 5);
    if (!has_home) {
        snprintf(process->home, sizeof process->home, "HOME=%s", process->identity.home);
        process->env.item[process->env.count++] = process->home;      /* the maker of the array left room for two */
        process->env.item[process->env.count] = NULL;
    }
    return 0;
}

bool is_null(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

/* 0, 1 and 2, with the terminal as the controlling one. Descriptors that lie there already are moved away first. */
int process_stdio(const struct stdio *stdio, int slave, struct failure *failure)
{
    int source[3] = {stdio->in, stdio->out, stdio->err};

    if (slave >= 0) {
        source[0] = source[1] = source[2] = slave;
        if (ioctl(slave, TIOCSCTTY, 0) < 0)
            return fail(failure, "device", -errno, "make the terminal the controlling one: %s", strerror(errno));
    }
    for (int fd = 0; fd < 3; fd++) {
        if (source[fd] < 0)
            return fail(failure, "exec", -EBADF, "standard stream %d is not given", fd);
        if (source[fd] < 3) {
            source[fd] = fcntl(source[fd], F_DUPFD_CLOEXEC, 3);
            if (source[fd] < 0)
                return fail(failure, "exec", -errno, "prepare standard stream %d: %s", fd, strerror(errno));
        }
    }
    for (int fd = 0; fd < 3; fd++)
        if (dup2(source[fd], fd) < 0)
            return fail(failure, "exec", -errno, "prepare standard stream %d: %s", fd, strerror(errno));
    return 0;
}

/* FIFOs and terminals become the user's, so that opening /dev/stdout works; /dev/null and files stay what they are. */
static void own_stdio(const struct identity *identity)
{
    for (int fd = 0; fd <= 2; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && status.st_uid != identity->uid && (S_ISFIFO(status.st_mode) || isatty(fd)) &&
            fchown(fd, identity->uid, (gid_t)-1) < 0)
            continue;                    /* a pipe of an exec's caller may refuse: then only re-opening fails */
    }
}

/* The working directory is made when missing: inside the container (CVE-2026-55686), and by no magic link, since
 * /proc/self/fd still leads to directories of the host (CVE-2024-21626). */
int process_make_cwd(const struct process *process, int root, struct failure *failure)
{
    cleanup_close int directory = target_open(root, process->cwd, false);

    if (directory >= 0 || directory == -ENOTDIR || directory == -ELOOP || directory == -EACCES ||
        directory == -ENAMETOOLONG || directory == -EINVAL)
        return 0;                        /* what is wrong with it is told when it is entered */
    return fail(failure, "cwd", directory, "mkdir %s: %s", process->cwd, strerror(-directory));
}

/* Closed, and not just marked: execve would still find the host by /proc/self/fd in the name of the command, and a
 * program of the host is then overwritten by /proc/self/exe (CVE-2024-21626, CVE-2019-5736). */
static int close_all_but(int one, int other)
{
    unsigned from = CLOSE_RANGE_FIRST;
    const int keep[] = {one < other ? one : other, one < other ? other : one};

    for (size_t i = 0; i < COUNT(keep); i++) {
        if (keep[i] < (int)from)
            continue;
        if ((unsigned)keep[i] > from && checked(syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0)) < 0)
            return -errno;
        if (fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
            return -errno;
        from = (unsigned)keep[i] + 1;
    }
    return checked(syscall(SYS_close_range, from, ~0u, 0)) < 0 ? -errno : 0;
}

static int enter_cwd(const struct process *process, bool last_try, struct failure *failure)
{
    char now[4096];
    int rc = chdir(process->cwd) < 0 ? -errno : 0;

    if ((rc == -EACCES || rc == -EPERM) && !last_try)
        return 1;                                             /* the user may be allowed where root is not (NFS) */
    if (rc < 0)
        return fail(failure, "cwd", rc, "chdir to cwd (\"%s\") set in config.json failed: %s", process->cwd,
                    rc == -ENOENT ? "no such file or directory" : rc == -ENOTDIR ? "not a directory"
                    : rc == -EACCES ? "permission denied" : strerror(-rc));
    /* A leaked directory descriptor of the host must not become the working directory (CVE-2024-21626). The system call
     * itself, since libc hides what the kernel says of a directory outside of the root. */
    if (checked(syscall(SYS_getcwd, now, sizeof now)) < 0 || *now != '/')
        return fail(failure, "cwd", -EPERM, "current working directory is outside of container mount namespace root -- "
                    "possible container breakout detected");
    return 0;
}

static bool is_executable(const char *path, int *why)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        *why = errno;
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        *why = EISDIR;
        return false;
    }
    if (access(path, X_OK) < 0 || !(status.st_mode & 0111)) {
        *why = EACCES;
        return false;
    }
    return true;
}

/* The file that will be executed, found as the container's user and in the container's PATH. */
static int find_executable(struct process *process, struct failure *failure)
{
    const char *name = process->arg->item[0], *search = "";
    int why = ENOENT;

    if (strchr(name, '/')) {
        if ((size_t)snprintf(process->path, sizeof process->path, "%s", name) >= sizeof process->path)
            return fail(failure, "exec-notfound", -ENAMETOOLONG, "exec: \"%.200s...\": file name too long", name);
        if (is_executable(name, &why))
            return 0;
        if (why == EISDIR)
            return fail(failure, "exec-permission", -EISDIR, "exec: \"%s\": is a directory", name);
        if (why == EACCES)
            return fail(failure, "exec-permission", -EACCES, "exec: \"%s\": permission denied", name);
        return fail(failure, "exec-notfound", -why, "exec: \"%s\": stat %s: %s", name, name,
                    why == ENOENT ? "no such file or directory" : why == ENOTDIR ? "not a directory" : strerror(why));
    }
    for (size_t i = 0; i < process->env.count; i++)
        if (!strncmp(process->env.item[i], "PATH=", 5))
            search = process->env.item[i] + 5;
    while (*name && *search) {
        size_t length = strcspn(search, ":");
        int size = snprintf(process->path, sizeof process->path, "%.*s%s%s", (int)length, search,
                            length ? "/" : "./", name);
        if (size > 0 && (size_t)size < sizeof process->path && is_executable(process->path, &why))
            return 0;
        search += length + (search[length] == ':');
    }
    return fail(failure, "exec-notfound", -ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

static int execute(const struct process *process, struct failure *failure)
{
    int rc;

    if (process->init_exe >= 0) {
        const struct list *arg = process->arg;
        char **init = calloc(arg->count + 3, sizeof *init);
        if (!init)
            return fail(failure, "exec", -ENOMEM, "no memory for the arguments");
        init[0] = (char[]){"init"};
        init[1] = (char[]){"--"};
        memcpy(init + 2, arg->item, arg->count * sizeof *init);
        syscall(SYS_execveat, process->init_exe, "", init, process->env.item, AT_EMPTY_PATH);
        rc = -errno;
        free(init);
        return fail(failure, "exec", rc, "execute the init process: %s", strerror(-rc));
    }
    execve(process->path, process->arg->item, process->env.item);
    rc = -errno;
    if (rc == -EACCES || rc == -EPERM)
        return fail(failure, "exec-permission", rc, "exec: \"%s\": permission denied", process->path);
    if (rc == -ENOENT)                   /* it is there, but its interpreter or loader is not */
        return fail(failure, "exec-notfound", rc, "exec %s: no such file or directory", process->path);
    return fail(failure, "exec", rc, "exec %s: %s", process->path, rc == -ENOEXEC ? "exec format error" : strerror(-rc));
}

/* Changing the identity keeps the permitted set, so that seccomp can be loaded as the last act but one: the fewest
 * system calls stand under a filter that may deny them. */
static int change_identity(const struct process *process, struct failure *failure)
{
    const struct identity *identity = &process->identity;

    /* a user namespace that maps one group alone denies it, so that nobody sheds a group that forbids something */
    if (setgroups(identity->groups, identity->group) < 0 && !(process->record->in_userns && errno == EPERM))
        return fail(failure, "user", -errno, "set the groups: %s", strerror(errno));
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return fail(failure, "user", -errno, "become uid %u gid %u: %s", identity->uid, identity->gid,
                    errno == EINVAL ? "the user namespace does not map it" : strerror(errno));
    return 0;
}

/* A foreground exec ends with its client. Asked for after the identity changed, which clears it, and then looked whether
 * the client had died before. */
static bool launcher_lives(int socket)
{
    char byte;
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && recv(socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
}

int process_become(struct process *process, struct failure *failure)
{
    const struct record *record = process->record;
    uint64_t permitted = caps_permitted();
    uint64_t keep = process->caps & permitted;       /* what the engine itself lacks it cannot give */
    uint64_t final = process->identity.uid == 0 ? keep : 0;
    int rc, cwd;

    rc = close_all_but(process->status, process->init_exe);
    if (rc < 0)
        return fail(failure, "exec", rc, "close what is the host's: %s", strerror(-rc));
    if (process->owns_stdio)
        own_stdio(&process->identity);
    if (!process->filter.count)          /* else keyctl is denied; the caller's session may hold keys of the host */
        syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    umask(record->umask);
    cwd = enter_cwd(process, false, failure);
    if (cwd < 0)
        return cwd;
    rc = caps_limit_bounding(keep);
    if (rc < 0)
        return fail(failure, "caps", rc, "limit the bounding set: %s", strerror(-rc));
    rc = change_identity(process, failure);
    if (rc < 0)
        return rc;
    if (process->ends_with_launcher && !launcher_lives(process->status))
        _exit(255);
    rc = caps_set(final, permitted);                 /* look up the command with the rights it will have */
    if (rc < 0)
        return fail(failure, "caps", rc, "set capabilities: %s", strerror(-rc));
    if (cwd > 0 && (rc = enter_cwd(process, true, failure)) < 0)
        return rc;
    rc = find_executable(process, failure);
    if (rc < 0)
        return rc;
    if (record->no_new_privs) {
        rc = caps_set(final, final);
        if (rc < 0)
            return fail(failure, "caps", rc, "set capabilities: %s", strerror(-rc));
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            return fail(failure, "caps", -errno, "set no_new_privs: %s", strerror(errno));
        rc = seccomp_load(&process->filter);
        if (rc < 0)
            return fail(failure, "seccomp", rc, "load the seccomp filter: %s", strerror(-rc));
    } else {
        rc = caps_set(final | 1ULL << CAP_SYS_ADMIN, permitted);      /* without no_new_privs loading asks for it */
        if (rc == 0)
            rc = seccomp_load(&process->filter);
        if (rc < 0)
            return fail(failure, "seccomp", rc, "load the seccomp filter: %s", strerror(-rc));
        rc = caps_set(final, final);
        if (rc < 0)
            return fail(failure, "caps", rc, "set capabilities: %s", strerror(-rc));
    }
    return execute(process, failure);
}
