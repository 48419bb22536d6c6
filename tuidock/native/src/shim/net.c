/* The container's links: a veth pair with its peer born in the container's namespace, addresses, default routes.
 *
 * One message makes the pair, puts the host's end on the bridge and sets both up; the inside is a second one. A socket
 * keeps the network namespace it was made in, so the namespace is entered for the length of one socket(2) only.
 */
#include "shim.h"
#include "kernel.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CLONE_NEWNET_ 0x40000000

static int parse_mac(const char *text, uint8_t mac[6])
{
    unsigned part[6];
    int used = 0;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", part, part + 1, part + 2, part + 3, part + 4, part + 5, &used) != 6 ||
        text[used])
        return -EINVAL;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)part[i];
    return 0;
}

/* An address, with or without /PREFIX. The family, or -EINVAL. */
static int parse_address(const char *text, uint8_t bytes[16], unsigned *prefix)
{
    char plain[INET6_ADDRSTRLEN + 1];
    size_t length = strcspn(text, "/");
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    unsigned most = family == AF_INET ? 32 : 128;

    if (length >= sizeof plain)
        return -EINVAL;
    memcpy(plain, text, length);
    plain[length] = 0;
    if (inet_pton(family, plain, bytes) != 1)
        return -EINVAL;
    *prefix = text[length] ? (unsigned)atoi(text + length + 1) : most;
    return *prefix > most ? -EINVAL : family;
}

static int index_of(int socket, const char *name)
{
    struct ifreq request = {0};

    if (strlen(name) >= sizeof request.ifr_name)
        return -ENAMETOOLONG;
    strcpy(request.ifr_name, name);
    return ioctl(socket, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

static int socket_in(int netns)
{
    cleanup_close int own = open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY, 0);
    int fd;

    if (own < 0)
        return own;
    if (checked(syscall(SYS_setns, netns, CLONE_NEWNET_)) < 0)
        return -errno;
    fd = netlink_open(NETLINK_ROUTE);
    if (checked(syscall(SYS_setns, own, CLONE_NEWNET_)) < 0) {
        int rc = -errno;                 /* in the wrong namespace nothing more may be done */
        close_fd(&fd);
        return rc;
    }
    return fd;
}

/* Lets a container reach its own published port: with br_netfilter loaded the packet is turned round inside the bridge,
 * which sends nothing back out of the port it came from unless told so. */
static void put_bridge_port(struct batch *batch, const char *veth, bool isolated)
{
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    size_t info, data;

    batch_begin(batch, RTM_NEWLINK, NLM_F_ACK, &link, sizeof link);
    batch_text(batch, IFLA_IFNAME, veth);
    info = batch_nest(batch, IFLA_LINKINFO);
    batch_text(batch, IFLA_INFO_SLAVE_KIND, "bridge");
    data = batch_nest(batch, IFLA_INFO_SLAVE_DATA);
    batch_attribute(batch, IFLA_BRPORT_MODE, &(uint8_t){1}, 1);
    if (isolated)                        /* whether or not br_netfilter shows such packets to nftables */
        batch_attribute(batch, IFLA_BRPORT_ISOLATED, &(uint8_t){1}, 1);
    batch_unnest(batch, data);
    batch_unnest(batch, info);
}

static int add_veth(int host, const struct interface *interface, int netns, struct failure *failure)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    uint8_t mac[6];
    size_t info, data, peer;
    int bridge = *interface->bridge ? index_of(host, interface->bridge) : 0;
    int rc;

    if (!batch)
        return fail(failure, "network", -ENOMEM, "no memory for the link");
    if (bridge < 0)
        return fail(failure, "network", bridge, "find the bridge %s: %s", interface->bridge, strerror(-bridge));
    if (*interface->mac && parse_mac(interface->mac, mac) < 0)
        return fail(failure, "network", -EINVAL, "%s is not a MAC address", interface->mac);
    batch_begin(batch, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    batch_text(batch, IFLA_IFNAME, interface->veth);
    if (bridge)
        batch_u32(batch, IFLA_MASTER, (uint32_t)bridge);
    if (interface->mtu)
        batch_u32(batch, IFLA_MTU, interface->mtu);
    info = batch_nest(batch, IFLA_LINKINFO);
    batch_text(batch, IFLA_INFO_KIND, "veth");
    data = batch_nest(batch, IFLA_INFO_DATA);
    peer = batch_nest(batch, VETH_INFO_PEER);
    /* the peer is set up from inside: veth refuses an end (ENOTCONN) that comes up before the two are tied together */
    batch_raw(batch, &(struct ifinfomsg){.ifi_family = AF_UNSPEC}, sizeof link);
    batch_text(batch, IFLA_IFNAME, interface->name);
    batch_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns);
    if (*interface->mac)
        batch_attribute(batch, IFLA_ADDRESS, mac, sizeof mac);
    if (interface->mtu)
        batch_u32(batch, IFLA_MTU, interface->mtu);
    batch_unnest(batch, peer);
    batch_unnest(batch, data);
    batch_unnest(batch, info);
    if (bridge)
        put_bridge_port(batch, interface->veth, interface->isolated);
    rc = batch_send(host, batch, bridge ? 2 : 1, NULL);
    if (rc == -EXFULL)                   /* "Exchange full": a Linux bridge has 1023 ports */
        return fail(failure, "network", rc, "the bridge %s is full: Linux has room for 1023 containers on one; make a further "
                    "network with `tuidock network create NAME` and use --network NAME", interface->bridge);
    return rc < 0 ? fail(failure, "network", rc, "create the link %s on %s: %s", interface->veth, interface->bridge,
                         strerror(-rc)) : 0;
}

