/* Cgroups: v1 (and hybrid) hierarchies and v2, behind the same few calls.
 *
 * On v1 the process joins by itself, writing `0` to `tasks`: writing another's pid to cgroup.procs waits for an RCU grace
 * period, 5-18 ms. On v2 clone3 puts it in at birth.
 */
#include "shim.h"
#include "kernel.h"
#include "launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#define TEXT_SIZE 4096

/* A new cpuset of v1 has neither CPUs nor memory nodes, and nothing can be put in before it has. */
static int cpuset_inherit(int directory)
{
    static const char *const FILES[] = {"cpuset.cpus", "cpuset.mems"};
    char own[TEXT_SIZE], parent[TEXT_SIZE], up[64];

    for (size_t i = 0; i < COUNT(FILES); i++) {
        ssize_t size = read_file_at(directory, FILES[i], own, sizeof own);
        if (size == -ENOENT || (size > 0 && own[0] != '\n'))
            continue;
        snprintf(up, sizeof up, "../%s", FILES[i]);
        size = read_file_at(directory, up, parent, sizeof parent);
        if (size > 0)
            size = write_file_at(directory, FILES[i], parent);
        if (size < 0)
            return (int)size;
    }
    return 0;
}

static int make_directory(const char *path, bool v2);

static int make_parent(const char *path, bool v2)
{
    char parent[TEXT_SIZE];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof parent)
        return -ENOENT;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    return make_directory(parent, v2);
}

