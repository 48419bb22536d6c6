/* Published ports as elements of two nftables maps, by raw nfnetlink: one element takes 0.03 ms, the nft program 3.8 ms.
 *
 *     ports     inet_proto . inet_service           -> addr . inet_service
 *     ports_ip  addr . inet_proto . inet_service    -> addr . inet_service
 *
 * in a table of family ip and, for containers with an IPv6 address, one of family ip6. Loopback addresses have no element,
 * nor has an IPv6 address of the host for a container without one; the shim's own listener relays them.
 */
#include "shim.h"
#include "kernel.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Every part of a concatenation takes a multiple of four bytes. */
struct element { const char *map; uint8_t family, key[24], value[20]; size_t key_size, value_size; };

static bool is_loopback(int family, const uint8_t *address)
{
    static const uint8_t SIX[16] = {[15] = 1};
    return family == AF_INET ? address[0] == 127 : !memcmp(address, SIX, sizeof SIX);
}

/* 1 when the port has an element in the family's table, 0 when it has none there, -EINVAL. */
static int element_of(const struct port *port, int family, struct element *element)
{
    static const uint8_t EVERY[16] = {0};
    uint8_t host[16] = {0}, container[16];
    uint16_t host_port = htons(port->host_port), container_port = htons(port->container_port);
    const char *address = family == AF_INET ? port->address : port->address6;
    size_t size = family == AF_INET ? 4 : 16;
    uint8_t *key = element->key;

    *element = (struct element){.map = "ports", .family = (uint8_t)family};   /* NFPROTO_* are the same */
    if (!*address || (*port->host_ip && (strchr(port->host_ip, ':') != NULL) != (family == AF_INET6)))
        return 0;
    if (*port->host_ip && inet_pton(family, port->host_ip, host) != 1)
        return -EINVAL;
    if (is_loopback(family, host))
        return 0;
    if (inet_pton(family, address, container) != 1)
        return family == AF_INET && strchr(address, ':') ? 0 : -EINVAL;
    if (memcmp(host, EVERY, size)) {
        element->map = "ports_ip";
        memcpy(key, host, size);
        key += size;
    }
    key[0] = (uint8_t)port->protocol;
    memcpy(key + 4, &host_port, 2);
    element->key_size = (size_t)(key - element->key) + 8;
    memcpy(element->value, container, size);
    memcpy(element->value + size, &container_port, 2);
    element->value_size = size + 4;
    return 1;
}

static void put_data(struct batch *batch, uint16_t type, const void *bytes, size_t size)
{
    size_t nest = batch_nest(batch, type);
    batch_attribute(batch, NFTA_DATA_VALUE, bytes, size);
    batch_unnest(batch, nest);
}

static void put_element(struct batch *batch, const char *table, const struct element *element, int message,
                        uint16_t flags, bool with_value)
{
    struct nfgenmsg header = {.nfgen_family = element->family, .version = NFNETLINK_V0};
    size_t list, item;

    batch_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, &header, sizeof header);
    batch_text(batch, NFTA_SET_ELEM_LIST_TABLE, table);
    batch_text(batch, NFTA_SET_ELEM_LIST_SET, element->map);
    list = batch_nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    item = batch_nest(batch, NFTA_LIST_ELEM);
    put_data(batch, NFTA_SET_ELEM_KEY, element->key, element->key_size);
    if (with_value)
        put_data(batch, NFTA_SET_ELEM_DATA, element->value, element->value_size);
    batch_unnest(batch, item);
    batch_unnest(batch, list);
}

static void put_bound(struct batch *batch, int message)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0,
                              .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    batch_begin(batch, (uint16_t)message, 0, &header, sizeof header);
}

/* An attribute of the given type in a row of them, and its size. */
static const void *find_attribute(const void *row, size_t size, uint16_t type, size_t *found)
{
    const uint8_t *at = row;

    while (size >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const struct nlattr *)at;
        size_t step = NLA_ALIGN(attribute->nla_len);
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > size)
            break;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type) {
            *found = attribute->nla_len - NLA_HDRLEN;
            return at + NLA_HDRLEN;
        }
        at += step;
        size = step > size ? 0 : size - step;
    }
    return NULL;
}

