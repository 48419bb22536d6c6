/* The verb init: a PID 1 that forwards signals to one child and reaps everything else, after krallin/tini. */
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static pid_t spawn(char **command, const sigset_t *mask)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid < 0 ? -errno : pid;
    setpgid(0, 0);                       /* a group of its own, in front on the terminal: Ctrl-C is for it */
    if (isatty(STDIN_FILENO)) {
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(STDIN_FILENO, getpgrp());
        signal(SIGTTOU, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    fprintf(stderr, "exec %s failed: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* Reaps all that ended. The exit code once the child was among them, else -1. */
static int reap(pid_t child)
{
    int status, code = -1;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return code;
}

int init_main(int argc, char **argv)
{
    static const int NOT_BLOCKED[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
    sigset_t all, before;
    pid_t child;
    int first = 1;

    while (first < argc && strcmp(argv[first], "--"))
        first++;
    if (first + 1 >= argc) {
        fputs("usage: init -- COMMAND ARGUMENT...\n", stderr);
        return 125;
    }
    sigfillset(&all);
    for (size_t i = 0; i < COUNT(NOT_BLOCKED); i++)
        sigdelset(&all, NOT_BLOCKED[i]);
    sigprocmask(SIG_SETMASK, &all, &before);
    child = spawn(argv + first + 1, &before);
    if (child < 0) {
        fprintf(stderr, "fork failed: %s\n", strerror((int)-child));
        return 126;
    }
    for (;;) {
        int number = sigwaitinfo(&all, NULL), code;

        if (number < 0)
            continue;                    /* EINTR: stopped and continued */
        if (number != SIGCHLD) {
            kill(child, number);
            continue;
        }
        code = reap(child);
        if (code >= 0)
            return code;
    }
}