static uint32_t mode_of(const struct interface *interface, uint16_t *attribute)
{
    static const struct { const char *driver, *name; uint16_t attribute; uint32_t value; } MODES[] = {
        {"macvlan", "bridge", IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE},
        {"macvlan", "private", IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE},
        {"macvlan", "vepa", IFLA_MACVLAN_MODE, MACVLAN_MODE_VEPA},
        {"macvlan", "passthru", IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU},
        {"ipvlan", "l2", IFLA_IPVLAN_MODE, IPVLAN_MODE_L2},
        {"ipvlan", "l3", IFLA_IPVLAN_MODE, IPVLAN_MODE_L3},
        {"ipvlan", "l3s", IFLA_IPVLAN_MODE, IPVLAN_MODE_L3S},
    };
    for (size_t i = 0; i < COUNT(MODES); i++)
        if (!strcmp(MODES[i].driver, interface->driver) && !strcmp(MODES[i].name, interface->mode)) {
            *attribute = MODES[i].attribute;
            return MODES[i].value;
        }
    *attribute = 0;
    return 0;
}

static int rename_link(int inside, const char *from, const char *name)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index_of(inside, from)};

    if (!batch || link.ifi_index < 0)
        return batch ? link.ifi_index : -ENOMEM;
    batch_begin(batch, RTM_NEWLINK, NLM_F_ACK, &link, sizeof link);
    batch_text(batch, IFLA_IFNAME, name);
    return batch_send(inside, batch, 1, NULL);
}

/* A macvlan or ipvlan: born in the container's namespace, with nothing of it in the host's but its parent. Kernels before
 * 6.14 look on the host whether the name is free, where eth0 seldom is: it gets its own name inside. */
static int add_child(int host, int inside, const struct interface *interface, int netns, struct failure *failure)
{
    char made[IFNAMSIZ];
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    uint16_t attribute;
    uint32_t mode = mode_of(interface, &attribute);
    uint8_t mac[6];
    size_t info, data;
    int parent = index_of(host, interface->bridge);
    int rc;

    if (!batch)
        return fail(failure, "network", -ENOMEM, "no memory for the link");
    if (!attribute)
        return fail(failure, "network", -EINVAL, "%s links have no mode %s", interface->driver, interface->mode);
    if (parent < 0)
        return fail(failure, "network", parent, "find the parent link %s: %s", interface->bridge, strerror(-parent));
    if (*interface->mac && parse_mac(interface->mac, mac) < 0)
        return fail(failure, "network", -EINVAL, "%s is not a MAC address", interface->mac);
    batch_begin(batch, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    snprintf(made, sizeof made, "tdkl%x", (unsigned)getpid());
    batch_text(batch, IFLA_IFNAME, made);
    batch_u32(batch, IFLA_LINK, (uint32_t)parent);
    batch_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns);
    if (*interface->mac)
        batch_attribute(batch, IFLA_ADDRESS, mac, sizeof mac);
    if (interface->mtu)
        batch_u32(batch, IFLA_MTU, interface->mtu);
    info = batch_nest(batch, IFLA_LINKINFO);
    batch_text(batch, IFLA_INFO_KIND, interface->driver);
    data = batch_nest(batch, IFLA_INFO_DATA);
    if (attribute == IFLA_MACVLAN_MODE)
        batch_u32(batch, attribute, mode);
    else
        batch_attribute(batch, attribute, &(uint16_t){(uint16_t)mode}, sizeof(uint16_t));
    batch_unnest(batch, data);
    batch_unnest(batch, info);
    rc = batch_send(host, batch, 1, NULL);
    if (rc == -EOPNOTSUPP)
        return fail(failure, "network", rc, "this kernel has no %s links", interface->driver);
    if (rc >= 0)
        rc = rename_link(inside, made, interface->name);
    return rc < 0 ? fail(failure, "network", rc, "create a %s link on %s: %s", interface->driver, interface->bridge,
                         strerror(-rc)) : 0;
}

