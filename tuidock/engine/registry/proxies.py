"""Which proxy a host is asked through: the environment's variables, else ~/.docker/config.json's `proxies.default`.

The rules of Go programs, docker among them: names match with and without a leading dot, addresses and networks are
compared as such, this machine is never asked through a proxy.
"""

from __future__ import annotations

import ipaddress
import os

from tuidock.engine.registry.settings import split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_KEYS = {"http": "httpProxy", "https": "httpsProxy", "no": "noProxy"}


def configured(document: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`http`, `https` and `no` with what each says, "" where nothing does."""
    section = document.get("proxies")
    default = section.get("default") if isinstance(section, dict) else None
    default = default if isinstance(default, dict) else {}
    found = {}
    for name, key in _KEYS.items():
        variable = f"{name}_proxy"
        found[name] = environ.get(variable.upper()) or environ.get(variable) or str(default.get(key) or "")
    if environ.get("REQUEST_METHOD"):
        found["http"] = environ.get("http_proxy", "")  # a CGI's HTTP_PROXY is the Proxy header of its client
    return found


def choose(proxies: Mapping[str, str], scheme: str, host: str) -> str:
    """The URL of the proxy for HOST[:PORT], "" = none."""
    proxy = proxies.get(scheme, "")
    if not proxy or _spared(host, proxies.get("no", "")):
        return ""
    return proxy if "://" in proxy else "http://" + proxy


def _spared(host: str, rules: str) -> bool:
    name, port = split_host(host.lower())
    name = name.rstrip(".")
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    for raw in rules.split(","):
        rule = raw.strip().lower()
        if rule == "*":
            return True
        if rule.count(":") == 1:
            rule, _, wanted = rule.partition(":")
            if wanted != port:
                continue
        if not rule:
            continue
        if address is not None:
            if _address(rule.strip("[]")) == address or _in_network(address, rule):
                return True
        elif rule.startswith("."):
            if name.endswith(rule):
                return True
        elif name == rule.removeprefix("*.") or name.endswith("." + rule.removeprefix("*.")):
            return True
    return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _in_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, rule: str) -> bool:
    try:
        return "/" in rule and address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False
