/* The monitor's side of the resolver (dns.c): its sockets in the container's network, its process, and a new one when it
 * was killed. The sockets stay here meanwhile, so a question waits and is not lost.
 *
 * Inside, port 53 of 127.0.0.11 leads to where it listens by a rule of nftables, as docker does it: a name server in the
 * container can have port 53 of every address.
 */
#include "stay.h"
#include "dns.h"
#include "kernel.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define ADDRESS_INSIDE 0x7f00000bu             /* 127.0.0.11 */
#define AGAIN_NS 100000000ull                  /* after a resolver that lived for less than this */

enum { PORT_TRIES = 16 };

/* The network id, or NULL at the end. */
static const char *next_network(DIR *listed)
{
    struct dirent *entry;
    while ((entry = readdir(listed)))
        if (strlen(entry->d_name) == 64 && strspn(entry->d_name, "0123456789abcdef") == 64)
            return entry->d_name;
    return NULL;
}

static DIR *own_networks(const struct monitor *monitor)
{
    int fd = open_at(monitor->run_dir, "net", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    DIR *listed = fd < 0 ? NULL : fdopendir(fd);
    if (!listed && fd >= 0)
        close(fd);
    return listed;
}

static bool is_wanted(const struct monitor *monitor)
{
    DIR *listed = own_networks(monitor);
    bool wanted = listed && next_network(listed);
    if (listed)
        closedir(listed);
    return wanted;
}

static int bound(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = *port, .sin_addr.s_addr = htonl(ADDRESS_INSIDE)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0 || (type == SOCK_STREAM && listen(fd, 32) < 0)) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    *port = address.sin_port;
    return fd;
}

/* UDP and TCP on one port; the calling process is in the container's network namespace. */
static int listen_inside(struct resolver_watch *resolver, uint16_t *port)
{
    int rc = -EADDRINUSE;

    for (int i = 0; i < PORT_TRIES && rc == -EADDRINUSE; i++) {
        *port = 0;
        resolver->udp = bound(SOCK_DGRAM, port);
        if (resolver->udp < 0)
            return resolver->udp;
        rc = resolver->tcp = bound(SOCK_STREAM, port);
        if (rc < 0)
            close_fd(&resolver->udp), resolver->udp = -1;
    }
    return rc < 0 ? rc : 0;
}

int resolver_prepare(struct monitor *monitor, struct failure *failure)
{
    struct resolver_watch *resolver = &monitor->resolver;
    cleanup_close int own = -1;
    uint16_t port;
    int rc;

    if (monitor->netns < 0 || resolver->udp >= 0 || !is_wanted(monitor))
        return 0;
    own = open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY, 0);
    if (own < 0 || checked(syscall(SYS_setns, monitor->netns, CLONE_NEWNET)) < 0)
        return fail(failure, "network", own < 0 ? own : -errno, "enter the network of the container for its resolver");
    rc = listen_inside(resolver, &port);
    if (rc == 0)
        rc = nft_redirect_names(ADDRESS_INSIDE, port);
    if (checked(syscall(SYS_setns, own, CLONE_NEWNET)) < 0)
        _exit(125);                            /* in the wrong namespace nothing more may be done */
    if (rc < 0) {
        resolver_stop(monitor);
        return fail(failure, "network", rc, "make the resolver of the container's network: %s", strerror(-rc));
    }
    return 0;
}

static void resolver_died(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    struct resolver_watch *resolver = &monitor->resolver;
    bool early = ticks_ns() - resolver->began < AGAIN_NS;

    (void)events;
    watch_close(monitor, watch);
    close_fd(&resolver->alive);
    resolver->alive = -1;
    waitpid(resolver->pid, NULL, WNOHANG);
    resolver->pid = 0;
    if (early)
        monitor->deadline[TIMER_RESOLVER] = ticks_ns() + AGAIN_NS;
    else
        resolver_start(monitor);
}

void resolver_start(struct monitor *monitor)
{
    struct resolver_watch *resolver = &monitor->resolver;
    cleanup_close int own = -1, zones = -1;
    int alive[2];

    if (resolver->udp < 0 || resolver->pid)
        return;
    own = open_at(monitor->run_dir, "net", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    zones = open_at(monitor->run_dir, "../../n", O_RDONLY | O_DIRECTORY, 0);
    if (own < 0 || zones < 0 || pipe2(alive, O_CLOEXEC) < 0) {
        monitor->deadline[TIMER_RESOLVER] = ticks_ns() + AGAIN_NS;
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        const int kept[] = {resolver->udp, resolver->tcp, own, zones, alive[0]};
        int moved[COUNT(kept)];
        for (size_t i = 0; i < COUNT(kept); i++)
            moved[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 1000);
        for (int i = 0; i < (int)COUNT(kept); i++)
            if (dup3(moved[i], 3 + i, O_CLOEXEC) < 0)
                _exit(1);
        syscall(SYS_close_range, 3 + COUNT(kept), ~0u, 0);
        dns_serve(3, 4, 5, 6, 7);
    }
    close(alive[0]);
    resolver->alive = alive[1];
    if (child < 0) {
        close_fd(&resolver->alive);
        resolver->alive = -1;
        monitor->deadline[TIMER_RESOLVER] = ticks_ns() + AGAIN_NS;
        return;
    }
    resolver->pid = child;
    resolver->began = ticks_ns();
    resolver->watch = (struct watch){pidfd_open_(child), 0, resolver_died};
    watch_set(monitor, &resolver->watch, EPOLLIN);
}

void resolver_stop(struct monitor *monitor)
{
    struct resolver_watch *resolver = &monitor->resolver;

    monitor->deadline[TIMER_RESOLVER] = 0;
    watch_close(monitor, &resolver->watch);
    close_fd(&resolver->alive);                /* which is how it learns that nobody looks after it */
    close_fd(&resolver->udp);
    close_fd(&resolver->tcp);
    resolver->alive = resolver->udp = resolver->tcp = -1;
    resolver->pid = 0;
}

/* Takes the container's names away, which the engine has written. */
void resolver_leave(struct monitor *monitor)
{
    DIR *listed = own_networks(monitor);
    const char *id;

    while (listed && (id = next_network(listed))) {
        char path[2 * 64 + 16];
        snprintf(path, sizeof path, "../../n/%s/%s", id, monitor->record.id);
        unlinkat(monitor->run_dir, path, 0);
        unlinkat(dirfd(listed), id, 0);
    }
    if (listed)
        closedir(listed);
}

void resolver_look(struct monitor *monitor)
{
    struct failure failure;
    if (!is_wanted(monitor))
        resolver_stop(monitor);                /* it has left its last network with names; resolv.conf names others now */
    else if (monitor->running && resolver_prepare(monitor, &failure) >= 0)
        resolver_start(monitor);
}
