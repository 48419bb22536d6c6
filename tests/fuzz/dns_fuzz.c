/* Fuzzes what the resolver of a container reads from others: questions, and answers to a question. Whatever it says itself
 * must be readable to itself and within the room that it was given. */
#include "dns.h"

#include <string.h>
#include <sys/socket.h>

static void check(const uint8_t *message, size_t size, size_t room)
{
    if (size < DNS_HEADER || size > room || !(message[2] & 0x80))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_address many[DNS_ADDRESSES];
    struct dns_question question;
    struct dns_address reversed;
    size_t asked = size < 2 ? 0 : (size_t)(data[0] << 8 | data[1]);

    /* two messages, each in memory of its own size, so that a byte read behind it is seen */
    asked = asked > size || size < 2 ? 0 : asked > size - 2 ? size - 2 : asked;
    if (size < 2 || asked > DNS_QUESTION_MOST)
        return 0;
    uint8_t *message = malloc(asked + 1), *answer = malloc(size - 2 - asked + 1), *out = malloc(DNS_QUESTION_MOST + 512);
    message = realloc(message, asked ? asked : 1);
    memcpy(message, data + 2, asked);
    memcpy(answer, data + 2 + asked, size - 2 - asked);
    dns_answers(answer, size - 2 - asked, message, asked);
    int code = dns_read(message, asked, &question);
    if (code > 0)
        check(out, dns_write_code(message, asked, &question, code, out), asked);
    if (code == 0) {
        if (strlen(question.name) >= DNS_NAME || question.end > asked || question.room < DNS_UDP)
            abort();
        for (size_t i = 0; i < DNS_ADDRESSES; i++)
            many[i].family = i % 2 ? AF_INET6 : AF_INET;
        check(out, dns_write_addresses(message, &question, many, DNS_ADDRESSES, question.room, out), question.room);
        check(out, dns_write_code(message, asked, &question, DNS_NXDOMAIN, out), asked);
        dns_reverse(question.name, &reversed);
        check(out, dns_write_name(message, &question, question.name, out), DNS_QUESTION_MOST + 512);
    }
    free(message);
    free(answer);
    free(out);
    return 0;
}
