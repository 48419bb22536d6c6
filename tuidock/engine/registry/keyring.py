"""Passwords for registries, where docker keeps them: ~/.docker/config.json and the helpers that it names.

What docker or podman has stored is found here, and what is stored here they find. The file is changed under a lock of
its own, by a temporary file and a rename, and everything in it that is not about credentials stays as it was; a file
that cannot be read is never overwritten. podman's files are only read.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat

from tuidock.engine.errors import AuthFailed, InvalidArgument, SystemFailure
from tuidock.engine.files import locked, refuse, write_atomic
from tuidock.engine.image_types import Login
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry import helpers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: The name under which docker keeps what is for docker.io.
HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = (DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


class Secret(Named):
    """What to show a registry: a password, or an identity token that stands for one."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __bool__(self) -> bool:
        return bool(self.identity_token or self.username or self.password)


def host_of(server: str) -> str:
    """The host that a person or a file means by a server: without scheme and path, docker.io for all names of the hub."""
    host = server.strip().partition("://")[2] if "://" in server else server.strip()
    host = host.partition("/")[0].lower()
    return DEFAULT_DOMAIN if host in _HUB_HOSTS else host


def key_of(host: str) -> str:
    """The name under which docker keeps a host's credentials."""
    return HUB_KEY if host == DEFAULT_DOMAIN else host


class Keyring:
    """The credentials that a person has on this machine."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        home = environ.get("HOME") or os.path.expanduser("~")
        self.directory = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")

    @property
    def path(self) -> str:
        return os.path.join(self.directory, "config.json")

    def document(self) -> dict[str, Any]:
        """docker's file. Raises SystemFailure or InvalidArgument when it is there and cannot be read."""
        return _read(self.path)

    def _others(self) -> list[str]:
        """podman's files, in its order; they are of a form with docker's."""
        environ = self._environ
        found = [environ["REGISTRY_AUTH_FILE"]] if environ.get("REGISTRY_AUTH_FILE") else []
        runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        found.append(os.path.join(runtime, "containers", "auth.json"))
        if os.geteuid() == 0:
            found.append("/run/containers/0/auth.json")
        home = environ.get("HOME") or os.path.expanduser("~")
        config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return [*found, os.path.join(config, "containers", "auth.json")]

    def helper_of(self, host: str, document: Mapping[str, Any] | None = None) -> str:
        """The helper that keeps a host's credentials; "" = they stand in the file itself."""
        if document is None:
            document = self.document()
        chosen = document.get("credHelpers")
        if isinstance(chosen, dict):
            for server, name in chosen.items():
                if host_of(str(server)) == host and isinstance(name, str):
                    return name
        store = document.get("credsStore")
        return store if isinstance(store, str) else ""

    def find(self, host: str) -> Secret:
        """The credentials for a host; an empty Secret when there are none."""
        document = self.document()
        helper = self.helper_of(host, document)
        if helper:
            found = helpers.get(helper, key_of(host))
            if found is not None:
                return _from_helper(*found)
        secret = _in_file(document, host)
        if secret:
            return secret
        for path in self._others():
            try:
                other = _read(path)
            except (InvalidArgument, SystemFailure):
                continue
            if secret := _in_file(other, host):
                return secret
        return Secret()

    def store(self, host: str, secret: Secret) -> str:
        """Keeps credentials; answers the helper that has them now, "" = the file."""
        with self._changing() as document:
            helper = self.helper_of(host, document)
            if helper:
                username = "<token>" if secret.identity_token else secret.username
                helpers.store(helper, key_of(host), username, secret.identity_token or secret.password)
                _auths(document)[key_of(host)] = {}
            else:
                _auths(document)[key_of(host)] = _entry(secret)
            self._write(document)
        return helper

    def forget(self, host: str) -> bool:
        """Removes credentials from the file and from its helper; False when there were none."""
        with self._changing() as document:
            helper = self.helper_of(host, document)
            auths = document.get("auths")
            keys = [key for key in auths if host_of(str(key)) == host] if isinstance(auths, dict) else []
            known = bool(keys)
            if helper:
                known = helpers.get(helper, key_of(host)) is not None or known
                helpers.erase(helper, key_of(host))
            if keys:
                for key in keys:
                    del document["auths"][key]
                self._write(document)
        return known

    def logins(self) -> list[Login]:
        """Every registry that there are credentials for, in order; podman's files are not looked into."""
        document = self.document()
        found: dict[str, Login] = {}
        auths = document.get("auths")
        for key in auths if isinstance(auths, dict) else ():
            host = host_of(str(key))
            helper = self.helper_of(host, document)
            secret = _in_file(document, host)
            if secret or helper:
                name = secret.username or ("<token>" if secret.identity_token else "")
                found[host] = Login(host, name, helper, "" if helper else self.path)
        chosen = document.get("credHelpers")
        names = [document.get("credsStore"), *(chosen.values() if isinstance(chosen, dict) else ())]
        for name in sorted({name for name in names if isinstance(name, str) and name}):
            for server, username in helpers.listing(name).items():
                host = host_of(server)
                if self.helper_of(host, document) == name:
                    found[host] = Login(host, username, name)
        return [found[host] for host in sorted(found)]

    def _changing(self) -> _Change:
        return _Change(self)

    def _write(self, document: Mapping[str, Any]) -> None:
        target = os.path.realpath(self.path)
        try:
            before = os.stat(target) if os.path.exists(target) else None
            write_atomic(target, json.dumps(document, indent="\t"), 0o600)
            if before is not None:
                os.chown(target, before.st_uid, before.st_gid)
                os.chmod(target, stat.S_IMODE(before.st_mode) & ~stat.S_IRWXO)  # there are passwords in it now
        except OSError as error:
            raise refuse(error, f"write {self.path}") from error


