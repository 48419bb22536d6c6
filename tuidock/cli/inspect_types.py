"""What docker's types know of an inspected object beside its JSON, for templates: omitted fields and empty values.

docker applies a template to Go structs. There a field that the JSON leaves out exists and is empty, so that
`{{if .State.Health}}` works on a container without a health check, and an absent list prints as [] instead of <nil>.
Two names differ as well: `.ID` of a container or an image is the JSON's Id.
"""

from __future__ import annotations

from tuidock.cli.template_eval import NO_LIST, NO_MAP, Empty, Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Fields that JSON leaves out when they are empty, by kind of object and section ("" = the object itself).
_OMITTED: dict[str, dict[str, dict[str, Any]]] = {
    "container": {
        "": {"SizeRw": None, "SizeRootFs": None},
        "State": {"Health": None},
        "Config": {
            "ArgsEscaped": False, "ExposedPorts": NO_MAP, "Healthcheck": None, "MacAddress": "",
            "NetworkDisabled": False, "OnBuild": NO_LIST, "Shell": NO_LIST, "StopSignal": "", "StopTimeout": None,
        },
        "HostConfig": {
            "Annotations": NO_MAP, "Init": None, "Mounts": NO_LIST, "Runtime": "", "StorageOpt": NO_MAP,
            "Sysctls": NO_MAP, "Tmpfs": NO_MAP,
        },
    },
    "image": {
        "": {"Variant": "", "OsVersion": "", "Descriptor": None},
        "Config": {
            "ArgsEscaped": False, "Cmd": NO_LIST, "Entrypoint": NO_LIST, "Env": NO_LIST, "ExposedPorts": NO_MAP,
            "Healthcheck": None, "Labels": NO_MAP, "OnBuild": NO_LIST, "Shell": NO_LIST, "StopSignal": "", "User": "",
            "Volumes": NO_MAP, "WorkingDir": "",
        },
    },
    "volume": {"": {"ClusterVolume": None, "Status": NO_MAP, "UsageData": None}},
    "network": {},
}  # fmt: skip

#: Fields that are pointers or numbers in Go, for which null stays <nil>.
_POINTERS = (
    "ClusterVolume", "Descriptor", "Health", "Healthcheck", "IPAMConfig", "Init", "MemorySwappiness", "OomKillDisable",
    "PidsLimit", "SizeRootFs", "SizeRw", "StopTimeout", "UsageData",
)  # fmt: skip
#: Of a health check.
_DURATIONS = ("Interval", "Timeout", "StartPeriod", "StartInterval")
_MAPS = (
    "Annotations", "Containers", "Data", "DriverOpts", "ExposedPorts", "Labels", "Networks", "Options", "PortBindings",
    "Ports", "StorageOpt", "Sysctls", "Tmpfs", "Volumes",
)  # fmt: skip


#: Maps of which only the keys count.
_SETS = ("ExposedPorts", "Volumes")


class Duration(int):
    """Nanoseconds that print as Go's durations do: 100ms, 1m30s."""

    def __str__(self) -> str:
        minutes, rest = divmod(int(self), 60_000_000_000)
        if not minutes and rest < 1_000_000_000:
            return f"{rest / 1e6:g}ms" if rest else "0s"
        hours, minutes = divmod(minutes, 60)
        head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{head}{rest / 1e9:.9g}s"


class HealthCheck(dict[str, Any] if TYPE_CHECKING else dict):  # type: ignore[misc]
    """docker's HealthConfig: all fields are there, and JSON has those that are not zero."""

    def items(self) -> Any:
        return [(name, value) for name, value in super().items() if value]


_NO_CHECK = {"Test": NO_LIST, "Interval": 0, "Timeout": 0, "StartPeriod": 0, "StartInterval": 0, "Retries": 0}


def typed(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document as a template sees it."""
    filled = dict(document)
    for section, fields in _OMITTED.get(kind, {}).items():
        if not section:
            filled = _with(filled, fields)
        elif isinstance(filled.get(section), dict):
            filled[section] = _with(filled[section], fields)
    if "Id" in filled and kind in ("container", "image", "network"):
        filled["ID"] = filled["Id"]
    return {key: _typed(key, value) for key, value in filled.items()}


def _with(known: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The omitted ones behind, as they stand last in docker's structs."""
    return {**known, **{name: value for name, value in fields.items() if name not in known}}


def _typed(key: str, value: Any) -> Any:
    if value is None and key not in _POINTERS:
        return NO_MAP if key in _MAPS else NO_LIST
    if key == "Healthcheck" and isinstance(value, dict):
        return HealthCheck({name: _typed(name, value.get(name) or empty) for name, empty in _NO_CHECK.items()})
    if isinstance(value, dict) and key in _SETS:
        return Map({name: Empty(item or {}) for name, item in value.items()})
    if isinstance(value, dict):
        items = {name: _typed(str(name), item) for name, item in value.items()}
        return Map(items) if key in _MAPS else items
    if key in _DURATIONS and type(value) is int:
        return Duration(value)
    if isinstance(value, list):
        return [_typed("", item) if isinstance(item, dict) else item for item in value]
    return value