/* Whether the map holds the element: 1 with our value, 2 with another container's, 0 not at all, -errno. */
static int look_up(int socket, const char *table, const struct element *element)
{
    static const uint16_t PATH[] = {NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_DATA, NFTA_DATA_VALUE};
    _Alignas(8) uint8_t answer[8192];
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    const void *row;
    size_t size;
    long received;

    if (!batch)
        return -ENOMEM;
    put_element(batch, table, element, NFT_MSG_GETSETELEM, 0, false);
    received = batch_ask(socket, batch, answer, sizeof answer);
    if (received < 0)
        return received == -ENOENT ? 0 : (int)received;
    if (received < (long)NLMSG_SPACE(sizeof(struct nfgenmsg)))
        return -EPROTO;
    row = answer + NLMSG_SPACE(sizeof(struct nfgenmsg));
    size = (size_t)received - NLMSG_SPACE(sizeof(struct nfgenmsg));
    for (size_t i = 0; row && i < COUNT(PATH); i++)
        row = find_attribute(row, size, PATH[i], &size);
    return row && size == element->value_size && !memcmp(row, element->value, size) ? 1 : 2;
}

/* One transaction over all elements. With `replace`, what is there is deleted first (a dead container's claim). */
static int change(const struct record *record, int socket, bool add, bool replace, const char **culprit_port)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    uint32_t changes = 0, culprit;
    int rc;

    if (!batch)
        return -ENOMEM;
    put_bound(batch, NFNL_MSG_BATCH_BEGIN);
    for (size_t i = 0; i < 2 * record->ports; i++) {
        const struct port *port = &record->port[i / 2];
        struct element element;
        int there = 0;

        rc = element_of(port, i % 2 ? AF_INET6 : AF_INET, &element);
        if (rc < 0)
            *culprit_port = port->host_ip;
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (replace || !add) {
            there = look_up(socket, record->nft_table, &element);
            if (there < 0)
                return there;
        }
        if (there == (add ? 2 : 1)) {    /* another's element is not ours to remove, only to replace */
            put_element(batch, record->nft_table, &element, NFT_MSG_DELSETELEM, NLM_F_ACK, false);
            changes++;
        }
        if (add && there != 1) {
            put_element(batch, record->nft_table, &element, NFT_MSG_NEWSETELEM, NLM_F_ACK | NLM_F_CREATE, true);
            changes++;
        }
    }
    put_bound(batch, NFNL_MSG_BATCH_END);
    return changes ? batch_send(socket, batch, changes, &culprit) : 0;
}

static int change_ports(const struct record *record, bool add, const char **culprit)
{
    cleanup_close int socket = -1;
    int rc;

    if (!record->ports || !*record->nft_table)
        return 0;
    socket = netlink_open(NETLINK_NETFILTER);
    if (socket < 0)
        return socket;
    rc = change(record, socket, add, false, culprit);
    if (add && (rc == -EBUSY || rc == -EEXIST)) {
        close_fd(&socket);               /* answers that were not waited for stay behind in the old one */
        socket = netlink_open(NETLINK_NETFILTER);
        rc = socket < 0 ? socket : change(record, socket, add, true, culprit);
    }
    return rc;
}

bool nft_table_exists(const char *table)
{
    _Alignas(8) uint8_t answer[4096];
    struct nfgenmsg header = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    cleanup_close int socket = netlink_open(NETLINK_NETFILTER);

    if (!batch || socket < 0)
        return true;                     /* nobody can tell: nothing is done about it */
    batch_begin(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, &header, sizeof header);
    batch_text(batch, NFTA_TABLE_NAME, table);
    return batch_ask(socket, batch, answer, sizeof answer) != -ENOENT;
}

int nft_add_ports(const struct record *record, struct failure *failure)
{
    const char *culprit = NULL;
    int rc = change_ports(record, true, &culprit);

    if (culprit)
        return fail(failure, "port", rc, "%s is not an address to publish on", culprit);
    return rc < 0 ? fail(failure, "port", rc, "publish the ports in nftables table %s: %s", record->nft_table,
                         strerror(-rc)) : 0;
}

int nft_remove_ports(const struct record *record)
{
    const char *culprit = NULL;
    int rc = change_ports(record, false, &culprit);
    return rc == -ENOENT ? 0 : rc;
}
