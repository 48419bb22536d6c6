/* The init process between clone3 and exec, in order: cgroups, namespaces, mounts, what dresses the root, `ready`, and
 * after the launcher's `go` the identity and the program.
 *
 * It has no PR_SET_PDEATHSIG, since it must outlive a killed shim; a launcher that dies before `go` ends it by the end of
 * the pipe.
 */
#include "launch.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/prctl.h>

static int join(int namespace, const char *kind, struct failure *failure)
{
    if (namespace < 0)
        return 0;
    return checked(syscall(SYS_setns, namespace, 0)) < 0
               ? fail(failure, "clone", -errno, "join the %s namespace: %s", kind, strerror(errno)) : 0;
}

static int enter_namespaces(const struct child *child, struct failure *failure)
{
    const struct record *record = child->record;
    int rc = record->cgroup_v2 ? 0 : cgroup_join_v1(record, failure);

    if (rc == 0 && !strcmp(record->ns_cgroup, "private") && checked(syscall(SYS_unshare, CLONE_NEWCGROUP)) < 0)
        rc = fail(failure, "clone", -errno, "make the cgroup namespace: %s", strerror(errno));
    if (rc == 0)
        rc = join(child->join.ipc, "ipc", failure);
    if (rc == 0)
        rc = join(child->join.uts, "uts", failure);
    if (rc == 0)
        rc = join(child->join.net, "network", failure);
    if (rc == 0 && record->in_userns && !child->mapped && !strcmp(record->ns_net, "private"))
        rc = userns_loopback(failure);
    return rc;
}

static int set_names(const struct record *record, struct failure *failure)
{
    if (*record->hostname && sethostname(record->hostname, strlen(record->hostname)) < 0)
        return fail(failure, "hostname", -errno, "set the hostname to %s: %s", record->hostname, strerror(errno));
    if (*record->domainname && setdomainname(record->domainname, strlen(record->domainname)) < 0)
        return fail(failure, "hostname", -errno, "set the domain name to %s: %s", record->domainname, strerror(errno));
    return 0;
}

static int dress(const struct child *child, struct process *process, struct message *message, int *terminal)
{
    const struct record *record = child->record;
    struct failure *failure = &message->failure;
    struct sources sources;
    struct stdio stdio = *child->stdio;
    cleanup_close int root = -1, proc = -1, devpts = -1, slave = -1;
    uint64_t started = ticks_ns();
    bool own_dev;
    int rc = child->mapped ? 0 : sources_open(record, child->file_systems, -1, &sources, failure);

    if (child->mapped)
        sources = child->mapped->sources;
    if (rc == 0 && record->in_userns)
        rc = userns_sysfs(record, &sources, failure);
    if (rc < 0)
        return rc;
    if (stdio.in >= 0 && is_null(stdio.in))
        stdio.in = rc = null_open(sources.null);
    if (rc < 0)
        return fail(failure, "device", rc, "open /dev/null: %s", strerror(-rc));
    /* while the host's is in sight: inside a user namespace the kernel asks for a whole one before it gives another */
    proc = file_system_mount("proc", "proc", "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (proc < 0)
        return fail(failure, "mount", proc, "mount a procfs: %s", strerror(-proc));
    root = child->mapped ? child->mapped->root : rootfs_mount(record, failure);
    if (root < 0)
        return root;
    rc = rootfs_enter(root, record->container_dir, failure);
    if (rc < 0)
        return rc;
    message->ns_layer = ticks_ns() - started;
    rc = sysctls_write(record, proc, failure);
    if (rc == 0)
        rc = process_limits(record, proc, failure);
    if (rc == 0)
        rc = apparmor_confine(record, proc, failure);
    if (rc == 0)
        rc = set_names(record, failure);
    if (rc == 0 && child->mapped)        /* only now: the way to the root file system was root's of the machine */
        rc = idmap_become_root(failure);
    if (rc == 0)
        rc = mounts_make(record, root, &sources, proc, &devpts, &own_dev, failure);
    if (rc == 0)
        rc = devices_make(record, root, &sources, own_dev, failure);
    if (rc == 0 && record->tty) {
        *terminal = terminal_open(record, root, devpts, own_dev, &slave, failure);
        rc = *terminal < 0 ? *terminal : 0;
    }
    if (rc == 0)
        rc = paths_hide(record, root, sources.null, failure);
    if (rc == 0)
        rc = process_resolve(process, root, failure);
    if (rc == 0)
        rc = process_make_cwd(process, root, failure);
    if (rc == 0)
        rc = process_stdio(&stdio, slave, failure);
    return rc;
}

/* Read-only comes last, after the working directory could be made. */
static int finish_root(const struct record *record, struct failure *failure)
{
    cleanup_close int root = -1;
    int rc;

    if (!record->readonly_root)
        return 0;
    root = open_at(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
    rc = root < 0 ? root : mount_setattr_(root, 0, MOUNT_ATTR_RDONLY, 0, 0);
    return rc < 0 ? fail(failure, "mount", rc, "make the root file system read-only: %s", strerror(-rc)) : 0;
}

static int run(const struct child *child, struct message *message)
{
    const struct record *record = child->record;
    struct process process = {.record = record, .arg = &record->arg, .user = record->user, .cwd = record->cwd,
                              .caps = record->caps, .filter = *child->filter,
                              .init_exe = record->init ? child->prepared->self_exe : -1,
                              .owns_stdio = true, .status = child->status};
    int terminal = -1, rc;
    char go;

    process.env.item = calloc(record->env.count + 2, sizeof *process.env.item);
    if (!process.env.item)
        return fail(&message->failure, "exec", -ENOMEM, "no memory for the environment");
    if (record->env.count)
        memcpy(process.env.item, record->env.item, record->env.count * sizeof *process.env.item);
    process.env.count = record->env.count;
    signals_reset();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setsid();
    if (child->mapped && read(child->go, &go, 1) != 1)
        _exit(255);                      /* the launcher died before it wrote the id maps */
    rc = enter_namespaces(child, &message->failure);
    if (rc == 0)
        rc = dress(child, &process, message, &terminal);
    if (rc == 0)
        rc = finish_root(record, &message->failure);
    if (rc < 0)
        return rc;
    message->kind = MESSAGE_READY;
    rc = message_send(child->status, message, terminal);
    close_fd(&terminal);
    if (rc < 0 || read(child->go, &go, 1) != 1)
        _exit(255);                      /* the launcher is gone: nobody would know this process */
    return process_become(&process, &message->failure);
}

void child_main(const struct child *child)
{
    struct message message = {.kind = MESSAGE_FAILED};

    run(child, &message);
    message.kind = MESSAGE_FAILED;
    message_send(child->status, &message, -1);
    _exit(255);
}
