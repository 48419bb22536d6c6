/* The verb exec: one more command in a running container, by the client itself; no shim has to learn anything for it. */
#include "launch.h"
#include "kernel.h"
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#define PIDFD_GET_INFO_ 0xC040FF0Bu      /* Linux 6.13; its exit status 6.15 */
#define PIDFD_INFO_EXIT_ 8u
#define HANG_UP_MS 3000

struct options {
    const char *container_dir, *run_dir, *user, *cwd, *keys;
    bool stdin_open, tty, detach, privileged;
    struct list env, arg, layer;             /* layer: of another image, whose programs are the root; none: the container's */
};

static int usage(void)
{
    fputs("usage: tuidock-shim exec CDIR RUNDIR [-i] [-t] [-d] [-e K=V]* [-w DIR] [-u USER] [--privileged] "
          "[--detach-keys SEQ] [--layer DIR]* -- CMD ARG...\n", stderr);
    return 125;
}

static int options_parse(int argc, char **argv, struct options *options)
{
    int i = 4;

    if (argc < 6)
        return -EINVAL;
    *options = (struct options){.container_dir = argv[2], .run_dir = argv[3], .keys = "ctrl-p,ctrl-q"};
    options->env.item = calloc((size_t)argc, sizeof *options->env.item);
    options->layer.item = calloc((size_t)argc, sizeof *options->layer.item);
    if (!options->env.item || !options->layer.item)
        return -ENOMEM;
    for (; i < argc && strcmp(argv[i], "--"); i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        const struct { const char *name; const char **value; } valued[] = {
            {"-w", &options->cwd}, {"-u", &options->user}, {"--detach-keys", &options->keys}};
        const struct { const char *name; bool *flag; } flags[] = {
            {"-i", &options->stdin_open}, {"-t", &options->tty}, {"-d", &options->detach},
            {"--privileged", &options->privileged}};
        bool known = false;

        for (size_t j = 0; j < COUNT(flags); j++)
            if (!strcmp(option, flags[j].name))
                known = *flags[j].flag = true;
        for (size_t j = 0; !known && value && j < COUNT(valued); j++)
            if (!strcmp(option, valued[j].name)) {
                *valued[j].value = value;
                known = true;
                i++;
            }
        if (!known && value && (!strcmp(option, "-e") || !strcmp(option, "--layer"))) {
            struct list *list = option[1] == 'e' ? &options->env : &options->layer;
            list->item[list->count++] = argv[++i];
            known = true;
        }
        if (!known)
            return -EINVAL;
    }
    if (i + 1 >= argc)
        return -EINVAL;
    options->arg = (struct list){argv + i + 1, (size_t)(argc - i - 1)};
    return 0;
}

/* ---- environment ------------------------------------------------------------------------------------------------- */

static void put_variable(struct list *env, char *variable)
{
    size_t name = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < env->count; i++)
        if (!strncmp(env->item[i], variable, name)) {
            env->item[i] = variable;
            return;
        }
    env->item[env->count++] = variable;
}

/* The container's own, with -t a TERM, and what the caller gave; room is left for HOME. */
static int make_environment(const struct record *record, const struct options *options, struct list *env)
{
    static char TERMINAL[] = "TERM=xterm";
    bool has_term = false;

    env->item = calloc(record->env.count + options->env.count + 3, sizeof *env->item);
    if (!env->item)
        return -ENOMEM;
    for (size_t i = 0; i < record->env.count; i++) {
        has_term |= !strncmp(record->env.item[i], "TERM=", 5);
        env->item[env->count++] = record->env.item[i];
    }
    if (options->tty && !has_term)
        env->item[env->count++] = TERMINAL;
    for (size_t i = 0; i < options->env.count; i++)
        put_variable(env, options->env.item[i]);
    return 0;
}

/* ---- the container ----------------------------------------------------------------------------------------------- */

static int open_running(const struct record *record, int run_dir)
{
    cleanup_free struct pids *pids = malloc(sizeof *pids);
    char boot[sizeof pids->boot];
    int pidfd;

    if (!pids || pid_read(run_dir, pids) < 0 || boot_id(boot, sizeof boot) < 0 || strcmp(boot, pids->boot))
        pidfd = -ESRCH;
    else
        pidfd = pidfd_open_(pids->init);
    if (pidfd >= 0 && process_start_time(pids->init) != pids->init_start) {     /* looked at once the pidfd is held */
        close(pidfd);
        pidfd = -ESRCH;
    }
    if (pidfd < 0)
        fprintf(stderr, "Error: container %s is not running\n", record->name);
    return pidfd;
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 255;
    return exit_code(status);
}

