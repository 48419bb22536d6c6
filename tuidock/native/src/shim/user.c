/* Who the container's process is: USER[:GROUP] by the root file system's own /etc/passwd and /etc/group.
 *
 * No NSS: after entering a root file system nothing may be loaded from it (CVE-2019-14271). The files are the image's, so
 * they are opened in the root, must be regular and small, and a FIFO in their place cannot hang us (CVE-2024-9676).
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAXIMUM (1 << 20)
#define ID_MAXIMUM 2147483647
#define GROUPS_MAXIMUM 1024

/* The file's text (NUL-terminated), NULL when it is missing or not what it must be. */
static char *read_database(int root, const char *path)
{
    cleanup_close int fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY, 0);
    struct stat status;
    char *text;
    size_t size = 0;

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAXIMUM)
        return NULL;
    text = malloc((size_t)status.st_size + 1);
    while (text && size < (size_t)status.st_size) {
        ssize_t count = read(fd, text + size, (size_t)status.st_size - size);
        if (count <= 0)
            break;
        size += (size_t)count;
    }
    if (text)
        text[size] = 0;
    return text;
}

/* Splits the next line of a database at colons; the fields stay empty strings where the line is short. */
static bool next_entry(char **rest, char *field[], size_t fields)
{
    char *line;

    do
        line = strsep(rest, "\n");
    while (line && (!*line || *line == '#'));
    if (!line)
        return false;
    for (size_t i = 0; i < fields; i++) {
        char *value = line ? strsep(&line, ":") : NULL;
        field[i] = value ? value : line ? line : "";
    }
    return true;
}

static bool parse_id(const char *text, long *id)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *id = strtol(text, &end, 10);
    return !errno && !*end && *id <= ID_MAXIMUM;
}

static bool all_digits(const char *text) { return *text && text[strspn(text, "0123456789")] == 0; }

static int add_group(struct identity *identity, gid_t gid)
{
    for (size_t i = 0; i < identity->groups; i++)
        if (identity->group[i] == gid)
            return 0;
    if (identity->groups == GROUPS_MAXIMUM)
        return -E2BIG;
    identity->group[identity->groups++] = gid;
    return 0;
}

static bool is_member(char *members, const char *name)
{
    for (char *member; (member = strsep(&members, ",")) != NULL;)
        if (!strcmp(member, name))
            return true;
    return false;
}

/* The user's first line in passwd, by number or by name; false when a name is not there. `name` becomes the name there.
 * Digits are always a number: an image's line `1000:x:0:0` must not make root of somebody who asked for 1000. */
static bool find_user(char *passwd, const char *wanted, struct identity *identity, char *name, size_t name_size)
{
    long number = -1, uid, gid;
    bool numeric = parse_id(wanted, &number);
    char *field[6], *rest = passwd;

    if (numeric)
        identity->uid = (uid_t)number;
    while (rest && next_entry(&rest, field, COUNT(field))) {
        if (!parse_id(field[2], &uid) || !parse_id(field[3], &gid))
            continue;
        if (numeric ? uid != number : strcmp(field[0], wanted) != 0)
            continue;
        identity->uid = (uid_t)uid;
        identity->gid = (gid_t)gid;
        snprintf(name, name_size, "%s", field[0]);
        if (*field[5] == '/')
            snprintf(identity->home, sizeof identity->home, "%s", field[5]);
        return true;
    }
    return numeric;
}

/* A group by number or by name: its id, -1 when a name is not there. */
static long find_group(const char *text, const char *wanted)
{
    cleanup_free char *copy = text ? strdup(text) : NULL;
    char *field[4], *rest = copy;
    long gid;

    if (parse_id(wanted, &gid))
        return gid;
    while (rest && next_entry(&rest, field, COUNT(field)))
        if (!strcmp(field[0], wanted) && parse_id(field[2], &gid))
            return gid;
    return -1;
}

int user_resolve(int root, const char *user, const struct list *group_add, struct identity *identity,
                 struct failure *failure)
{
    cleanup_free char *passwd = read_database(root, "/etc/passwd");
    cleanup_free char *groups = read_database(root, "/etc/group");
    char wanted[256], name[256] = "";
    const char *colon = strchr(user, ':');
    const char *wanted_group = colon ? colon + 1 : "";
    size_t length = colon ? (size_t)(colon - user) : strlen(user);
    long gid;

    *identity = (struct identity){.home = "/"};
    if (length >= sizeof wanted || strchr(wanted_group, ':') || strpbrk(user, "\n\r/"))
        return fail(failure, "user", -EINVAL, "%.200s is not a user", user);
    identity->group = calloc(GROUPS_MAXIMUM, sizeof *identity->group);
    if (!identity->group)
        return fail(failure, "user", -ENOMEM, "no memory for the groups");
    snprintf(wanted, sizeof wanted, "%.*s", length ? (int)length : 1, length ? user : "0");
    if (all_digits(wanted) && strtoul(wanted, NULL, 10) > ID_MAXIMUM)
        return fail(failure, "user", -ERANGE, "uids and gids must be in range 0-2147483647");
    if (!find_user(passwd, wanted, identity, name, sizeof name))
        return fail(failure, "user", 0, "unable to find user %s: no matching entries in passwd file", wanted);
    if (*wanted_group) {
        if (all_digits(wanted_group) && strtoul(wanted_group, NULL, 10) > ID_MAXIMUM)
            return fail(failure, "user", -ERANGE, "uids and gids must be in range 0-2147483647");
        gid = find_group(groups, wanted_group);
        if (gid < 0)
            return fail(failure, "user", 0, "unable to find group %.200s: no matching entries in group file",
                        wanted_group);
        identity->gid = (gid_t)gid;
    }
    add_group(identity, identity->gid);          /* also in the list, so that a later setgid cannot shed it (CVE-2022-2989) */
    if (!*wanted_group && *name && groups) {     /* as docker: members' groups only when no group was asked for */
        cleanup_free char *copy = strdup(groups);
        char *field[4], *rest = copy;
        while (rest && next_entry(&rest, field, COUNT(field)))
            if (is_member(field[3], name) && parse_id(field[2], &gid) && add_group(identity, (gid_t)gid) < 0)
                return fail(failure, "user", -E2BIG, "user %s is in more than %d groups", wanted, GROUPS_MAXIMUM);
    }
    for (size_t i = 0; i < group_add->count; i++) {
        const char *extra = group_add->item[i];
        gid = find_group(groups, extra);
        if (gid < 0)
            return fail(failure, "user", 0, "unable to find group %.200s: no matching entries in group file", extra);
        if (add_group(identity, (gid_t)gid) < 0)
            return fail(failure, "user", -E2BIG, "user %s is in more than %d groups", wanted, GROUPS_MAXIMUM);
    }
    return 0;
}

void identity_free(struct identity *identity)
{
    free(identity->group);
    identity->group = NULL;
    identity->groups = 0;
}
