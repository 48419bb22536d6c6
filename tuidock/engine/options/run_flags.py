"""The flags of `run` and `create`: one table for the parser, the help and the app's run form."""

from __future__ import annotations

from operator import attrgetter

from tuidock.engine.options.detach_keys import check_detach_keys
from tuidock.engine.options.devices import (
    check_cgroup_rule,
    check_device,
    parse_gpus,
    parse_throttle_bps,
    parse_throttle_iops,
    parse_ulimit,
    parse_weight_device,
)
from tuidock.engine.options.flags import Flag, listed, number, switch, text
from tuidock.engine.options.mounts import parse_mount
from tuidock.engine.options.networks import parse_network
from tuidock.engine.options.resource_flags import RESOURCE_FLAGS, size
from tuidock.engine.options.userns import parse_map
from tuidock.engine.options.values import (
    check_attach,
    check_env,
    check_label,
    check_link,
    check_platform,
    check_pull,
    check_sysctl,
    parse_address,
    parse_dns_search,
    parse_extra_host,
    parse_positive_duration,
)


def _duration(name: str, help: str) -> Flag:
    return text(name, "", help, kind="duration", parse=parse_positive_duration, default="")


_CREATE_FLAGS: tuple[Flag, ...] = (
    listed("add-host", "", "Add a line to /etc/hosts (host:ip; ip may be host-gateway)", parse=parse_extra_host),
    listed("annotation", "", "Add an annotation for the runtime (key=value)", kind="map"),
    listed("attach", "a", "Attach to stdin, stdout or stderr", parse=check_attach),
    listed("blkio-weight-device", "", "Block I/O weight of one device (path:weight)", parse=parse_weight_device),
    listed("cap-add", "", "Add Linux capabilities"),
    listed("cap-drop", "", "Drop Linux capabilities"),
    text("cgroup-parent", "", "Cgroup below which the container's lies"),
    text("cgroupns", "", "Cgroup namespace: host or private"),
    text("cidfile", "", "Write the container's id to this file"),
    number("cpu-count", "", "Number of CPUs (Windows only)"),
    number("cpu-percent", "", "CPU percent (Windows only)"),
    listed("device", "", "Give a device of the host to the container", parse=check_device),
    listed("device-cgroup-rule", "", "Add a rule to the allowed devices ('c 1:3 rwm')", parse=check_cgroup_rule),
    listed("device-read-bps", "", "Limit the read rate of a device (path:bytes)", parse=parse_throttle_bps),
    listed("device-read-iops", "", "Limit the reads per second of a device (path:number)", parse=parse_throttle_iops),
    listed("device-write-bps", "", "Limit the write rate of a device (path:bytes)", parse=parse_throttle_bps),
    listed("device-write-iops", "", "Limit the writes per second of a device (path:number)", parse=parse_throttle_iops),
    switch("disable-content-trust", "", "Accepted for scripts, without effect", on=True, hidden=True),
    listed("dns", "", "Set DNS servers", parse=parse_address),
    listed("dns-option", "", "Set options of /etc/resolv.conf", aliases=("dns-opt",)),
    listed("dns-search", "", "Set search domains", parse=parse_dns_search),
    text("domainname", "", "NIS domain name"),
    text("entrypoint", "", "Overwrite the entrypoint of the image"),
    listed("env", "e", "Set environment variables", parse=check_env),
    listed("env-file", "", "Read environment variables from a file"),
    listed("expose", "", "Expose a port or a range of ports"),
    listed("gpus", "", "GPUs to add ('all' for every one)", kind="gpu-request", parse=parse_gpus),
    listed("gidmap", "", "Groups of a user namespace (container:host:count)", parse=parse_map),
    listed("group-add", "", "Add supplementary groups"),
    text("health-cmd", "", "Command that checks health"),
    _duration("health-interval", "Time between two checks (ms|s|m|h)"),
    number("health-retries", "", "Failures in a row that mean unhealthy"),
    _duration("health-start-interval", "Time between two checks while starting (ms|s|m|h)"),
    _duration("health-start-period", "Time to start in, during which failures do not count (ms|s|m|h)"),
    _duration("health-timeout", "Longest time of one check (ms|s|m|h)"),
    text("hostname", "h", "Host name of the container"),
    switch("init", "", "Run a small init as PID 1 that forwards signals and reaps processes"),
    switch("interactive", "i", "Keep stdin open even if not attached"),
    size("io-maxbandwidth", "", "Highest I/O bandwidth (Windows only)"),
    number("io-maxiops", "", "Highest I/O rate (Windows only)", kind="uint"),
    text("ip", "", "IPv4 address", parse=parse_address),
    text("ip6", "", "IPv6 address", parse=parse_address),
    text("ipc", "", "IPC namespace: private, host, shareable, none or container:NAME"),
    text("isolation", "", "Isolation technology (Windows only)"),
    size("kernel-memory", "", "Kernel memory limit (kernels ignore it)"),
    listed("label", "l", "Set labels (key=value)", parse=check_label),
    listed("label-file", "", "Read labels from a file"),
    listed("link", "", "Link to another container (name:alias)", parse=check_link),
    listed("link-local-ip", "", "Link-local addresses", parse=parse_address),
    text("log-driver", "", "Where the log goes: json-file, local or none"),
    listed("log-opt", "", "Log options (max-size=10m, max-file=3)"),
    text("mac-address", "", "MAC address (02:42:ac:11:00:02)"),
    number("memory-swappiness", "", "Swappiness, 0 to 100", default=-1),
    listed("mount", "", "Attach a file system (type=bind,source=/a,target=/b)", kind="mount", parse=parse_mount),
    text("name", "", "Name of the container"),
    listed("network", "", "Connect to a network", kind="network", parse=parse_network, aliases=("net",)),
    listed("network-alias", "", "Add a name inside the network", aliases=("net-alias",)),
    switch("no-healthcheck", "", "Switch off the image's health check"),
    switch("oom-kill-disable", "", "Do not kill when memory is out"),
    number("oom-score-adj", "", "Adjust the OOM score (-1000 to 1000)"),
    text("pid", "", "PID namespace: host or container:NAME"),
    text("platform", "", "Platform that the image has to be for (linux/amd64)", parse=check_platform),
    switch("privileged", "", "Give extended privileges to the container"),
    listed("publish", "p", "Publish a port of the container ([ip:][host]:port[/protocol])"),
    switch("publish-all", "P", "Publish all exposed ports to free ports"),
    text("pull", "", "Pull the image: always, missing or never", default="missing", parse=check_pull),
    switch("quiet", "q", "Do not show the pull"),
    switch("read-only", "", "Mount the root file system read-only"),
    text("restart", "", "Restart policy: no, on-failure[:N], always, unless-stopped", default="no"),
    switch("rm", "", "Remove the container and its anonymous volumes when it ends"),
    text("runtime", "", "Accepted for scripts; the engine has its own"),
    listed(
        "security-opt",
        "",
        "Security options (no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE)",
    ),
    size("shm-size", "", "Size of /dev/shm"),
    text("stop-signal", "", "Signal that stops the container"),
    number("stop-timeout", "", "Seconds to wait before it is killed"),
    listed("storage-opt", "", "Options of the storage (none are supported)"),
    listed("sysctl", "", "Kernel settings of its namespaces (name=value)", kind="map", parse=check_sysctl),
    listed("tmpfs", "", "Mount a tmpfs (path[:options])"),
    switch("tty", "t", "Allocate a terminal"),
    listed("ulimit", "", "Resource limits (nofile=1024:2048)", kind="ulimit", parse=parse_ulimit),
    switch("use-api-socket", "", "There is no API socket here", hidden=True),
    text("user", "u", "User (name|uid[:group|gid])"),
    listed("uidmap", "", "Users of a user namespace (container:host:count)", parse=parse_map),
    text("userns", "", "User namespace: host, auto[:size=N], remap"),
    text("uts", "", "UTS namespace: host"),
    listed("volume", "v", "Mount a volume or a directory (source:target[:options])"),
    text("volume-driver", "", "Driver for volumes that are made"),
    listed("volumes-from", "", "Mount what other containers mount (name[:ro])"),
    text("workdir", "w", "Working directory inside the container"),
)
#: By name, as help and completion show them.
CREATE_FLAGS: tuple[Flag, ...] = tuple(sorted((*_CREATE_FLAGS, *RESOURCE_FLAGS), key=attrgetter("name")))

RUN_FLAGS: tuple[Flag, ...] = (
    *CREATE_FLAGS,
    switch("bound", "", "Kill the container when this command ends, however that comes", hidden=True),
    switch("detach", "d", "Run in the background and print the container's id"),
    text("detach-keys", "", "Keys that detach from the container", parse=check_detach_keys),
    switch("sig-proxy", "", "Pass received signals on to the process", on=True),
)