static int put_address(struct batch *batch, int index, const char *text)
{
    uint8_t bytes[16];
    unsigned prefix;
    int family = parse_address(text, bytes, &prefix);
    struct ifaddrmsg header = {.ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)prefix,
                               .ifa_index = (uint32_t)index, .ifa_scope = RT_SCOPE_UNIVERSE};

    if (family < 0)
        return family;
    batch_begin(batch, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
    batch_attribute(batch, IFA_ADDRESS, bytes, family == AF_INET ? 4 : 16);
    batch_attribute(batch, IFA_LOCAL, bytes, family == AF_INET ? 4 : 16);
    if (family == AF_INET6) {
        batch_u32(batch, IFA_FLAGS, IFA_F_NODAD);        /* the engine has given it out once; usable at once */
    } else if (prefix < 31) {
        uint32_t broadcast;
        memcpy(&broadcast, bytes, 4);
        broadcast |= htonl(prefix ? 0xffffffffu >> prefix : 0xffffffffu);
        batch_attribute(batch, IFA_BROADCAST, &broadcast, 4);
    }
    return 0;
}

static int put_gateway(struct batch *batch, int index, const char *text)
{
    uint8_t bytes[16];
    unsigned prefix;
    int family = parse_address(text, bytes, &prefix);
    struct rtmsg header = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
                           .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};

    if (family < 0)
        return family;
    batch_begin(batch, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof header);
    if (memcmp(bytes, (uint8_t[16]){0}, family == AF_INET ? 4 : 16))
        batch_attribute(batch, RTA_GATEWAY, bytes, family == AF_INET ? 4 : 16);
    else
        ((struct rtmsg *)(batch->bytes + batch->current + NLMSG_HDRLEN))->rtm_scope = RT_SCOPE_LINK;  /* ipvlan l3 */
    batch_u32(batch, RTA_OIF, (uint32_t)index);
    return 0;
}

