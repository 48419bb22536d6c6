/* Somebody's `nft flush ruleset` takes our table along: isolation and masquerading end, and ports are relayed only.
 *
 * Every shim of a container with links listens for tables that go, by a socket filter that lets nothing else through, so
 * that the rules of others (and our own ports, which come and go all day) wake nobody. The first that gets the lock of the
 * run directory starts the command that makes the table anew; the others see that it is under way.
 */
#include "stay.h"
#include "launch.h"
#include "kernel.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Changes by others come in bursts (a reload flushes and fills): ours goes after them. */
#define SETTLE_NS 100000000ull

/* The type of the first message lies behind its length, in host order. A flush is told as chains, sets and tables that go,
 * several in one datagram, so any of these may be the first. */
static int filter_removals(int fd)
{
    static const uint16_t WANTED[] = {NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE, NFT_MSG_DELSET};
    struct sock_filter program[2 + COUNT(WANTED) + 1];
    struct sock_fprog filter = {.filter = program};
    size_t at = 0;

    program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type));
    for (size_t i = 0; i < COUNT(WANTED); i++) {
        uint16_t type = htons((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | WANTED[i]));      /* as a load sees it */
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, type, (uint8_t)(COUNT(WANTED) - i), 0);
    }
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ~0u);
    filter.len = (unsigned short)at;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

static void removals_ready(struct monitor *monitor, struct watch *watch, uint32_t events)
{
    char room[16384];
    (void)events;
    while (recv(watch->fd, room, sizeof room, MSG_DONTWAIT) > 0 || errno == ENOBUFS || errno == EINTR)
        errno = 0;
    monitor->deadline[TIMER_RULES] = ticks_ns() + SETTLE_NS;
}

void rules_watch(struct monitor *monitor)
{
    const int group = NFNLGRP_NFTABLES;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    struct watch *watch = &monitor->rules;

    if (watch->fd >= 0 || !monitor->record.interfaces || monitor->record.restore.count == 0)
        return;
    int fd = netlink_open(NETLINK_NETFILTER);
    if (fd < 0)
        return;                                /* then the next client notices */
    if (filter_removals(fd) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
        close(fd);
        return;
    }
    *watch = (struct watch){fd, 0, removals_ready};
    watch_set(monitor, watch, EPOLLIN);
}

/* The lock is inherited by the command, which so keeps all others from doing the same. */
void rules_look(struct monitor *monitor)
{
    char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    cleanup_close int lock = -1;

    if (nft_table_exists(monitor->record.nft_table))
        return;
    lock = open_at(monitor->run_dir, "../../rules.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
        monitor->deadline[TIMER_RULES] = ticks_ns() + 10 * SETTLE_NS;    /* whether the other one has done it */
        return;
    }
    if (fork() != 0)
        return;
    signals_reset();
    setsid();
    if (dup2(lock, 3) < 0)
        _exit(127);
    syscall(SYS_close_range, 4, ~0u, 0);
    fcntl(3, F_SETFD, 0);
    execve(monitor->record.restore.item[0], monitor->record.restore.item, env);
    _exit(127);
}
