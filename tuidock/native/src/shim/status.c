/* Status files: pid, exit, timeline, counters, and the journal. All are lines `key value`, written so that a reader never
 * sees half of one, and read with tolerance: what is unknown is skipped. */
#include "stay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { EXIT_RESERVED = 1024, PID_LIMIT = 128 * 1024 };

/* The blocks are there before the container runs, so that its end is recorded on a full disk too. */
int exit_reserve(int container_dir)
{
    cleanup_close int fd = open_at(container_dir, ".exit", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return fd;
    int error = posix_fallocate(fd, 0, EXIT_RESERVED);
    if (error == EOPNOTSUPP || error == ENOSYS || error == EINVAL) {
        char zeros[EXIT_RESERVED] = {0};
        return write_all(fd, zeros, sizeof zeros);
    }
    return -error;
}

int exit_write(int container_dir, unsigned long generation, const struct ending *ending)
{
    char text[EXIT_RESERVED];
    int length = snprintf(text, sizeof text,
                          "version 1\ngeneration %lu\nstatus %d\nsignal %d\noom %d\nstarted %llu\nfinished %llu\n"
                          "restarts %u\nerror %s\n",
                          generation, ending->status, ending->signal, ending->oom, (unsigned long long)ending->started,
                          (unsigned long long)ending->finished, ending->restarts, ending->error);
    cleanup_close int fd = open_at(container_dir, ".exit", O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return fd;
    if (pwrite(fd, text, (size_t)length, 0) != length)
        return errno ? -errno : -EIO;
    if (ftruncate(fd, length) < 0 || fdatasync(fd) < 0)
        return -errno;
    return renameat(container_dir, ".exit", container_dir, "exit") < 0 ? -errno : 0;
}

/* One line of a file of `key value` lines: cuts it in place. False at the end. */
static bool next_pair(char **at, char **key, char **value)
{
    if (!**at)
        return false;
    *key = *at;
    char *end = strchrnul(*at, '\n');
    *at = *end ? end + 1 : end;
    *end = 0;
    *value = strchr(*key, ' ');
    if (*value)
        *(*value)++ = 0;
    else
        *value = *key + strlen(*key);
    return true;
}

int exit_read(int container_dir, unsigned long generation, struct ending *ending)
{
    char text[EXIT_RESERVED + 1], *at = text, *key, *value;
    unsigned long found = 0;
    ssize_t got = read_file_at(container_dir, "exit", text, sizeof text);
    if (got < 0)
        return (int)got;
    while (next_pair(&at, &key, &value)) {
        if (!strcmp(key, "generation"))
            found = strtoul(value, NULL, 10);
        else if (!strcmp(key, "status"))
            ending->status = atoi(value);
        else if (!strcmp(key, "signal"))
            ending->signal = atoi(value);
        else if (!strcmp(key, "oom"))
            ending->oom = atoi(value);
        else if (!strcmp(key, "started"))
            ending->started = strtoull(value, NULL, 10);
        else if (!strcmp(key, "finished"))
            ending->finished = strtoull(value, NULL, 10);
        else if (!strcmp(key, "restarts"))
            ending->restarts = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(key, "error"))
            snprintf(ending->error, sizeof ending->error, "%s", value);
    }
    return found == generation ? 0 : -ENOENT;
}

void ending_from_wait(struct ending *ending, int code, int status)
{
    bool by_signal = code == CLD_KILLED || code == CLD_DUMPED;
    ending->signal = by_signal ? status : 0;
    ending->status = by_signal ? 128 + status : status & 255;
}

int boot_id(char *text, size_t size)
{
    ssize_t got = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, size);
    if (got < 0)
        return (int)got;
    text[strcspn(text, "\n")] = 0;
    return 0;
}

int pid_write(int run_dir, const struct pids *pids)
{
    const struct kept *kept = &pids->kept;
    size_t size = 1024 + kept->ports * 24;
    cleanup_free char *text = malloc(size);
    if (!text)
        return -ENOMEM;
    int used = snprintf(text, size,
                        "version 1\ngeneration %lu\nshim %d %llu\nrecorder %d %llu\ninit %d %llu\nstarted %llu\n"
                        "restarts %u\nboot %s\nfd-out %d\nfd-err %d\nfd-in %d\nfd-pty %d\nfd-net %d\nfd-control %d\n"
                        "fd-chunk %d\nfd-chunk-write %d\nfd-mark %d\n",
                        pids->generation, (int)pids->shim, (unsigned long long)pids->shim_start, (int)pids->recorder,
                        (unsigned long long)pids->recorder_start, (int)pids->init, (unsigned long long)pids->init_start,
                        (unsigned long long)pids->started, pids->restarts, pids->boot, kept->out, kept->err, kept->in,
                        kept->pty, kept->net, kept->control, kept->chunk_read, kept->chunk_write, kept->mark);
    for (size_t i = 0; i < kept->ports; i++)
        used += snprintf(text + used, size - (size_t)used, "fd-port %d\n", kept->port[i]);
    return replace_file_at(run_dir, "pid", text, true);
}

