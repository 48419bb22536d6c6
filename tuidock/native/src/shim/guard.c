/* The verb guard: gives a terminal back when the app that had it was killed and could not do so itself.
 *
 * Descriptor 0 is the terminal, 3 a pipe on which the app says `t` when it has taken the terminal and `r` when it has given
 * it back. The pipe ends with the app, before its shell hears of that, so the shell finds an ordinary terminal - but on a busy
 * machine, where the shell may be the first to run and its prompt goes with the other screen: Enter brings another. In a
 * session of its own no key and no hang-up reaches this process, and changing the terminal is no matter of job control.
 */
#include "shim.h"

#include <errno.h>
#include <termios.h>

enum { PIPE = 3 };

/* Everything that the app may have turned on, and the ordinary screen, as tuidock/app/first/terminal.py has it; then what
 * has happened. In one write, as the shell would come between two when the terminal is behind. */
static const char LEAVE[] =
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?2026l\x1b[<u\x1b[?7h\x1b[0m"
    "\x1b[2J\x1b[?1049l\x1b[?25h\rtuidock was killed; containers go on.\r\n";

/* The flags as they were before the app, in the order of struct termios. */
static void restore(char **flag)
{
    struct termios terminal;

    if (tcgetattr(STDIN_FILENO, &terminal) < 0)
        return;
    terminal.c_iflag = (tcflag_t)strtoul(flag[0], NULL, 10);
    terminal.c_oflag = (tcflag_t)strtoul(flag[1], NULL, 10);
    terminal.c_cflag = (tcflag_t)strtoul(flag[2], NULL, 10);
    terminal.c_lflag = (tcflag_t)strtoul(flag[3], NULL, 10);
    terminal.c_cc[VMIN] = 1;
    terminal.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal);    /* first: the write waits for a terminal that is behind */
    write_all(STDIN_FILENO, LEAVE, sizeof LEAVE - 1);
}

int guard_main(int argc, char **argv)
{
    bool taken = false;
    char word;
    ssize_t got;

    if (argc != 6)
        return 125;
    while ((got = read(PIPE, &word, 1)) != 0) {
        if (got < 0 && errno != EINTR)
            return 1;
        if (got > 0)
            taken = word == 't';
    }
    if (taken)
        restore(argv + 2);
    return 0;
}
