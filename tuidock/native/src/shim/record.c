/* The launch record: `key\0value\0` pairs, read into struct record.
 *
 * One table says every key, in which object it may stand and how its value is read, so a key that this version does
 * not know is an error and never a silently ignored wish. All strings stay in the one buffer that the file was read
 * into.
 */
#include "shim.h"
#include "kernel.h"
#include "record_values.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_VERSION "1"
#define RECORD_MAXIMUM (8u << 20)

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

enum object { IN_RECORD, IN_MOUNT, IN_CGROUP, IN_INTERFACE, IN_PORT };
enum kind {
    TEXT, LIST, BOOLEAN, NATURAL, SHORT, LONG, SIGNED_LONG_LONG, SIGNED, OCTAL, HEXADECIMAL, PORT_NUMBER,
    MOUNT, MOUNT_KIND, DEVICE, CGROUP, CGROUP_MODE, SETTING, OPTIONAL_SETTING, SETTING_VALUE, INTERFACE, PORT, LIMIT,
    ROOTFS, LOG_DRIVER, IGNORED,
};
struct key { const char *name; enum object object; enum kind kind; size_t offset; };

#define R(name, kind, member) {name, IN_RECORD, kind, offsetof(struct record, member)}
#define M(name, kind, member) {name, IN_MOUNT, kind, offsetof(struct mount, member)}
#define I(name, kind, member) {name, IN_INTERFACE, kind, offsetof(struct interface, member)}
#define P(name, kind, member) {name, IN_PORT, kind, offsetof(struct port, member)}

static const struct key KEYS[] = {
    M("source", TEXT, source), M("target", TEXT, target), M("flags", LONG, flags),
    M("propagation", LONG, propagation), M("data", TEXT, data), M("kind", MOUNT_KIND, target_is_file),
    M("copy-mode", IGNORED, data), M("cgroup-bind", LIST, cgroup_bind), M("subpath", TEXT, subpath),
    M("readonly-top", BOOLEAN, readonly_top), M("idmap", BOOLEAN, idmap),
    {"set", IN_CGROUP, SETTING, 0}, {"set-optional", IN_CGROUP, OPTIONAL_SETTING, 0},
    {"value", IN_CGROUP, SETTING_VALUE, 0},
    I("bridge", TEXT, bridge), I("veth", TEXT, veth), I("address", LIST, address), I("gateway", LIST, gateway),
    I("mac", TEXT, mac), I("mtu", NATURAL, mtu), I("driver", TEXT, driver), I("mode", TEXT, mode),
    I("isolated", BOOLEAN, isolated),
    P("host-ip", TEXT, host_ip), P("host-port", PORT_NUMBER, host_port),
    P("container-port", PORT_NUMBER, container_port), P("address", TEXT, address),
    P("address6", TEXT, address6),
    R("mount", MOUNT, mount), R("device", DEVICE, device), R("arg", LIST, arg), R("env", LIST, env),
    R("cgroup", CGROUP, cgroup), R("masked", LIST, masked), R("readonly-path", LIST, readonly_path),
    R("lower", LIST, lower), R("device-rule", LIST, device_rule), R("sysctl", LIST, sysctl), R("rlimit", LIMIT, limit),
    R("id", TEXT, id), R("name", TEXT, name), R("instance", TEXT, instance), R("generation", LONG, generation),
    R("container-dir", TEXT, container_dir), R("run-dir", TEXT, run_dir), R("events", TEXT, events),
    R("actor", TEXT, actor), R("step", LIST, step), R("hostname", TEXT, hostname),
    R("domainname", TEXT, domainname), R("rootfs", ROOTFS, plain), R("upper", TEXT, upper), R("work", TEXT, work),
    R("plain", TEXT, plain_root), R("readonly", BOOLEAN, readonly_root), R("userxattr", BOOLEAN, userxattr),
    R("in-userns", BOOLEAN, in_userns), R("uid-map", LIST, uid_map), R("gid-map", LIST, gid_map),
    R("cgroup-mode", CGROUP_MODE, cgroup_v2), R("cgroup-memory", TEXT, cgroup_memory),
    R("ns-pid", TEXT, ns_pid), R("ns-ipc", TEXT, ns_ipc), R("ns-uts", TEXT, ns_uts),
    R("ns-cgroup", TEXT, ns_cgroup), R("ns-net", TEXT, ns_net),
    R("user-network", LIST, user_network),
    R("interface", INTERFACE, interface), R("port", PORT, port), R("nft-table", TEXT, nft_table),
    R("user", TEXT, user), R("group-add", LIST, group_add), R("cwd", TEXT, cwd), R("umask", OCTAL, umask),
    R("tty", BOOLEAN, tty), R("rows", SHORT, rows), R("cols", SHORT, cols), R("stdin", BOOLEAN, stdin_open),
    R("stdin-once", BOOLEAN, stdin_once), R("caps", HEXADECIMAL, caps), R("no-new-privs", BOOLEAN, no_new_privs),
    R("seccomp", TEXT, seccomp), R("apparmor", TEXT, apparmor), R("oom-score-adj", SIGNED, oom_score_adj),
    R("init", BOOLEAN, init),
    R("log-driver", LOG_DRIVER, log_none), R("log-max-size", SIGNED_LONG_LONG, log_max_size),
    R("log-max-file", NATURAL, log_max_file), R("stop-signal", SIGNED, stop_signal),
    R("restart-policy", TEXT, restart_policy), R("restart-max", NATURAL, restart_max),
    R("auto-remove", BOOLEAN, auto_remove), R("reap", LIST, reap), R("restore", LIST, restore), R("bound", BOOLEAN, bound),
    R("health", LIST, health), R("health-interval", LONG, health_interval), R("health-timeout", LONG, health_timeout),
    R("health-start-period", LONG, health_start_period), R("health-start-interval", LONG, health_start_interval),
    R("health-retries", NATURAL, health_retries),
};

