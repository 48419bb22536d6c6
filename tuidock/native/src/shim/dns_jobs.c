/* Questions that are passed on: one job for each, over UDP or TCP as it came, with an id and a port of our own, to one
 * server after the other. What comes back is only passed on when it answers just that question. */
#include "dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { ROUNDS = 2 };
#define ANSWER_NS 2000000000ull                /* for one server; glibc's and musl's own patience is 5 s */

void dns_job_end(struct dns_job *job)
{
    close_fd(&job->fd);
    free(job->question);
    free(job->answer);
    if (job->connection)
        job->connection->waits = false;
    *job = (struct dns_job){.fd = -1};
}

static void job_fail(struct dns_resolver *resolver, struct dns_job *job)
{
    uint8_t out[DNS_QUESTION_MOST];
    struct dns_question question;

    job->question[2] = (uint8_t)(job->id >> 8);
    job->question[3] = (uint8_t)job->id;
    if (dns_read(job->question + 2, job->size, &question) == 0)
        dns_reply(resolver, &job->peer, job->connection, out,
              dns_write_code(job->question + 2, job->size, &question, DNS_SERVFAIL, out));
    dns_job_end(job);
}

static int server_socket(const char *server, bool tcp)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    socklen_t size;
    int fd;

    if (inet_pton(AF_INET, server, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(53);
        size = sizeof *four;
    } else if (inet_pton(AF_INET6, server, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(53);
        size = sizeof *six;
    } else {
        return -EINVAL;
    }
    fd = socket(address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
        close_fd(&fd), fd = -1;
    return fd;
}

/* The next server, from the first again in the second round. */
void dns_job_try(struct dns_resolver *resolver, struct dns_job *job)
{
    const struct dns_names *names = &resolver->names;

    close_fd(&job->fd);
    job->fd = -1;
    free(job->answer);
    job->answer = NULL;
    job->used = job->sent = 0;
    while (names->servers && job->tries < ROUNDS * names->servers) {
        job->fd = server_socket(names->server[job->tries++ % names->servers], job->connection != NULL);
        if (job->fd < 0)
            continue;
        if (getrandom(job->question + 2, 2, 0) != 2)
            break;
        job->deadline = ticks_ns() + ANSWER_NS;
        if (job->connection || send(job->fd, job->question + 2, job->size, MSG_NOSIGNAL) == (ssize_t)job->size)
            return;
        close_fd(&job->fd);
        job->fd = -1;
    }
    job_fail(resolver, job);
}

void dns_job_begin(struct dns_resolver *resolver, const struct dns_question *question, const uint8_t *message, size_t size,
                      const struct sockaddr_in *peer, struct dns_connection *connection)
{
    struct dns_job *job = NULL;
    uint8_t out[DNS_QUESTION_MOST];

    for (size_t i = 0; i < DNS_JOBS && !job; i++)
        if (!resolver->job[i].question)
            job = &resolver->job[i];
    if (job)
        *job = (struct dns_job){.fd = -1, .connection = connection, .id = question->id, .size = size,
                            .question = malloc(size + 2)};
    if (!job || !job->question) {
        dns_reply(resolver, peer, connection, out, dns_write_code(message, size, question, DNS_SERVFAIL, out));
        return;
    }
    if (peer)
        job->peer = *peer;
    if (connection)
        connection->waits = true;
    job->question[0] = (uint8_t)(size >> 8);
    job->question[1] = (uint8_t)size;
    memcpy(job->question + 2, message, size);
    dns_job_try(resolver, job);
}

static void job_answered(struct dns_resolver *resolver, struct dns_job *job, uint8_t *answer, size_t size)
{
    int code = answer[3] & 15;
    bool refused = code == DNS_SERVFAIL || code == DNS_REFUSED || code == DNS_NOTIMP;
    if (refused && job->tries < resolver->names.servers) {
        dns_job_try(resolver, job);
        return;
    }
    answer[0] = (uint8_t)(job->id >> 8);
    answer[1] = (uint8_t)job->id;
    dns_reply(resolver, &job->peer, job->connection, answer, size);
    if (job->connection && job->connection->out)
        job->connection = NULL;                /* it still writes, and goes on by itself */
    dns_job_end(job);
}

void dns_job_ready_udp(struct dns_resolver *resolver, struct dns_job *job)
{
    ssize_t size = recv(job->fd, resolver->message, sizeof resolver->message, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size < 0)                              /* nobody listens there */
        dns_job_try(resolver, job);
    else if (dns_answers(resolver->message, (size_t)size, job->question + 2, job->size))
        job_answered(resolver, job, resolver->message, (size_t)size);
}

void dns_job_ready_tcp(struct dns_resolver *resolver, struct dns_job *job)
{
    ssize_t count;

    if (job->sent < job->size + 2) {
        count = send(job->fd, job->question + job->sent, job->size + 2 - job->sent, MSG_NOSIGNAL);
        if (count > 0)
            job->sent += (size_t)count;
        else if (count < 0 && errno != EAGAIN && errno != EINTR)
            dns_job_try(resolver, job);
        return;
    }
    if (!job->answer && !(job->answer = malloc(DNS_TCP_MOST + 2))) {
        job_fail(resolver, job);
        return;
    }
    count = recv(job->fd, job->answer + job->used, DNS_TCP_MOST + 2 - job->used, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        dns_job_try(resolver, job);
        return;
    }
    job->used += (size_t)count;
    size_t size = job->used < 2 ? 0 : (size_t)(job->answer[0] << 8 | job->answer[1]);
    if (job->used < 2 || job->used < size + 2)
        return;
    if (dns_answers(job->answer + 2, size, job->question + 2, job->size))
        job_answered(resolver, job, job->answer + 2, size);
    else
        dns_job_try(resolver, job);
}
