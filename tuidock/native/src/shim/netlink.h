/* Netlink messages by hand: a buffer that several are put in, sent at once, and their acknowledgements. */
#ifndef TUIDOCK_NETLINK_H
#define TUIDOCK_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_MESSAGES 256

struct batch {
    _Alignas(8) uint8_t bytes[32768];
    size_t used, current;                    /* bytes in use; where the current message begins */
    uint32_t sequence;                       /* of the current message, from 1 */
    int full;                                /* -EMSGSIZE once something did not fit */
};

void batch_begin(struct batch *batch, uint16_t type, uint16_t flags, const void *header, size_t size);
void batch_attribute(struct batch *batch, uint16_t type, const void *value, size_t size);
void batch_text(struct batch *batch, uint16_t type, const char *value);
void batch_u32(struct batch *batch, uint16_t type, uint32_t value);
size_t batch_nest(struct batch *batch, uint16_t type);           /* give the result to batch_unnest */
void batch_unnest(struct batch *batch, size_t nest);
void batch_raw(struct batch *batch, const void *bytes, size_t size);     /* a header inside of a nest */

int netlink_open(int protocol);
/* Sends all and waits for `answers` acknowledgements. 0, or the first error and whose it was (its sequence number). */
int batch_send(int socket, struct batch *batch, uint32_t answers, uint32_t *culprit);
/* Sends one request and hands back the first answer's bytes (the header included); its size or -errno. */
long batch_ask(int socket, struct batch *batch, void *answer, size_t size);

#endif