static char EMPTY[1];

/* Room for one more element and the NULL behind it; arrays grow by doubling, seen from the count alone. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count != 0 && (count + 1) & count)          /* not a power of two minus one: still room */
        return array;
    return realloc(array, (2 * (count + 1)) * size);
}

static int append(struct list *list, char *value)
{
    char **item = grow(list->item, list->count, sizeof *item);
    if (!item)
        return -ENOMEM;
    list->item = item;
    item[list->count++] = value;
    item[list->count] = NULL;
    return 0;
}

/* A zeroed new element at the end of an array member of the record, its text members empty strings. */
static void *extend(void *array_member, size_t *count, size_t size, enum object object)
{
    void **array = array_member;
    char *element = grow(*array, *count, size);

    if (!element)
        return NULL;
    *array = element;
    element += size * (*count)++;
    memset(element, 0, size);
    for (size_t i = 0; object != IN_RECORD && i < COUNT(KEYS); i++)
        if (KEYS[i].object == object && KEYS[i].kind == TEXT)
            *(char **)(element + KEYS[i].offset) = EMPTY;
    return element;
}

static int add_setting(struct cgroup *cgroup, char *file, bool optional)
{
    struct setting *setting;

    if (!*file || strchr(file, '/'))                /* a file of that directory, nothing elsewhere */
        return -EINVAL;
    setting = extend(&cgroup->setting, &cgroup->settings, sizeof *setting, IN_RECORD);
    if (!setting)
        return -ENOMEM;
    setting->file = file;
    setting->value = EMPTY;
    setting->optional = optional;
    return 0;
}