/* Reaped at once: as a zombie it would keep the container's pid namespace from ending. */
static void give_up(struct entered *entered)
{
    close_fd(&entered->go);
    if (entered->pid > 0)
        wait_for(entered->pid);
}

/* docker's words and its codes: 127 for what is not there, 126 for what cannot be started, 125 for the engine's own. */
static int report(const struct failure *failure)
{
    bool missing = !strcmp(failure->step, "exec-notfound") || (!strcmp(failure->step, "cwd") && failure->error == ENOENT);
    bool command = missing || !strncmp(failure->step, "exec", 4) || !strcmp(failure->step, "cwd");

    if (command)
        fprintf(stderr, "OCI runtime exec failed: exec failed: unable to start container process: %s: unknown\n",
                failure->text);
    else
        fprintf(stderr, "Error: %s\n", failure->text);
    return missing ? 127 : command || !strcmp(failure->step, "user") ? 126 : 125;
}

/* The exit status of a process that is not our child, -1 when the kernel does not tell. */
static int foreign_exit(int pidfd)
{
    struct { uint64_t mask, cgroup; uint32_t pid, tgid, ppid, id[8]; int32_t exit_code; } info = {.mask = PIDFD_INFO_EXIT_};
    _Static_assert(sizeof info == 64, "the first version of struct pidfd_info");

    if (ioctl(pidfd, PIDFD_GET_INFO_, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_))
        return -1;
    return exit_code(info.exit_code);
}

static void leave_foreground(void)
{
    int null = open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);

    setsid();
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (chdir("/") < 0)
        return;
}

/* After the detach keys: somebody must hold the terminal and read it, or the command would stop or get SIGHUP. */
static void hold_terminal(const struct exec_told *told, int master, int pidfd)
{
    char bytes[4096];
    struct pollfd ends[2] = {{pidfd, POLLIN, 0}, {master, POLLIN, 0}};

    leave_foreground();
    while (!ends[0].revents) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR)
            break;
        if (ends[1].revents && read(master, bytes, sizeof bytes) < 0 && errno == EIO)
            ends[1].fd = -1;
    }
    exec_die_journal(told, foreign_exit(pidfd));
}

/* As when a line is cut: the terminal goes, which sends SIGHUP to all that is on it; who stays is killed. */
static int hang_up(struct entered *entered)
{
    struct pollfd end = {entered->pidfd, POLLIN, 0};

    close_fd(&entered->terminal);
    pidfd_signal_(entered->pidfd, SIGHUP);
    pidfd_signal_(entered->pidfd, SIGCONT);
    if (poll(&end, 1, HANG_UP_MS) <= 0)
        pidfd_signal_(entered->pidfd, SIGKILL);
    return wait_for(entered->pid);
}

