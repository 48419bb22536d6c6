/* What a container tries: system calls by all doors of the machine, sockets of odd families, its session keyring, a file that must not be written.
 *
 * Prints `WORD NAME ERRNO` lines; 0 says that the kernel did it. Static, so that it runs in any root file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
static long by_int80(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
#endif

static void tell(const char *door, const char *name, long result)
{
    printf("%s %s %ld\n", door, name, result < 0 && result > -4096 ? -result : 0);
}

static long native(long number, long a, long b, long c)
{
    long result = syscall(number, a, b, c);
    return result < 0 ? -errno : result;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; long number, old, a; } CALLS[] = {
        {"unshare", SYS_unshare, 310, 0x10000000}, {"mount", SYS_mount, 21, 0}, {"keyctl", SYS_keyctl, 288, 0},
        {"add_key", SYS_add_key, 286, 0}, {"bpf", SYS_bpf, 357, 0}, {"setns", SYS_setns, 346, -1},
        {"init_module", SYS_init_module, 128, 0}, {"reboot", SYS_reboot, 88, 0}, {"swapon", SYS_swapon, 87, 0},
        {"kexec_load", SYS_kexec_load, 283, 0}, {"userfaultfd", SYS_userfaultfd, 374, 0},
        {"perf_event_open", SYS_perf_event_open, 336, 0}, {"open_by_handle_at", SYS_open_by_handle_at, 342, -1},
        {"pivot_root", SYS_pivot_root, 217, 0},
    };

    static const struct { const char *name; int family; } FAMILIES[] = {
        {"unix", AF_UNIX}, {"inet", AF_INET}, {"alg", 38}, {"vsock", 40},
    };

    for (size_t i = 0; argc == 2 && !strcmp(argv[1], "calls") && i < sizeof CALLS / sizeof *CALLS; i++) {
        tell("native", CALLS[i].name, native(CALLS[i].number, CALLS[i].a, 0, 0));
#if defined(__x86_64__)
        tell("int80", CALLS[i].name, by_int80(CALLS[i].old, CALLS[i].a, 0, 0));
        tell("x32", CALLS[i].name, native(0x40000000 | CALLS[i].number, CALLS[i].a, 0, 0));
#endif
    }
    if (argc == 2 && !strcmp(argv[1], "sockets"))
        for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
            tell("socket", FAMILIES[i].name, native(SYS_socket, FAMILIES[i].family, SOCK_STREAM, 0));
    if (argc == 2 && !strcmp(argv[1], "session"))
        printf("%ld\n", syscall(SYS_keyctl, 0, -3, 0));
    return 0;
}
