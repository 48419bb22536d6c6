/* Values of the launch record: text to numbers, devices, limits. Pure, and strict: what does not fit whole is -EINVAL. */
#include "record_values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

int parse_unsigned(const char *text, int base, uint64_t maximum, uint64_t *number)
{
    char *end;

    if (!*text || strchr("+- \t", *text))
        return -EINVAL;
    errno = 0;
    *number = strtoull(text, &end, base);
    return errno || *end || *number > maximum ? -EINVAL : 0;
}

int parse_signed(const char *text, int64_t minimum, int64_t maximum, int64_t *number)
{
    char *end;

    if (!*text || strchr("+ \t", *text))
        return -EINVAL;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno || *end || *number < minimum || *number > maximum ? -EINVAL : 0;
}

int parse_device(char *text, struct device *device)
{
    int used = 0;

    if (sscanf(text, "%c %u %u %o %u %u %n", &device->type, &device->major, &device->minor, &device->mode,
               &device->uid, &device->gid, &used) != 6 || !used || text[used] != '/' || !strchr("bcup", device->type))
        return -EINVAL;
    device->path = text + used;
    return 0;
}

static int parse_limit_value(const char *text, uint64_t *value)
{
    if (!strcmp(text, "-1") || !strcmp(text, "unlimited")) {
        *value = RLIM_INFINITY;
        return 0;
    }
    return parse_unsigned(text, 10, UINT64_MAX, value);
}

int parse_limit(const char *text, struct limit *limit)
{
    static const struct { const char *name; int resource; } NAMES[] = {
        {"as", RLIMIT_AS}, {"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU}, {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE}, {"locks", RLIMIT_LOCKS}, {"memlock", RLIMIT_MEMLOCK},
        {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE}, {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC},
        {"rss", RLIMIT_RSS}, {"rtprio", RLIMIT_RTPRIO}, {"rttime", RLIMIT_RTTIME},
        {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
    };
    char name[32], soft[32], hard[32], origin[16];
    const char *plain = name;

    if (sscanf(text, "%31s %31s %31s %15s", name, soft, hard, origin) != 4 ||
        parse_limit_value(soft, &limit->soft) < 0 || parse_limit_value(hard, &limit->hard) < 0)
        return -EINVAL;
    if (!strncasecmp(name, "RLIMIT_", 7))
        plain += 7;
    limit->by_user = !strcmp(origin, "user");
    if (!limit->by_user && strcmp(origin, "default"))
        return -EINVAL;
    for (size_t i = 0; i < COUNT(NAMES); i++)
        if (!strcasecmp(NAMES[i].name, plain)) {
            limit->resource = NAMES[i].resource;
            return 0;
        }
    return -EINVAL;
}

int one_of(const char *value, const char *no, const char *yes, bool *result)
{
    *result = !strcmp(value, yes);
    return *result || !strcmp(value, no) ? 0 : -EINVAL;
}
