/* Who is called what: the small files that the engine writes for each member of a network, read again when a directory's
 * time has changed. They come from a trusted hand, but a torn or strange line must not do more than be left out. */
#include "dns.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

/* Clocks of file systems go by ticks of up to 10 ms: within it two changes have one time. */
#define FRESH_NS 50000000ull

enum { FILE_MOST = 8192, MEMBERS_MOST = 4096 };

static bool stamp_of(int directory, struct dns_stamp *stamp)
{
    struct stat status;

    if (fstat(directory, &status) < 0)
        return false;
    *stamp = (struct dns_stamp){status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
    return true;
}

static bool same(const struct dns_stamp *one, const struct dns_stamp *other)
{
    return one->inode == other->inode && one->seconds == other->seconds && one->nanoseconds == other->nanoseconds;
}

static bool is_fresh(const struct dns_stamp *stamp)
{
    uint64_t changed = (uint64_t)stamp->seconds * 1000000000ull + (uint64_t)stamp->nanoseconds, now = now_ns();
    return now < changed + FRESH_NS;
}

static bool is_current(const struct dns_names *names)
{
    struct dns_stamp stamp;

    if (!names->loaded || names->too_fresh || !stamp_of(names->own, &stamp) || !same(&stamp, &names->stamp))
        return false;
    for (size_t i = 0; i < names->networks; i++)
        if (names->network[i].directory < 0 || !stamp_of(names->network[i].directory, &stamp) ||
            !same(&stamp, &names->network[i].stamp))
            return false;
    return true;
}

static void forget(struct dns_names *names)
{
    for (size_t i = 0; i < names->networks; i++) {
        close_fd(&names->network[i].directory);
        free(names->network[i].name);
    }
    for (size_t i = 0; i < names->members; i++)
        free(names->member[i].names);
    free(names->member);
    free(names->alias);
    names->member = NULL;
    names->alias = NULL;
    names->networks = names->members = names->room = names->servers = 0;
}

static bool is_id(const char *name) { return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64; }

static bool parse_address(const char *text, int family, struct dns_address *address)
{
    address->family = inet_pton(family, text, address->bytes) == 1 ? family : 0;
    return address->family != 0;
}

/* `address address6 name name ...`; the names stay in one piece of memory, a NUL behind each and one more at the end. */
static int add_member(struct dns_names *names, size_t network, char *line)
{
    struct dns_member member = {.network = network};
    char *rest = NULL, *four = strtok_r(line, " \n", &rest), *six = strtok_r(NULL, " \n", &rest), *word;
    size_t used = 0;

    if (!four || !six || names->members >= MEMBERS_MOST)
        return 0;
    parse_address(four, AF_INET, &member.four);
    parse_address(six, AF_INET6, &member.six);
    member.names = calloc(1, strlen(rest ? rest : "") + 2);
    if (!member.names)
        return -ENOMEM;
    while ((word = strtok_r(NULL, " \n", &rest))) {
        strcpy(member.names + used, word);
        used += strlen(word) + 1;
    }
    if (names->members == names->room) {
        size_t room = names->room ? 2 * names->room : 16;
        struct dns_member *grown = realloc(names->member, room * sizeof *grown);
        if (!grown) {
            free(member.names);
            return -ENOMEM;
        }
        names->member = grown;
        names->room = room;
    }
    names->member[names->members++] = member;
    return 0;
}

static DIR *open_directory(int directory)
{
    int copy = open_at(directory, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *listed = copy < 0 ? NULL : fdopendir(copy);
    if (!listed && copy >= 0)
        close(copy);
    return listed;
}

static int read_network(struct dns_names *names, const char *id)
{
    struct dns_network *network = &names->network[names->networks];
    char text[FILE_MOST];
    struct dirent *entry;
    int rc = 0;

    if (names->networks == DNS_NETWORKS || read_file_at(names->own, id, text, sizeof text) < 0)
        return 0;
    text[strcspn(text, "\n")] = 0;
    for (char *c = text; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 'a' - 'A');
    *network = (struct dns_network){.name = strdup(text),
                                    .directory = open_at(names->zones, id, O_RDONLY | O_DIRECTORY, 0)};
    names->networks++;
    if (!network->name)
        return -ENOMEM;
    if (network->directory < 0)
        return 0;
    stamp_of(network->directory, &network->stamp);
    names->too_fresh |= is_fresh(&network->stamp);
    DIR *listed = open_directory(network->directory);
    while (listed && rc == 0 && (entry = readdir(listed)))
        if (is_id(entry->d_name) && read_file_at(network->directory, entry->d_name, text, sizeof text) > 0)
            rc = add_member(names, names->networks - 1, text);
    if (listed)
        closedir(listed);
    return rc;
}

/* `server ADDRESS` and `alias NAME TARGET` */
static int read_directions(struct dns_names *names)
{
    char text[FILE_MOST], *rest = NULL;
    size_t used = 0;

    if (read_file_at(names->own, ".resolver", text, sizeof text) < 0)
        return 0;
    names->alias = calloc(1, strlen(text) + 2);
    if (!names->alias)
        return -ENOMEM;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char one[DNS_NAME], other[DNS_NAME];
        if (sscanf(line, "server %63s", one) == 1 && names->servers < DNS_SERVERS) {
            strcpy(names->server[names->servers++], one);
        } else if (sscanf(line, "alias %255s %255s", one, other) == 2) {
            strcpy(names->alias + used, one);
            used += strlen(one) + 1;
            strcpy(names->alias + used, other);
            used += strlen(other) + 1;
        }
    }
    return 0;
}

int dns_names_refresh(struct dns_names *names)
{
    struct dirent *entry;
    int rc;

    if (is_current(names))
        return 0;
    forget(names);
    names->loaded = true;
    names->too_fresh = !stamp_of(names->own, &names->stamp) || is_fresh(&names->stamp);
    rc = read_directions(names);
    DIR *listed = open_directory(names->own);
    while (listed && rc == 0 && (entry = readdir(listed)))
        if (is_id(entry->d_name))
            rc = read_network(names, entry->d_name);
    if (listed)
        closedir(listed);
    if (rc < 0)
        names->loaded = false;
    return rc;
}

static bool is_called(const struct dns_member *member, const char *name, size_t length)
{
    for (const char *each = member->names; *each; each += strlen(each) + 1)
        if (strlen(each) == length && !memcmp(each, name, length))
            return true;
    return false;
}

static bool holds(const struct dns_address *found, size_t count, const struct dns_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (!memcmp(&found[i], address, sizeof *address))
            return true;
    return false;
}

/* A member is also asked for as `name.network`, which says where. */
static bool is_meant(const struct dns_names *names, const struct dns_member *member, const char *name)
{
    const char *network = names->network[member->network].name;
    size_t length = strlen(name), suffix = network ? strlen(network) : 0;

    if (is_called(member, name, length))
        return true;
    return suffix && length > suffix + 1 && name[length - suffix - 1] == '.' &&
           !strcmp(name + length - suffix, network) && is_called(member, name, length - suffix - 1);
}

int dns_names_find(const struct dns_names *names, const char *name, int family, struct dns_address *found, size_t room)
{
    size_t count = 0;
    bool known = false;

    for (const char *alias = names->alias; alias && *alias;) {
        const char *target = alias + strlen(alias) + 1;
        if (!strcmp(alias, name)) {
            name = target;
            known = true;                    /* that it does not run now does not make its name another's */
            break;
        }
        alias = target + strlen(target) + 1;
    }
    for (size_t i = 0; i < names->members; i++) {
        const struct dns_member *member = &names->member[i];
        const struct dns_address *address = family == AF_INET ? &member->four : &member->six;
        if (!is_meant(names, member, name))
            continue;
        known = true;
        if (address->family && count < room && !holds(found, count, address))
            found[count++] = *address;
    }
    return known ? (int)count : -1;
}

bool dns_names_reverse(const struct dns_names *names, const struct dns_address *address, char *text, size_t size)
{
    for (size_t i = 0; i < names->members; i++) {
        const struct dns_member *member = &names->member[i];
        const struct dns_address *own = address->family == AF_INET ? &member->four : &member->six;
        if (own->family == address->family && !memcmp(own->bytes, address->bytes, sizeof own->bytes) && *member->names) {
            snprintf(text, size, "%s.%s", member->names, names->network[member->network].name);
            return true;
        }
    }
    return false;
}
