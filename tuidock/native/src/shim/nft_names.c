/* The rule inside a container's network that leads questions for names to its resolver:
 *
 *     table ip tuidock_names { chain output { type nat hook output priority dstnat;
 *         ip daddr 127.0.0.11 th dport 53 dnat to 127.0.0.11:PORT } }
 *
 * as raw nfnetlink, since no nft program may run in there. A table of that name from an earlier resolver is replaced.
 */
#include "shim.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

static const char TABLE[] = "tuidock_names", CHAIN[] = "output";

static void begin(struct batch *batch, int message, uint16_t flags)
{
    struct nfgenmsg header = {.nfgen_family = AF_INET, .version = NFNETLINK_V0};
    batch_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, &header, sizeof header);
}

static void bound(struct batch *batch, int message)
{
    struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    batch_begin(batch, (uint16_t)message, 0, &header, sizeof header);
}

static void put(struct batch *batch, uint16_t type, uint32_t number) { batch_u32(batch, type, htonl(number)); }

static void put_value(struct batch *batch, uint16_t type, const void *value, size_t size)
{
    size_t nest = batch_nest(batch, type);
    batch_attribute(batch, NFTA_DATA_VALUE, value, size);
    batch_unnest(batch, nest);
}

struct expression { size_t item, data; };

static struct expression expression_begin(struct batch *batch, const char *name)
{
    struct expression opened;
    opened.item = batch_nest(batch, NFTA_LIST_ELEM);
    batch_text(batch, NFTA_EXPR_NAME, name);
    opened.data = batch_nest(batch, NFTA_EXPR_DATA);
    return opened;
}

static void expression_end(struct batch *batch, struct expression opened)
{
    batch_unnest(batch, opened.data);
    batch_unnest(batch, opened.item);
}

static void compare(struct batch *batch, uint32_t base, uint32_t offset, const void *value, size_t size)
{
    struct expression load = expression_begin(batch, "payload");
    put(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put(batch, NFTA_PAYLOAD_BASE, base);
    put(batch, NFTA_PAYLOAD_OFFSET, offset);
    put(batch, NFTA_PAYLOAD_LEN, (uint32_t)size);
    expression_end(batch, load);
    struct expression equal = expression_begin(batch, "cmp");
    put(batch, NFTA_CMP_SREG, NFT_REG_1);
    put(batch, NFTA_CMP_OP, NFT_CMP_EQ);
    put_value(batch, NFTA_CMP_DATA, value, size);
    expression_end(batch, equal);
}

static void load(struct batch *batch, uint32_t reg, const void *value, size_t size)
{
    struct expression immediate = expression_begin(batch, "immediate");
    put(batch, NFTA_IMMEDIATE_DREG, reg);
    put_value(batch, NFTA_IMMEDIATE_DATA, value, size);
    expression_end(batch, immediate);
}

static void put_chain(struct batch *batch)
{
    begin(batch, NFT_MSG_NEWCHAIN, NLM_F_ACK | NLM_F_CREATE);
    batch_text(batch, NFTA_CHAIN_TABLE, TABLE);
    batch_text(batch, NFTA_CHAIN_NAME, CHAIN);
    size_t hook = batch_nest(batch, NFTA_CHAIN_HOOK);
    put(batch, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    put(batch, NFTA_HOOK_PRIORITY, (uint32_t)-100);
    batch_unnest(batch, hook);
    batch_text(batch, NFTA_CHAIN_TYPE, "nat");
}

static void put_rule(struct batch *batch, uint32_t address, uint16_t port)
{
    const uint16_t domain = htons(53);

    begin(batch, NFT_MSG_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND);
    batch_text(batch, NFTA_RULE_TABLE, TABLE);
    batch_text(batch, NFTA_RULE_CHAIN, CHAIN);
    size_t list = batch_nest(batch, NFTA_RULE_EXPRESSIONS);
    compare(batch, NFT_PAYLOAD_NETWORK_HEADER, 16, &address, sizeof address);
    compare(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 2, &domain, sizeof domain);
    load(batch, NFT_REG_1, &address, sizeof address);
    load(batch, NFT_REG_2, &port, sizeof port);
    struct expression nat = expression_begin(batch, "nat");
    put(batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    put(batch, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    put(batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
    put(batch, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
    expression_end(batch, nat);
    batch_unnest(batch, list);
}

int nft_redirect_names(uint32_t address, uint16_t port)
{
    cleanup_free struct batch *batch = calloc(1, sizeof *batch);
    cleanup_close int socket = netlink_open(NETLINK_NETFILTER);

    if (!batch)
        return -ENOMEM;
    if (socket < 0)
        return socket;
    bound(batch, NFNL_MSG_BATCH_BEGIN);
    for (int i = 0; i < 3; i++) {              /* made, so that there is one to delete, and made anew */
        begin(batch, i == 1 ? NFT_MSG_DELTABLE : NFT_MSG_NEWTABLE, i == 1 ? NLM_F_ACK : NLM_F_ACK | NLM_F_CREATE);
        batch_text(batch, NFTA_TABLE_NAME, TABLE);
    }
    put_chain(batch);
    put_rule(batch, htonl(address), port);
    bound(batch, NFNL_MSG_BATCH_END);
    return batch_send(socket, batch, 5, NULL);
}