class _Change:
    """Holds the file for a read, a change and a write, so that two logins at once are both kept."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._lock: locked | None = None

    def __enter__(self) -> dict[str, Any]:
        try:
            os.makedirs(self._keyring.directory, mode=0o700, exist_ok=True)
            self._lock = locked(os.path.join(self._keyring.directory, ".config.json.lock"))
            self._lock.__enter__()
        except OSError as error:
            raise refuse(error, f"change {self._keyring.path}") from error
        try:
            return self._keyring.document()
        except BaseException:
            self._lock.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.__exit__()


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise refuse(error, f"read {path}") from error
    except ValueError as error:
        raise InvalidArgument(f"{path} is no JSON ({error}); correct it or move it away") from None
    if not isinstance(document, dict):
        raise InvalidArgument(f"{path} is no JSON object; correct it or move it away")
    return document


def _auths(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("auths")
    if not isinstance(found, dict):
        found = document["auths"] = {}
    return found


def _in_file(document: Mapping[str, Any], host: str) -> Secret:
    auths = document.get("auths")
    if not isinstance(auths, dict):
        return Secret()
    keys = [key_of(host), *(key for key in auths if key != key_of(host) and host_of(str(key)) == host)]
    for key in keys:
        if isinstance(auths.get(key), dict) and (secret := _from_entry(auths[key], host)):
            return secret
    return Secret()


def _from_entry(entry: Mapping[str, Any], host: str) -> Secret:
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            plain = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            raise AuthFailed(f"the credentials for {host} in docker's config.json are damaged; log in again") from None
        username, _, password = plain.partition(":")
        password = password.rstrip("\0")
    return Secret(username, password, str(entry.get("identitytoken") or ""))


def _from_helper(username: str, secret: str) -> Secret:
    return Secret(identity_token=secret) if username == "<token>" else Secret(username, secret)


def _entry(secret: Secret) -> dict[str, str]:
    if secret.identity_token:
        plain, more = f"{secret.username}:", {"identitytoken": secret.identity_token}
    else:
        plain, more = f"{secret.username}:{secret.password}", {}
    return {"auth": base64.b64encode(plain.encode()).decode(), **more}
