/* Messages of DNS: what is read of a question, and the answers that we make ourselves. */
#include "dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { FLAG_ANSWER = 0x8000, FLAG_AUTHORITY = 0x0400, FLAG_CUT = 0x0200, FLAG_WANTED = 0x0100, FLAG_AVAILABLE = 0x0080,
       TYPE_OPT = 41, RECORD_HEADER = 12 };

static uint16_t get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static void put16(uint8_t *bytes, size_t number)
{
    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
}

/* The name at `at` as text; where it ends, 0 when it is none. A question has nothing before it that it could point to. */
static size_t read_name(const uint8_t *message, size_t size, size_t at, char text[DNS_NAME])
{
    size_t used = 0;

    while (at < size && message[at]) {
        size_t length = message[at++];
        if (length > 63 || at + length > size || used + length + 2 > DNS_NAME)
            return 0;
        if (used)
            text[used++] = '.';
        for (size_t i = 0; i < length; i++) {
            uint8_t byte = message[at++];
            if (byte >= 'A' && byte <= 'Z')
                byte = (uint8_t)(byte + 'a' - 'A');
            text[used++] = byte == '.' || byte < 33 || byte > 126 ? (char)127 : (char)byte;   /* in no name of ours */
        }
    }
    text[used] = 0;
    return at < size ? at + 1 : 0;
}

int dns_read(const uint8_t *message, size_t size, struct dns_question *question)
{
    size_t at;

    if (size < DNS_HEADER || message[2] & FLAG_ANSWER >> 8)
        return DNS_DROP;
    *question = (struct dns_question){.id = get16(message), .flags = get16(message + 2), .end = DNS_HEADER,
                                      .room = DNS_UDP};
    if (message[2] >> 3 & 15)
        return DNS_NOTIMP;
    if (get16(message + 4) != 1 || get16(message + 6))
        return DNS_FORMERR;
    at = read_name(message, size, DNS_HEADER, question->name);
    if (!at || at + 4 > size)
        return DNS_FORMERR;
    question->type = get16(message + at);
    question->class = get16(message + at + 2);
    question->end = at + 4;
    /* OPT (RFC 6891) is the only other record of a question that matters: a root name, its class is the size */
    if (get16(message + 10) && question->end + 5 <= size && !message[question->end] &&
        get16(message + question->end + 1) == TYPE_OPT) {
        size_t room = get16(message + question->end + 3);
        question->room = room < DNS_UDP ? DNS_UDP : room > DNS_UDP_MOST ? DNS_UDP_MOST : room;
    }
    return 0;
}

bool dns_answers(const uint8_t *answer, size_t size, const uint8_t *question, size_t question_size)
{
    struct dns_question asked, echoed;
    uint8_t copy[DNS_QUESTION_MOST];
    size_t length = size < sizeof copy ? size : sizeof copy;

    if (size < DNS_HEADER || question_size < DNS_HEADER || !(answer[2] & FLAG_ANSWER >> 8) ||
        get16(answer) != get16(question))
        return false;
    if (!get16(answer + 4))                  /* servers leave it out when they refuse to look at it */
        return (answer[3] & 15) != DNS_NOERROR;
    memcpy(copy, answer, length);
    copy[2] &= 0x07;                         /* read as a question */
    put16(copy + 6, 0);
    return dns_read(copy, length, &echoed) == 0 && dns_read(question, question_size, &asked) == 0 &&
           asked.type == echoed.type && asked.class == echoed.class && !strcmp(asked.name, echoed.name);
}

/* Header and question of an answer. */
static size_t begin(const uint8_t *message, size_t end, const struct dns_question *question, int code, uint8_t *out)
{
    memcpy(out, message, end);
    put16(out + 2, (size_t)FLAG_ANSWER | FLAG_AUTHORITY | FLAG_AVAILABLE | (question->flags & FLAG_WANTED) |
                   (question->flags & 0x7800) | (size_t)code);
    put16(out + 4, end > DNS_HEADER);
    memset(out + 6, 0, 6);
    return end;
}

size_t dns_write_code(const uint8_t *message, size_t size, const struct dns_question *question, int code, uint8_t *out)
{
    size_t end = question->end <= size ? question->end : DNS_HEADER;
    return begin(message, code == DNS_FORMERR ? (size_t)DNS_HEADER : end, question, code, out);
}

/* A record for the name of the question. Time to live 0: who stops, moves or comes in counts at once. */
static size_t put_record(uint8_t *out, size_t at, uint16_t type, const void *data, size_t size)
{
    put16(out + at, 0xc000 | DNS_HEADER);
    put16(out + at + 2, type);
    put16(out + at + 4, DNS_IN);
    memset(out + at + 6, 0, 4);
    put16(out + at + 10, size);
    memcpy(out + at + RECORD_HEADER, data, size);
    return at + RECORD_HEADER + size;
}

size_t dns_write_addresses(const uint8_t *message, const struct dns_question *question,
                           const struct dns_address *address, size_t count, size_t room, uint8_t *out)
{
    size_t at = begin(message, question->end, question, DNS_NOERROR, out), answers = 0;

    for (size_t i = 0; i < count; i++) {
        size_t size = address[i].family == AF_INET ? 4 : 16;
        if (at + RECORD_HEADER + size > room) {
            out[2] |= FLAG_CUT >> 8;
            break;
        }
        at = put_record(out, at, address[i].family == AF_INET ? DNS_A : DNS_AAAA, address[i].bytes, size);
        answers++;
    }
    put16(out + 6, answers);
    return at;
}

size_t dns_write_name(const uint8_t *message, const struct dns_question *question, const char *name, uint8_t *out)
{
    uint8_t encoded[DNS_NAME + 2];
    size_t used = 0, at = begin(message, question->end, question, DNS_NOERROR, out);

    while (*name && used + 64 < sizeof encoded) {
        size_t length = strcspn(name, ".");
        if (!length || length > 63 || used + length + 2 > DNS_NAME)
            return dns_write_code(message, question->end, question, DNS_SERVFAIL, out);
        encoded[used++] = (uint8_t)length;
        memcpy(encoded + used, name, length);
        used += length;
        name += length + (name[length] == '.');
    }
    encoded[used++] = 0;
    put16(out + 6, 1);
    return put_record(out, at, DNS_PTR, encoded, used);
}

static int nibble(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int dns_reverse(const char *name, struct dns_address *address)
{
    unsigned part[4];
    int used = 0;

    memset(address, 0, sizeof *address);
    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", part, part + 1, part + 2, part + 3, &used) == 4 && used &&
        !name[used]) {
        address->family = AF_INET;
        for (size_t i = 0; i < 4; i++) {
            if (part[i] > 255)
                return 0;
            address->bytes[3 - i] = (uint8_t)part[i];
        }
        return 1;
    }
    if (strlen(name) != 64 + sizeof "ip6.arpa" - 1 || strcmp(name + 64, "ip6.arpa"))
        return 0;
    address->family = AF_INET6;
    for (size_t i = 0; i < 32; i++) {
        int value = nibble(name[2 * i]);
        if (value < 0 || name[2 * i + 1] != '.')
            return 0;
        address->bytes[15 - i / 2] |= (uint8_t)(i % 2 ? value << 4 : value);
    }
    return 1;
}
