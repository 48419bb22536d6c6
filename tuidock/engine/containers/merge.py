"""The image's defaults under the user's wishes: docker's rules for Config. Pure."""

from __future__ import annotations

import os

from tuidock.engine.runtime import health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def merge_config(image: Mapping[str, Any], asked: Mapping[str, Any], hostname: str) -> dict[str, Any]:
    """The container's Config. A user's entrypoint takes the image's command away; [""] clears the image's entrypoint."""
    config = dict(asked)
    config["Env"] = merge_environment(image.get("Env") or (), asked.get("Env") or ())
    config["Labels"] = {**(image.get("Labels") or {}), **(asked.get("Labels") or {})}
    config["ExposedPorts"] = {**(image.get("ExposedPorts") or {}), **(asked.get("ExposedPorts") or {})}
    config["Volumes"] = {**(image.get("Volumes") or {}), **(asked.get("Volumes") or {})}
    entrypoint, command = asked.get("Entrypoint"), asked.get("Cmd")
    if entrypoint is None:
        entrypoint = image.get("Entrypoint")
        if command is None or command == []:
            command = image.get("Cmd")
    elif entrypoint == [""]:
        entrypoint = []
    config["Entrypoint"], config["Cmd"] = entrypoint, command
    check = health.merge(image.get("Healthcheck"), asked.get("Healthcheck"))
    if check:
        config["Healthcheck"] = check
    for key in ("User", "WorkingDir", "StopSignal", "Shell", "OnBuild"):
        if not config.get(key) and image.get(key):
            config[key] = image[key]
    working_dir = str(config.get("WorkingDir") or "")
    config["WorkingDir"] = os.path.normpath("/" + working_dir.lstrip("/")) if working_dir else ""
    config["Hostname"] = asked.get("Hostname") or hostname
    return config


def merge_environment(image: Any, asked: Any) -> list[str]:
    """The user's variables, then what the image says beside them; of one name the last counts."""
    merged = {str(item).partition("=")[0]: str(item) for item in asked}
    for item in image:
        merged.setdefault(str(item).partition("=")[0], str(item))
    return list(merged.values())
