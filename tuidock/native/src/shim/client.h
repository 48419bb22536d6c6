/* What attach.c (the protocol) asks of client.c (one client's socket and buffer). */
#ifndef TUIDOCK_CLIENT_H
#define TUIDOCK_CLIENT_H

#include "stay.h"

struct client *client_add(struct monitor *monitor, int fd, watch_ready *ready);
void client_close(struct monitor *monitor, struct client *client);
void client_watch(struct monitor *monitor, struct client *client);
/* A whole frame is taken, or none of it (false: the client is too slow, or there is no memory). */
bool client_frame(struct client *client, unsigned type, unsigned stream, const void *payload, size_t count, bool must);
void client_flush(struct client *client);
/* Nobody is there to read; what the client has sent still counts. */
void client_mute(struct client *client);
/* After a flush: says LOST, or ends the client, or goes on. May free it. */
void client_settle(struct monitor *monitor, struct client *client);

#endif