/* Reads one value into its member. `open` is the object that the last opening key made. */
static int take(struct record *record, const struct key *key, char *value, enum object *object, void **open)
{
    void *member = (key->object == IN_RECORD ? (char *)record : (char *)*open) + key->offset;
    uint64_t number = 0;
    int64_t sign = 0;
    int rc = 0;

    if (key->object == IN_RECORD)
        *object = IN_RECORD;
    switch (key->kind) {
    case TEXT:
        *(char **)member = value;
        break;
    case LIST:
        return append(member, value);
    case BOOLEAN:
        return one_of(value, "0", "1", member);
    case NATURAL:
        rc = parse_unsigned(value, 10, UINT_MAX, &number);
        *(unsigned *)member = (unsigned)number;
        break;
    case SHORT:
    case PORT_NUMBER:
        rc = parse_unsigned(value, 10, USHRT_MAX, &number);
        *(unsigned short *)member = (unsigned short)number;
        break;
    case LONG:
        rc = parse_unsigned(value, 10, ULONG_MAX, &number);
        *(unsigned long *)member = (unsigned long)number;
        break;
    case SIGNED_LONG_LONG:
        rc = parse_signed(value, LLONG_MIN, LLONG_MAX, &sign);
        *(long long *)member = sign;
        break;
    case SIGNED:
        rc = parse_signed(value, INT_MIN, INT_MAX, &sign);
        *(int *)member = (int)sign;
        break;
    case OCTAL:
        rc = parse_unsigned(value, 8, 07777, &number);
        *(unsigned *)member = (unsigned)number;
        break;
    case HEXADECIMAL:
        return parse_unsigned(value, 16, UINT64_MAX, member);
    case MOUNT: {
        struct mount *mount = extend(&record->mount, &record->mounts, sizeof *mount, IN_MOUNT);
        if (!mount)
            return -ENOMEM;
        mount->type = value;
        *object = IN_MOUNT;
        *open = mount;
        break;
    }
    case MOUNT_KIND:
        return one_of(value, "dir", "file", member);
    case DEVICE: {
        struct device *device = extend(&record->device, &record->devices, sizeof *device, IN_RECORD);
        return device ? parse_device(value, device) : -ENOMEM;
    }
    case CGROUP: {
        struct cgroup *cgroup = extend(&record->cgroup, &record->cgroups, sizeof *cgroup, IN_CGROUP);
        if (!cgroup)
            return -ENOMEM;
        cgroup->directory = value;
        *object = IN_CGROUP;
        *open = cgroup;
        return *value == '/' ? 0 : -EINVAL;
    }
    case CGROUP_MODE:
        return one_of(value, "v1", "v2", member);
    case SETTING:
    case OPTIONAL_SETTING:
        return add_setting(*open, value, key->kind == OPTIONAL_SETTING);
    case SETTING_VALUE: {
        struct cgroup *cgroup = *open;
        if (!cgroup->settings)
            return -EINVAL;
        cgroup->setting[cgroup->settings - 1].value = value;
        break;
    }
    case INTERFACE: {
        struct interface *interface = extend(&record->interface, &record->interfaces, sizeof *interface, IN_INTERFACE);
        if (!interface)
            return -ENOMEM;
        interface->name = value;
        *object = IN_INTERFACE;
        *open = interface;
        break;
    }
    case PORT: {
        struct port *port = extend(&record->port, &record->ports, sizeof *port, IN_PORT);
        if (!port)
            return -ENOMEM;
        *object = IN_PORT;
        *open = port;
        port->protocol = (char)(!strcmp(value, "tcp") ? IPPROTO_TCP : !strcmp(value, "udp") ? IPPROTO_UDP
                              : !strcmp(value, "sctp") ? IPPROTO_SCTP : 0);
        return port->protocol ? 0 : -EINVAL;
    }
    case LIMIT: {
        struct limit *limit = extend(&record->limit, &record->limits, sizeof *limit, IN_RECORD);
        return limit ? parse_limit(value, limit) : -ENOMEM;
    }
    case ROOTFS:
        return one_of(value, "overlay", "plain", member);
    case LOG_DRIVER:
        return one_of(value, "file", "none", member);
    case IGNORED:
        break;
    }
    return rc;
}

static const struct key *find_key(const char *name, enum object object)
{
    const struct key *found = NULL;

    for (size_t i = 0; i < COUNT(KEYS); i++)
        if (*KEYS[i].name == *name && !strcmp(KEYS[i].name, name)) {
            if (KEYS[i].object == object)
                return &KEYS[i];
            if (KEYS[i].object == IN_RECORD)
                found = &KEYS[i];
        }
    return found;
}

static int parse(struct record *record, size_t size, struct failure *failure)
{
    enum object object = IN_RECORD;
    void *open = NULL;
    bool first = true;
    int rc;

    if (!size || record->buffer[size - 1])
        return fail(failure, "record", -EINVAL, "the launch record does not end with a NUL byte");
    for (char *at = record->buffer, *end = at + size; at < end;) {
        char *name = at, *value = name + strlen(name) + 1;
        const struct key *key;

        if (value >= end)
            return fail(failure, "record", -EINVAL, "key %s of the launch record has no value", name);
        at = value + strlen(value) + 1;
        if (first) {
            if (strcmp(name, "tuidock-record") || strcmp(value, RECORD_VERSION))
                return fail(failure, "record", -EPROTO, "launch record %s %s is not of version " RECORD_VERSION
                            ", the one this tuidock-shim reads", name, value);
            first = false;
            continue;
        }
        key = find_key(name, object);
        if (!key)
            return fail(failure, "record", -EPROTO, "key %s of the launch record is not known here", name);
        rc = take(record, key, value, &object, &open);
        if (rc < 0)
            return fail(failure, "record", rc, "key %s of the launch record cannot be %s", name, value);
    }
    return 0;
}