/* Everything inside the namespace in one write: lo up, addresses, then routes that need them. */
static int configure(int inside, const struct record *record, struct failure *failure)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    const char *what[NETLINK_MESSAGES] = {"lo"};
    struct ifinfomsg up = {.ifi_family = AF_UNSPEC, .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    uint32_t culprit;
    int rc = 0;

    if (!batch)
        return fail(failure, "network", -ENOMEM, "no memory for the addresses");
    batch_begin(batch, RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
    for (size_t i = 0; i < record->interfaces; i++) {
        const struct interface *interface = &record->interface[i];
        int index = index_of(inside, interface->name);

        if (index < 0)
            return fail(failure, "network", index, "find %s in the container: %s", interface->name, strerror(-index));
        if (batch->sequence == NETLINK_MESSAGES)
            return fail(failure, "network", -E2BIG, "a container has too many interfaces");
        what[batch->sequence] = interface->name;
        up.ifi_index = index;
        batch_begin(batch, RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
        for (size_t j = 0; j < interface->address.count + interface->gateway.count; j++) {
            bool is_address = j < interface->address.count;
            const char *text = is_address ? interface->address.item[j]
                                          : interface->gateway.item[j - interface->address.count];
            if (batch->sequence == NETLINK_MESSAGES)
                return fail(failure, "network", -E2BIG, "a container has at most %d addresses", NETLINK_MESSAGES - 1);
            what[batch->sequence] = text;
            rc = is_address ? put_address(batch, index, text) : put_gateway(batch, index, text);
            if (rc < 0)
                return fail(failure, "network", rc, "%s is not an address for %s", text, interface->name);
        }
    }
    rc = batch_send(inside, batch, batch->sequence, &culprit);
    return rc < 0 ? fail(failure, "network", rc, "set %s in the container: %s",
                         culprit ? what[culprit - 1] : "addresses", strerror(-rc)) : 0;
}

static int detach(int host, const struct interface *interface)
{
    cleanup_free struct batch *batch = NULL;
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    int rc;

    if (*interface->driver)              /* it goes with the namespace */
        return 0;
    batch = calloc(1, sizeof *batch);
    if (!batch)
        return -ENOMEM;
    batch_begin(batch, RTM_DELLINK, NLM_F_ACK, &link, sizeof link);
    batch_text(batch, IFLA_IFNAME, interface->veth);
    rc = batch_send(host, batch, 1, NULL);
    return rc == -ENODEV ? 0 : rc;
}

int net_route(const struct interface *interface, int netns, struct failure *failure)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    cleanup_close int inside = socket_in(netns);
    int index = inside < 0 ? inside : index_of(inside, interface->name), rc = 0;

    if (!batch)
        return fail(failure, "network", -ENOMEM, "no memory for the routes");
    if (index < 0)
        return fail(failure, "network", index, "find %s in the container: %s", interface->name, strerror(-index));
    for (size_t i = 0; i < interface->gateway.count && rc == 0; i++)
        rc = put_gateway(batch, index, interface->gateway.item[i]);
    if (rc >= 0 && batch->sequence)
        rc = batch_send(inside, batch, batch->sequence, NULL);
    return rc < 0 ? fail(failure, "network", rc, "set the default route over %s: %s", interface->name, strerror(-rc)) : 0;
}

int net_remove(const struct interface *interface, int netns, struct failure *failure)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    cleanup_close int inside = socket_in(netns);
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    int rc;

    if (!batch)
        return fail(failure, "network", -ENOMEM, "no memory for the link");
    batch_begin(batch, RTM_DELLINK, NLM_F_ACK, &link, sizeof link);
    batch_text(batch, IFLA_IFNAME, interface->name);
    rc = inside < 0 ? inside : batch_send(inside, batch, 1, NULL);
    if (rc < 0 && rc != -ENODEV)
        return fail(failure, "network", rc, "delete %s in the container: %s", interface->name, strerror(-rc));
    return 0;
}

int net_attach(const struct record *record, pid_t pid, int netns, struct launched *times, struct failure *failure)
{
    cleanup_close int inside = socket_in(netns), host = -1;
    uint64_t started = ticks_ns(), linked;
    int rc;

    if (inside < 0)
        return fail(failure, "network", inside, "enter the network namespace of process %d: %s", pid,
                    strerror(-inside));
    if (record->interfaces) {
        host = netlink_open(NETLINK_ROUTE);
        if (host < 0)
            return fail(failure, "network", host, "open a netlink socket: %s", strerror(-host));
    }
    for (size_t i = 0; i < record->interfaces; i++) {
        const struct interface *interface = &record->interface[i];
        rc = *interface->driver ? add_child(host, inside, interface, netns, failure)
                                : add_veth(host, interface, netns, failure);
        if (rc == -EEXIST && !*interface->driver) {  /* the previous run's namespace is still being taken down */
            detach(host, interface);
            rc = add_veth(host, interface, netns, failure);
        }
        if (rc < 0)
            return rc;
    }
    linked = ticks_ns();
    rc = configure(inside, record, failure);
    if (times) {
        times->ns_bridge = linked - started;
        times->ns_address = ticks_ns() - linked;
    }
    return rc;
}

int net_detach(const struct record *record)
{
    cleanup_close int host = -1;
    int result = 0;

    if (!record->interfaces)
        return 0;
    host = netlink_open(NETLINK_ROUTE);
    if (host < 0)
        return host;
    for (size_t i = 0; i < record->interfaces; i++) {
        int rc = detach(host, &record->interface[i]);
        if (result == 0)
            result = rc;
    }
    return result;
}
