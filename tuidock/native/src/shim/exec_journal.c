/* What the journal tells of an exec, in docker's words: `exec_create: COMMAND`, `exec_start: COMMAND`, `exec_die`. */
#include "launch.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { COMMAND_LIMIT = 1024 };          /* bytes of the command that are told */

static void make_id(char id[65])
{
    unsigned char bytes[32] = {0};

    if (getrandom(bytes, sizeof bytes, 0) < 0)
        memcpy(bytes, &(uint64_t){now_ns()}, sizeof(uint64_t));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

/* Bytes of the well-formed UTF-8 character at `c`, 0 when it is none: a reader refuses the whole line for one. */
static size_t character(const unsigned char *c)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t size = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;

    if (*c == 0xe0)
        low = 0xa0;
    else if (*c == 0xed)
        high = 0x9f;
    else if (*c == 0xf0)
        low = 0x90;
    else if (*c == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < size; i++, low = 0x80, high = 0xbf)
        if (c[i] < low || c[i] > high)
            return 0;
    return size;
}

/* Adds a word to the inside of a JSON string of `room` bytes; what has no place any more is left out. */
static size_t add_escaped(char *text, size_t used, size_t room, const char *word)
{
    for (const unsigned char *c = (const unsigned char *)word; *c && used + 8 < room;) {
        size_t size = character(c);
        if (size == 1 && (*c < ' ' || *c == 127 || *c == '"' || *c == '\\')) {
            used += (size_t)snprintf(text + used, room - used, "\\u%04x", *c);
        } else if (size) {
            memcpy(text + used, c, size);
            used += size;
        } else {
            text[used++] = '?';
        }
        c += size ? size : 1;
    }
    text[used] = 0;
    return used;
}

void exec_journal(struct exec_told *told, const char *action)
{
    char text[COMMAND_LIMIT + 64], attributes[96];
    size_t used = (size_t)snprintf(text, sizeof text, "%s:", action);

    if (!*told->id)
        make_id(told->id);
    for (size_t i = 0; i < told->command->count && used + 16 < sizeof text; i++) {
        used = add_escaped(text, used, sizeof text, " ");
        used = add_escaped(text, used, sizeof text, told->command->item[i]);
    }
    snprintf(attributes, sizeof attributes, "{\"execID\":\"%s\"}", told->id);
    journal_append(told->record, text, attributes);
}

void exec_detach_journal(const struct exec_told *told)
{
    char attributes[96];

    snprintf(attributes, sizeof attributes, "{\"execID\":\"%s\"}", told->id);
    journal_append(told->record, "exec_detach", attributes);
}

void exec_die_journal(const struct exec_told *told, int code)
{
    char attributes[160];

    if (code < 0)
        snprintf(attributes, sizeof attributes, "{\"execID\":\"%s\"}", told->id);
    else
        snprintf(attributes, sizeof attributes, "{\"execID\":\"%s\",\"exitCode\":\"%d\"}", told->id, code);
    journal_append(told->record, "exec_die", attributes);
}