int pid_read(int run_dir, struct pids *pids)
{
    cleanup_free char *text = malloc(PID_LIMIT);
    if (!text)
        return -ENOMEM;
    ssize_t got = read_file_at(run_dir, "pid", text, PID_LIMIT);
    if (got < 0)
        return (int)got;
    memset(pids, 0, sizeof *pids);
    struct kept *kept = &pids->kept;
    const struct { const char *key; int *number; } descriptor[] = {
        {"fd-out", &kept->out}, {"fd-err", &kept->err}, {"fd-in", &kept->in}, {"fd-pty", &kept->pty},
        {"fd-net", &kept->net}, {"fd-control", &kept->control}, {"fd-chunk", &kept->chunk_read},
        {"fd-chunk-write", &kept->chunk_write}, {"fd-mark", &kept->mark},
    };
    const struct { const char *key; pid_t *pid; uint64_t *start; } process[] = {
        {"shim", &pids->shim, &pids->shim_start}, {"recorder", &pids->recorder, &pids->recorder_start},
        {"init", &pids->init, &pids->init_start},
    };
    for (size_t i = 0; i < COUNT(descriptor); i++)
        *descriptor[i].number = -1;
    char *at = text, *key, *value;
    while (next_pair(&at, &key, &value)) {
        for (size_t i = 0; i < COUNT(descriptor); i++)
            if (!strcmp(key, descriptor[i].key))
                *descriptor[i].number = atoi(value);
        for (size_t i = 0; i < COUNT(process); i++)
            if (!strcmp(key, process[i].key)) {
                char *rest;
                *process[i].pid = (pid_t)strtol(value, &rest, 10);
                *process[i].start = strtoull(rest, NULL, 10);
            }
        if (!strcmp(key, "generation"))
            pids->generation = strtoul(value, NULL, 10);
        else if (!strcmp(key, "started"))
            pids->started = strtoull(value, NULL, 10);
        else if (!strcmp(key, "restarts"))
            pids->restarts = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(key, "boot"))
            snprintf(pids->boot, sizeof pids->boot, "%s", value);
        else if (!strcmp(key, "fd-port") && kept->ports < PORT_SOCKETS)
            kept->port[kept->ports++] = atoi(value);
    }
    return pids->init > 0 ? 0 : -ENOENT;
}

/* The first lines are Python's steps; a timeline is for looking at only, so a failure to write it is none. */
void timeline_write(const struct record *record, int container_dir, const struct launched *times)
{
    size_t size = 512;
    for (size_t i = 0; i < record->step.count; i++)
        size += strlen(record->step.item[i]) + 2;
    cleanup_free char *text = malloc(size);
    if (!text)
        return;
    size_t used = 0;
    for (size_t i = 0; i < record->step.count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s\n", record->step.item[i]);
    snprintf(text + used, size - used, "layer %llu\nbridge %llu\naddress %llu\nprocess %llu\n",
             (unsigned long long)times->ns_layer, (unsigned long long)times->ns_bridge,
             (unsigned long long)times->ns_address, (unsigned long long)times->ns_process);
    replace_file_at(container_dir, "timeline", text, false);
}

int number_write(int directory, const char *name, unsigned long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lu\n", number);
    return replace_file_at(directory, name, text, false);
}

unsigned long number_read(int directory, const char *name)
{
    char text[32];
    return read_file_at(directory, name, text, sizeof text) > 0 ? strtoul(text, NULL, 10) : 0;
}

/* One write of a whole line with O_APPEND: lines of several writers never mix. */
int journal_append(const struct record *record, const char *action, const char *attributes_json)
{
    if (!record->events || !*record->events)
        return 0;
    const char *actor = record->actor ? record->actor : "";
    size_t size = 256 + strlen(record->id) + strlen(actor) + strlen(action) + strlen(attributes_json);
    cleanup_free char *line = malloc(size);
    if (!line)
        return -ENOMEM;
    int length = snprintf(line, size,
                          "{\"t\":%llu,\"type\":\"container\",\"action\":\"%s\",\"id\":\"%s\"%s%s,\"attr\":%s}\n",
                          (unsigned long long)now_ns(), action, record->id, *actor ? "," : "", actor, attributes_json);
    cleanup_close int fd = open_at(AT_FDCWD, record->events, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0)
        return fd;
    return write_all(fd, line, (size_t)length);
}
