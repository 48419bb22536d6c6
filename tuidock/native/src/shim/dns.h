/* The resolver of a container, 127.0.0.11 inside: what its parts share.
 *
 * It runs without any right (dns.c), so what it reads from the container - questions - and from outside - answers - meets
 * no privilege. Messages are RFC 1035's; every length is checked before a byte is read.
 */
#ifndef TUIDOCK_DNS_H
#define TUIDOCK_DNS_H

#include "shim.h"

#include <netinet/in.h>

enum {
    DNS_HEADER = 12, DNS_NAME = 256, DNS_UDP = 512, DNS_UDP_MOST = 1232, DNS_QUESTION_MOST = 4096, DNS_TCP_MOST = 65535,
    DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255, DNS_IN = 1,
    DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5,
    DNS_DROP = -1,
    DNS_ADDRESSES = 256,
};

/* ---- dns_message.c ---- */

struct dns_question {
    uint16_t id, flags, type, class;
    size_t end;                    /* of the question section */
    size_t room;                   /* bytes that the asker takes over UDP */
    char name[DNS_NAME];           /* lower case, dots between labels, none at the end; "" for the root */
};
/* 0, a code to answer with, or DNS_DROP. */
int dns_read(const uint8_t *message, size_t size, struct dns_question *question);
/* Whether an answer is one to that question: both are whole messages. */
bool dns_answers(const uint8_t *answer, size_t size, const uint8_t *question, size_t question_size);

struct dns_address { int family; uint8_t bytes[16]; };
/* The messages that we write ourselves; their size. Nothing that does not fit into `room` is in it: then it says TC. */
size_t dns_write_code(const uint8_t *message, size_t size, const struct dns_question *question, int code, uint8_t *out);
size_t dns_write_addresses(const uint8_t *message, const struct dns_question *question,
                           const struct dns_address *address, size_t count, size_t room, uint8_t *out);
size_t dns_write_name(const uint8_t *message, const struct dns_question *question, const char *name, uint8_t *out);
/* 1 when a question of type PTR is one for an address. */
int dns_reverse(const char *name, struct dns_address *address);

/* ---- dns_names.c: the small files of tuidock.engine.network.zones ---- */

enum { DNS_NETWORKS = 16, DNS_SERVERS = 3 };

struct dns_stamp { uint64_t inode; int64_t seconds; long nanoseconds; };
struct dns_member { struct dns_address four, six; size_t network; char *names; };   /* one after the other, "" ends them */
struct dns_network { char *name; int directory; struct dns_stamp stamp; };
struct dns_names {
    int own, zones;                /* directories: RUN/c/ID/net and RUN/n */
    struct dns_stamp stamp;
    bool loaded, too_fresh;        /* too_fresh: a change in the same tick of the clock might have been missed */
    struct dns_network network[DNS_NETWORKS];
    size_t networks;
    struct dns_member *member;
    size_t members, room;
    char server[DNS_SERVERS][64];
    size_t servers;
    char *alias;                   /* pairs of strings, "" ends them */
};
int dns_names_refresh(struct dns_names *names);            /* reads what has changed */
/* The addresses of a name; -1 when it is not known. */
int dns_names_find(const struct dns_names *names, const char *name, int family, struct dns_address *found, size_t room);
/* `name.network` of who has the address, with the size given; false when nobody has. */
bool dns_names_reverse(const struct dns_names *names, const struct dns_address *address, char *text, size_t size);

/* ---- dns.c, dns_jobs.c ---- */

enum { DNS_JOBS = 128, DNS_CONNECTIONS = 32 };

struct dns_connection {
    int fd;                                    /* -1: free */
    bool waits;                                /* for the answer of a job */
    size_t used, out_size, out_sent;
    uint8_t *in, *out;                         /* in: IN_ROOM bytes, only while it is open: an idle resolver is small */
    uint64_t deadline;
};

struct dns_job {
    int fd;                                    /* to the server; -1: free */
    struct dns_connection *connection;             /* who asked over TCP, NULL for UDP */
    struct sockaddr_in peer;
    uint8_t *question;                         /* two bytes of length in front, as TCP wants it, with the id we ask with */
    size_t size, sent, used;                   /* of the question without them; of it with them; of the answer */
    uint8_t *answer;
    unsigned tries;
    uint16_t id;                               /* of the asker */
    uint64_t deadline;
};

struct dns_resolver {
    int udp, tcp, alive;
    struct dns_names names;
    struct dns_job job[DNS_JOBS];
    struct dns_connection connection[DNS_CONNECTIONS];
    uint8_t message[DNS_TCP_MOST + 2];
};

void dns_reply(struct dns_resolver *resolver, const struct sockaddr_in *peer, struct dns_connection *connection,
               const uint8_t *message, size_t size);
void dns_job_begin(struct dns_resolver *resolver, const struct dns_question *question, const uint8_t *message, size_t size,
                   const struct sockaddr_in *peer, struct dns_connection *connection);
void dns_job_try(struct dns_resolver *resolver, struct dns_job *job);      /* the next server, or the last word */
void dns_job_ready_udp(struct dns_resolver *resolver, struct dns_job *job);
void dns_job_ready_tcp(struct dns_resolver *resolver, struct dns_job *job);
void dns_job_end(struct dns_job *job);

/* The whole life of a resolver: sockets inside the container's network, `alive` ends with whoever looks after it. */
_Noreturn void dns_serve(int udp, int tcp, int own, int zones, int alive);

#endif