/* What must hold whatever is started, so that the rooms behind need not ask. */
static int check(const struct record *record, struct failure *failure)
{
    static const char *const POLICIES[] = {"no", "always", "on-failure", "unless-stopped"};
    bool policy_known = false;

    if (strlen(record->id) != 64 || strspn(record->id, "0123456789abcdef") != 64)
        return fail(failure, "record", -EINVAL, "the launch record has no container id of 64 hex digits");
    if (!record->arg.count)
        return fail(failure, "record", -EINVAL, "the launch record has no command");
    if (record->plain ? !*record->plain_root : !record->lower.count)
        return fail(failure, "record", -EINVAL, "the launch record has no root file system");
    for (size_t i = 0; i < COUNT(POLICIES); i++)
        policy_known |= !strcmp(record->restart_policy, POLICIES[i]);
    if (!policy_known)
        return fail(failure, "record", -EINVAL, "restart policy %s is not known", record->restart_policy);
    for (size_t i = 0; i < record->mounts; i++)
        if (*record->mount[i].target != '/')
            return fail(failure, "record", -EINVAL, "mount target %s is not absolute", record->mount[i].target);
    return 0;
}

int record_read(struct record *record, int directory, struct failure *failure)
{
    static char NO[] = "no", PRIVATE[] = "private", ROOT[] = "/";
    cleanup_close int fd = open_at(directory, "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    struct stat status;
    size_t size = 0;
    int rc;

    memset(record, 0, sizeof *record);
    for (size_t i = 0; i < COUNT(KEYS); i++)
        if (KEYS[i].object == IN_RECORD && KEYS[i].kind == TEXT)
            *(char **)((char *)record + KEYS[i].offset) = EMPTY;
    record->ns_pid = record->ns_ipc = record->ns_uts = record->ns_cgroup = record->ns_net = PRIVATE;
    record->restart_policy = NO;
    record->cwd = ROOT;
    record->umask = 0022;
    record->log_max_size = -1;
    record->log_max_file = 1;
    record->stop_signal = SIGTERM;
    if (fd < 0)
        return fail(failure, "record", fd, "open the launch record: %s", strerror(-fd));
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > (off_t)RECORD_MAXIMUM)
        return fail(failure, "record", -EINVAL, "the launch record is not a regular file of at most 8 MiB");
    record->buffer = malloc((size_t)status.st_size + 1);
    if (!record->buffer)
        return fail(failure, "record", -ENOMEM, "no memory for the launch record");
    while (size < (size_t)status.st_size) {
        ssize_t count = read(fd, record->buffer + size, (size_t)status.st_size - size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        size += (size_t)count;
    }
    record->buffer[size] = 0;
    rc = parse(record, size, failure);
    if (rc == 0)
        rc = check(record, failure);
    if (rc < 0)
        record_free(record);
    return rc;
}

void record_free(struct record *record)
{
    for (size_t i = 0; i < record->mounts; i++)
        free(record->mount[i].cgroup_bind.item);
    for (size_t i = 0; i < record->cgroups; i++)
        free(record->cgroup[i].setting);
    for (size_t i = 0; i < record->interfaces; i++) {
        free(record->interface[i].address.item);
        free(record->interface[i].gateway.item);
    }
    for (size_t i = 0; i < COUNT(KEYS); i++)
        if (KEYS[i].object == IN_RECORD && KEYS[i].kind == LIST)
            free(((struct list *)((char *)record + KEYS[i].offset))->item);
    free(record->mount);
    free(record->device);
    free(record->cgroup);
    free(record->interface);
    free(record->port);
    free(record->limit);
    free(record->buffer);
    memset(record, 0, sizeof *record);
}