static int make_directory(const char *path, bool v2)
{
    int rc = 0;

    if (mkdir(path, 0755) < 0) {
        if (errno == EEXIST)
            return 0;
        if (errno != ENOENT)
            return -errno;
        rc = make_parent(path, v2);
        if (rc < 0)
            return rc;
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    if (!v2 && strstr(path, "cpuset")) {
        cleanup_close int directory = open_at(AT_FDCWD, path, O_DIRECTORY | O_PATH, 0);
        rc = directory < 0 ? directory : cpuset_inherit(directory);
    }
    return rc;
}

/* v2: hands every controller of each level on to the level below, from the top down to the parent of `path`. A level
 * that holds processes refuses (EBUSY); what could not be had shows when the setting itself fails. */
static void enable_controllers(const char *path)
{
    char level[TEXT_SIZE], text[TEXT_SIZE], enable[64];

    if (strlen(path) >= sizeof level)
        return;
    strcpy(level, path);
    for (char *slash = level + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = 0;
        {
            cleanup_close int directory = open_at(AT_FDCWD, level, O_DIRECTORY | O_PATH, 0);
            char *rest = text;
            if (directory >= 0 && read_file_at(directory, "cgroup.controllers", text, sizeof text) > 0)
                for (char *name; (name = strsep(&rest, " \n")) != NULL;)
                    if (*name && strlen(name) < sizeof enable - 1) {
                        snprintf(enable, sizeof enable, "+%s", name);
                        write_file_at(directory, "cgroup.subtree_control", enable);
                    }
        }
        *slash = '/';
    }
}

static int apply_settings(const struct record *record, const struct cgroup *cgroup, int directory,
                          struct failure *failure)
{
    bool enabled = !record->cgroup_v2;

    for (size_t i = 0; i < cgroup->settings; i++) {
        const struct setting *setting = &cgroup->setting[i];
        int rc = write_file_at(directory, setting->file, setting->value);
        if ((rc == -ENOENT || rc == -EACCES) && !enabled) {
            enabled = true;
            enable_controllers(cgroup->directory);
            rc = write_file_at(directory, setting->file, setting->value);
        }
        if (rc < 0 && !setting->optional)
            return fail(failure, "cgroup", rc, "set %s of %s to %.200s: %s", setting->file, cgroup->directory,
                        setting->value, strerror(-rc));
    }
    return 0;
}

int cgroup_create(const struct record *record, struct prepared *prepared, struct failure *failure)
{
    for (size_t i = 0; i < record->cgroups; i++) {
        const struct cgroup *cgroup = &record->cgroup[i];
        int rc = make_directory(cgroup->directory, record->cgroup_v2);
        int directory;

        if (rc < 0)
            return fail(failure, "cgroup", rc, "create %s: %s", cgroup->directory, strerror(-rc));
        directory = open_at(AT_FDCWD, cgroup->directory, O_DIRECTORY | O_RDONLY, 0);
        if (directory < 0)
            return fail(failure, "cgroup", directory, "open %s: %s", cgroup->directory, strerror(-directory));
        rc = apply_settings(record, cgroup, directory, failure);
        if (rc == 0 && record->cgroup_v2 && i == 0) {
            rc = device_program_attach(record, directory, failure);
            if (rc == 0) {
                close_fd(&prepared->cgroup_fd);
                prepared->cgroup_fd = directory;
                continue;
            }
        }
        close(directory);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int cgroup_join_v1(const struct record *record, struct failure *failure)
{
    char path[TEXT_SIZE];

    for (size_t i = 0; i < record->cgroups; i++) {
        int rc = (size_t)snprintf(path, sizeof path, "%s/tasks", record->cgroup[i].directory) < sizeof path
                     ? write_file_at(AT_FDCWD, path, "0") : -ENAMETOOLONG;
        if (rc < 0)
            return fail(failure, "cgroup", rc, "join %s: %s", record->cgroup[i].directory, strerror(-rc));
    }
    return 0;
}

/* Whether the container is paused. */
bool cgroup_frozen(const struct record *record)
{
    char text[TEXT_SIZE];

    for (size_t i = 0; i < record->cgroups; i++) {
        cleanup_close int directory = open_at(AT_FDCWD, record->cgroup[i].directory, O_DIRECTORY | O_PATH, 0);
        if (directory >= 0 && read_file_at(directory, record->cgroup_v2 ? "cgroup.freeze" : "freezer.state", text,
                                           sizeof text) > 0)
            return !strncmp(text, "1", 1) || !strncmp(text, "FR", 2);      /* FROZEN, FREEZING */
    }
    return false;
}

int cgroup_thaw(const struct record *record)
{
    int rc = -ENOENT;

    for (size_t i = 0; i < record->cgroups && rc < 0; i++) {
        cleanup_close int directory = open_at(AT_FDCWD, record->cgroup[i].directory, O_DIRECTORY | O_PATH, 0);
        if (directory >= 0)
            rc = record->cgroup_v2 ? write_file_at(directory, "cgroup.freeze", "0")
                                   : write_file_at(directory, "freezer.state", "THAWED");
    }
    return rc;
}

/* Kills every process of one cgroup directory; how many there were. */
static size_t kill_members(int directory)
{
    cleanup_close int procs = -1;
    size_t killed = 0;
    FILE *stream;
    int pid;

    if (write_file_at(directory, "cgroup.kill", "1") == 0) {
        char events[TEXT_SIZE];
        ssize_t size = read_file_at(directory, "cgroup.events", events, sizeof events);
        return size > 0 && strstr(events, "populated 1") ? 1 : 0;
    }
    procs = open_at(directory, "cgroup.procs", O_RDONLY, 0);
    stream = procs < 0 ? NULL : fdopen(procs, "re");
    if (!stream)
        return 0;
    procs = -1;
    while (fscanf(stream, "%d", &pid) == 1)
        if (pid > 0 && pid != getpid()) {
            kill(pid, SIGKILL);
            killed++;
        }
    fclose(stream);
    if (killed)
        write_file_at(directory, "freezer.state", "THAWED");     /* v1: the frozen do not die */
    return killed;
}

/* Removes a cgroup and those that the container made below it; -EBUSY while processes are on their way out. */
static int remove_tree(int parent, const char *name)
{
    cleanup_close int directory = -1;
    DIR *stream;
    int copy;

    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != EBUSY && errno != ENOTEMPTY)
        return -errno;
    directory = open_at(parent, name, O_DIRECTORY | O_RDONLY | O_NOFOLLOW, 0);
    if (directory < 0)
        return directory == -ENOENT ? 0 : directory;
    kill_members(directory);
    copy = open_at(directory, ".", O_DIRECTORY | O_RDONLY, 0);
    stream = copy < 0 ? NULL : fdopendir(copy);
    if (stream) {
        for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
            if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
                remove_tree(directory, entry->d_name);
        closedir(stream);
    } else if (copy >= 0) {
        close(copy);
    }
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(const struct record *record)
{
    int result = 0;

    for (size_t i = 0; i < record->cgroups; i++) {
        int rc = remove_tree(AT_FDCWD, record->cgroup[i].directory);
        for (long pause = 250000; rc == -EBUSY && pause < 400000000; pause *= 2) {   /* in all 0.5 s */
            struct timespec interval = {.tv_nsec = pause};
            nanosleep(&interval, NULL);
            rc = remove_tree(AT_FDCWD, record->cgroup[i].directory);
        }
        if (rc < 0 && result == 0)
            result = rc;
    }
    return result;
}

long cgroup_oom_kills(const struct record *record)
{
    cleanup_close int directory = -1;
    char text[TEXT_SIZE];
    const char *counter;
    ssize_t size;

    if (!*record->cgroup_memory)
        return -ENOENT;
    directory = open_at(AT_FDCWD, record->cgroup_memory, O_DIRECTORY | O_PATH, 0);
    if (directory < 0)
        return directory;
    size = read_file_at(directory, record->cgroup_v2 ? "memory.events" : "memory.oom_control", text, sizeof text);
    if (size < 0)
        return size;
    counter = strstr(text, "oom_kill ");
    return counter ? strtol(counter + strlen("oom_kill "), NULL, 10) : -ENOENT;
}

int cgroup_oom_watch(const struct record *record, int *event_fd, uint32_t *epoll_events)
{
    cleanup_close int directory = -1, control = -1, event = -1;
    char text[64];
    int rc;

    if (!*record->cgroup_memory)
        return -ENOENT;
    directory = open_at(AT_FDCWD, record->cgroup_memory, O_DIRECTORY | O_PATH, 0);
    if (directory < 0)
        return directory;
    if (record->cgroup_v2) {
        int events = open_at(directory, "memory.events", O_RDONLY, 0);
        if (events < 0)
            return events;
        *event_fd = events;
        *epoll_events = EPOLLPRI;
        return 0;
    }
    control = open_at(directory, "memory.oom_control", O_RDONLY, 0);
    if (control < 0)
        return control;
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return -errno;
    snprintf(text, sizeof text, "%d %d", event, control);
    rc = write_file_at(directory, "cgroup.event_control", text);
    if (rc < 0)
        return rc;
    *event_fd = event;
    *epoll_events = EPOLLIN;
    event = -1;
    return 0;
}