/* Signals that are passed on wait in a signalfd from here on; the command resets its own mask. */
static void block_signals(void)
{
    static const int PASSED_ON[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(PASSED_ON); i++)
        sigaddset(&set, PASSED_ON[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static int run(const struct record *record, const struct options *options, int container, int told)
{
    struct failure failure = {.error = 0};
    struct process process = {.record = record, .arg = &options->arg, .init_exe = -1, .status = -1,
                              .user = options->user ? options->user : record->user,
                              .cwd = options->cwd ? options->cwd : record->cwd,
                              .caps = options->privileged ? ~0ULL : record->caps, .owns_stdio = options->tty};
    struct stdio stdio;
    struct entry entry = {.record = record, .process = &process, .stdio = &stdio, .container = container, .cgroup = -1,
                          .tty = options->tty, .foreground = !options->detach, .other_root = -1};
    struct entered entered;
    struct relay_ends ends;
    struct keys keys;
    struct message message;
    struct exec_told exec = {.record = record, .command = &options->arg};
    int rc, code;
    cleanup_close int owner = told < 0 ? stream_owner() : -1;

    if (owner == -ESRCH)
        return 129;
    if (keys_parse(options->keys, &keys) < 0) {
        fprintf(stderr, "Error: invalid detach keys (%s)\n", options->keys);
        return 125;
    }
    if (make_environment(record, options, &process.env) < 0) {
        fputs("Error: no memory for the command\n", stderr);
        return 125;
    }
    if (exec_streams(options->stdin_open, options->tty, options->detach, &stdio, &ends, &failure) < 0)
        return report(&failure);
    rc = seccomp_read(record->seccomp, &process.filter, &failure);
    if (rc == 0 && record->cgroup_v2 && record->cgroups) {
        entry.cgroup = rc = open_at(AT_FDCWD, record->cgroup[0].directory, O_DIRECTORY | O_RDONLY, 0);
        if (rc < 0)
            fail(&failure, "cgroup", rc, "open %s: %s", record->cgroup[0].directory, strerror(-rc));
    }
    if (rc < 0)
        return report(&failure);
    if (options->layer.count && (rc = entry.other_root = debug_prepare(record, &options->layer, &failure)) < 0)
        return report(&failure);
    exec_journal(&exec, "exec_create");
    rc = exec_enter(&entry, &entered, &failure);
    if (rc < 0) {
        give_up(&entered);
        return report(&failure);
    }
    exec_streams_given(&stdio);
    if (entered.terminal >= 0)
        stream_copy_size(entered.terminal);      /* before the command can ask */
    exec_journal(&exec, "exec_start");
    if (write_all(entered.go, "g", 1) < 0)
        return 125;
    close(entered.go);
    entered.go = -1;
    if (message_receive(entered.status, &message, NULL) > 0) {
        give_up(&entered);
        code = report(&message.failure);
        exec_die_journal(&exec, code);
        return code;
    }
    /* the status socket stays open: its end tells a command that began meanwhile that its client is gone */
    if (options->tty)
        ends = (struct relay_ends){options->stdin_open ? entered.terminal : -1, entered.terminal, -1, true};
    if (told >= 0) {
        write_all(told, "\0", 1);
        leave_foreground();
        if (options->tty) {
            hold_terminal(&exec, entered.terminal, entered.pidfd);
            return 0;
        }
    } else if ((rc = stream_run(&ends, &keys, entered.pidfd, owner)) == STREAM_DETACHED) {
        pid_t holder = fork();
        if (holder == 0) {
            hold_terminal(&exec, entered.terminal, entered.pidfd);
            _exit(0);
        }
        exec_detach_journal(&exec);
        fputs("read escape sequence\n", stderr);
        return holder < 0 ? 125 : 1;
    }
    code = told < 0 && rc == STREAM_ABANDONED ? hang_up(&entered) : wait_for(entered.pid);
    exec_die_journal(&exec, code);
    return code;
}

/* -d: the command gets a parent of its own, which stays; this process only hears whether it could be started. */
static int run_detached(const struct record *record, const struct options *options, int container)
{
    int told[2];
    unsigned char code = 125;
    pid_t parent;

    if (pipe2(told, O_CLOEXEC) < 0)
        return 125;
    parent = fork();
    if (parent == 0) {
        int failed;
        close(told[0]);
        failed = run(record, options, container, told[1]);
        write_all(told[1], &(unsigned char){(unsigned char)failed}, 1);
        _exit(failed);
    }
    close(told[1]);
    if (parent > 0)
        while (read(told[0], &code, 1) < 0 && errno == EINTR)
            continue;
    close(told[0]);
    return code;
}

int exec_main(int argc, char **argv)
{
    struct options options;
    struct record record;
    struct failure failure = {.error = 0};
    cleanup_close int container_dir = -1, run_dir = -1, container = -1;

    if (options_parse(argc, argv, &options) < 0)
        return usage();
    container_dir = open_at(AT_FDCWD, options.container_dir, O_PATH | O_DIRECTORY, 0);
    if (container_dir < 0 || record_read(&record, container_dir, &failure) < 0) {
        fprintf(stderr, "Error: %s\n", container_dir < 0 ? "there is no such container" : failure.text);
        return 125;
    }
    run_dir = open_at(AT_FDCWD, options.run_dir, O_PATH | O_DIRECTORY, 0);
    container = open_running(&record, run_dir);
    if (container < 0)
        return 1;
    if (cgroup_frozen(&record)) {
        fprintf(stderr, "Error: container %s is paused, unpause the container before exec\n", record.name);
        return 1;
    }
    if (options.tty && options.stdin_open && !options.detach && !isatty(STDIN_FILENO)) {
        fputs("the input device is not a TTY\n", stderr);
        return 1;
    }
    block_signals();
    return options.detach ? run_detached(&record, &options, container) : run(&record, &options, container, -1);
}
