"""Answers to a registry's 401: Basic, or a token from the realm that it names.

A token is for one host, service and set of scopes; it is kept until shortly before it runs out, and only one thread
fetches it while the others wait. Credentials go to the registry that they are for and to the realm that it names over a
trusted connection, never anywhere else (CVE-2019-10214, CVE-2020-15157).
"""

from __future__ import annotations

import base64
import threading
import time
from urllib.parse import urlencode

from tuidock.engine.clean import clean
from tuidock.engine.errors import AuthFailed, RegistryRefused
from tuidock.engine.fastjson import loads
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry.keyring import Secret
from tuidock.engine.registry.transport import Dropped, Response, Transport, netloc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tuidock.engine.registry.challenges import Challenge
    from tuidock.engine.registry.settings import Settings

CLIENT_ID = "tuidock"
#: docker's smallest lifetime of a token (seconds), which is also what silence means.
_LIFETIME = 60
_ANSWER_LIMIT = 1 << 20
#: What realms answer that know only GET, or nothing of this grant.
_NO_POST = (400, 401, 403, 404, 405, 415)


class Token(Named):
    """text goes into the header; refresh is an identity token, when the realm gave one; until is of time.monotonic."""

    text: str
    refresh: str = ""
    until: float = 0.0


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: Token | None = None
        self.asked = ""  # the scope that the registry itself named for such a request


class Authorizer:
    """The Authorization header of one registry host."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        host: str,
        secret: Callable[[], Secret],
        *,
        offline: bool = False,
    ) -> None:
        self._transport, self._settings, self._host, self._secret = transport, settings, host, secret
        self._challenge: Challenge | None = None
        self._slots: dict[frozenset[str], _Slot] = {}
        self._lock = threading.Lock()
        self._offline = offline  # ask for an identity token as well
        self.identity_token = ""

    @property
    def has_secret(self) -> bool:
        """Whether there are credentials to offer."""
        return bool(self._secret())

    def header(self, url: str, scopes: Sequence[str]) -> str:
        """What to send along, "" before the first challenge. Raises AuthFailed, RegistryRefused."""
        challenge = self._challenge
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            secret = self._secret()
            if not secret or secret.identity_token:
                return ""
            self._check_safe(url, "the registry", url)
            return _basic(secret)
        slot = self._slot(scopes)
        with slot.lock:
            if slot.token is None or time.monotonic() >= slot.token.until:
                more = [scope for scope in slot.asked.split() if not _covered(scope, scopes)]
                slot.token = self._fetch(url, challenge, [*scopes, *more])
                self.identity_token = slot.token.refresh or self.identity_token
            return "Bearer " + slot.token.text

    def challenged(self, challenge: Challenge, scopes: Sequence[str], used: str) -> None:
        """A 401 came for a request with this header ("" = none): what was used is not used again."""
        self._challenge = challenge
        slot = self._slot(scopes)
        with slot.lock:
            slot.asked = challenge.parameters.get("scope", "")
            if slot.token is not None and used == "Bearer " + slot.token.text:
                slot.token = None

    def _slot(self, scopes: Sequence[str]) -> _Slot:
        with self._lock:
            return self._slots.setdefault(frozenset(scopes), _Slot())

    def _fetch(self, url: str, challenge: Challenge, scopes: Sequence[str]) -> Token:
        """A new token from the challenge's realm."""
        realm = challenge.parameters.get("realm", "")
        service = challenge.parameters.get("service", "")
        self._check_safe(realm, "the realm of tokens", url)
        secret = self._secret()
        if secret:
            token = self._post(realm, service, scopes, secret)
            if token is not None:
                return token
        return self._get(realm, service, scopes, secret)

    def _check_safe(self, target: str, what: str, registry: str) -> None:
        scheme = target.partition("://")[0].lower()
        host = netloc(target)
        if scheme == "https" and host:
            return
        if scheme != "http" or not host:
            raise RegistryRefused(
                f"{clean(netloc(registry))} names {clean(target)[:200]!r} as {what}, which is no address"
            )
        if not self._settings.is_insecure(netloc(registry)) or not self._settings.is_insecure(host):
            raise RegistryRefused(
                f"{clean(netloc(registry))} names {clean(target)[:200]} as {what}, where credentials could be read on the"
                f" way; it has to be https (or both hosts listed under registries.insecure in config.yaml)"
            )

    def _post(self, realm: str, service: str, scopes: Sequence[str], secret: Secret) -> Token | None:
        """By OAuth's form; None when the realm does not know that."""
        form = {"client_id": CLIENT_ID, "service": service, "scope": " ".join(scopes)}
        if secret.identity_token:
            form |= {"grant_type": "refresh_token", "refresh_token": secret.identity_token}
        else:
            form |= {"grant_type": "password", "username": secret.username, "password": secret.password}
            if self._offline:
                form["access_type"] = "offline"
        if not form["scope"]:
            del form["scope"]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with self._transport.send("POST", realm, headers, urlencode(form).encode()) as response:
            if response.status in _NO_POST and not secret.identity_token:
                return None
            return self._read(response, realm, secret)

    def _get(self, realm: str, service: str, scopes: Sequence[str], secret: Secret) -> Token:
        query: list[tuple[str, str]] = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if secret and not secret.identity_token:
            query.append(("account", secret.username))
            headers["Authorization"] = _basic(secret)
            if self._offline:
                query += [("client_id", CLIENT_ID), ("offline_token", "true")]
        url = realm + ("&" if "?" in realm else "?") + urlencode(query)
        with self._transport.send("GET", url, headers) as response:
            return self._read(response, realm, secret)

    def _read(self, response: Response, realm: str, secret: Secret) -> Token:
        status, host = response.status, clean(netloc(realm))
        if status in (400, 401, 403):
            said = response.complaint()[1] or f"status {status}"
            login = f"`{login_at(self._host)}`"
            if secret:
                who = f" of {clean(secret.username)}" if secret.username else ""
                raise AuthFailed(f"{host} did not accept the credentials{who} ({said}); log in again: {login}", status)
            raise AuthFailed(f"{host} gives no token without credentials ({said}); log in first: {login}", status)
        if status == 429 or status >= 500:
            raise Dropped(f"{host} gives no token now (status {status})", status, response.wait())
        if status != 200:
            raise RegistryRefused(f"{host} gives no token: it answered with status {status}", status)
        return _token(response.read(_ANSWER_LIMIT, "token"), host)


def login_at(host: str) -> str:
    """The command that helps where credentials are missing."""
    return "tuidock login" if host == DEFAULT_DOMAIN else f"tuidock login {host}"


def _token(raw: bytes, host: str) -> Token:
    try:
        document: Any = loads(raw.decode())
        text = document.get("token") or document.get("access_token")
        refresh = document.get("refresh_token") or ""
        if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text:
            raise ValueError
        seconds = max(_LIFETIME, int(document.get("expires_in") or _LIFETIME))
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise RegistryRefused(f"{host} answered no token that can be used") from None
    return Token(text, refresh if isinstance(refresh, str) else "", time.monotonic() + min(seconds, 86400) * 0.9)


def _basic(secret: Secret) -> str:
    return "Basic " + base64.b64encode(f"{secret.username}:{secret.password}".encode()).decode()


def _covered(scope: str, wanted: Sequence[str]) -> bool:
    """Whether a challenge's scope says no more than what is asked for anyway."""
    name, _, actions = scope.rpartition(":")
    for other in wanted:
        same, _, more = other.rpartition(":")
        if same == name and set(actions.split(",")) <= set(more.split(",")):
            return True
    return False
