"""Requests to one registry: mirrors first, tried again after a pause, redirected without credentials, authorised once.

What goes wrong becomes one sentence that says what to do. A registry's own words in it are cleaned and cut short.
"""

from __future__ import annotations

import random
import threading

from tuidock.engine.clean import clean
from tuidock.engine.errors import AuthFailed, RegistryRefused
from tuidock.engine.named import Named
from tuidock.engine.registry import challenges, endpoints, proxies
from tuidock.engine.registry import settings as configuration
from tuidock.engine.registry.endpoints import Endpoint
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.tokens import Authorizer, login_at
from tuidock.engine.registry.transport import Dropped, Response, Transport, Unreachable, netloc, origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tuidock.engine.registry.settings import Settings

    Content = bytes | Callable[[], Iterator[bytes]] | None

__all__ = ["Ask", "Dropped", "Session", "Unreachable"]

_REDIRECTS = (301, 302, 303, 307, 308)
_HOPS = 5
#: Longer than this nobody waits for one try, whatever Retry-After says (seconds).
_LONGEST_PAUSE = 120.0
_LONGEST_BACKOFF = 10.0
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class Ask(Named):
    """One request. path may be a whole URL that the registry has named for going on; content is made anew for each try.

    scopes: what a token must allow; pull: mirrors may answer; what: the thing asked for, in a sentence.
    """

    method: str
    path: str
    what: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    content: Content = None
    pull: bool = False
    accept: tuple[int, ...] = ()


class Session:
    """The way to one registry. Safe to use from several threads."""

    def __init__(self, host: str, settings: Settings | None = None, keyring: Keyring | None = None) -> None:
        self.host = host
        self.settings = settings if settings is not None else configuration.load()
        self._keyring = keyring or Keyring()
        self._transport = Transport(self.settings, proxies.configured(self._keyring.document()))
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._authorizers: dict[str, Authorizer] = {}
        self._secrets: dict[str, Secret] = {}
        self._offered = Secret()
        self._problem = ""  # why stored credentials could not be had
        self._working: str = ""  # the URL of the registry itself that has answered
        self._dead: dict[str, RegistryRefused] = {}  # mirrors that cannot be reached

    def close(self) -> None:
        self._transport.close()

    def cancel(self) -> None:
        """Ends what other threads wait for here."""
        self._transport.cancel()

    def check(self) -> None:
        """Raises RegistryRefused after `cancel`."""
        self._transport.check()

    def offer(self, secret: Secret) -> None:
        """Credentials that are tried instead of the stored ones; an identity token is asked for with them."""
        self._secrets[self.host] = self._offered = secret

    @property
    def identity_token(self) -> str:
        """What the registry gave in the place of the password that was offered, "" = nothing."""
        with self._lock:
            return next((one.identity_token for one in self._authorizers.values() if one.identity_token), "")

    def open(self, ask: Ask, retrying: Callable[[str], None] | None = None, *, attempts: int = 0) -> Response:
        """The answer to one request, of success or of a status in `accept`; who gets it closes it.

        Raises RegistryRefused, AuthFailed.
        """
        attempt = 0
        while True:
            try:
                return self.once(ask)
            except Dropped as error:
                attempt += 1
                self.pause(attempt, error, retrying, attempts)
            except AuthFailed as error:
                if self._problem:
                    raise AuthFailed(f"{error}; {self._problem}", error.status) from error
                raise

    def pause(
        self, attempt: int, error: Dropped, retrying: Callable[[str], None] | None = None, attempts: int = 0
    ) -> None:
        """Waits before the next attempt, as long as the registry asks or somewhat longer each time.

        Raises RegistryRefused instead when there were enough of them.
        """
        self._transport.check()
        most = attempts or self.settings.attempts
        if attempt >= most or error.after > _LONGEST_PAUSE:
            waits = f"; it asks to wait {error.after:.0f} seconds" if error.after > _LONGEST_PAUSE else ""
            advice = "; try again later" if most > 1 else ""
            raise RegistryRefused(f"{error}{waits}{advice}", error.status) from error
        backoff = min(self.settings.backoff * 2 ** (attempt - 1), _LONGEST_BACKOFF)
        seconds = max(error.after, backoff) + random.uniform(0, backoff / 2)
        if retrying is not None:
            retrying(f"{error}; again in {seconds:.1f} s")
        self._transport.cancelled.wait(seconds)
        self._transport.check()

    def authorizer(self, endpoint: Endpoint) -> Authorizer:
        """The one for an endpoint's host."""
        with self._lock:
            found = self._authorizers.get(endpoint.url)
            if found is None:
                host = endpoint.host  # a mirror has credentials of its own
                found = self._authorizers[endpoint.url] = Authorizer(
                    self._transport, self.settings, host, lambda: self._secret(host), offline=bool(self._offered)
                )
            return found

    def _secret(self, host: str) -> Secret:
        with self._asking:  # a helper may ask a person to unlock something, once
            found = self._secrets.get(host)
            if found is None:
                try:
                    found = self._keyring.find(host)
                except AuthFailed as error:
                    found, self._problem = Secret(), str(error)  # much can be had without credentials
                self._secrets[host] = found
            return found

    def _candidates(self, ask: Ask) -> list[Endpoint]:
        found = endpoints.of(self.host, self.settings, pull=ask.pull)
        if self._working:
            found = [one for one in found if one.mirror or one.url == self._working]
        return [one for one in found if one.url not in self._dead]

    def once(self, ask: Ask) -> Response:
        """`open` without another attempt. The first endpoint that answers is asked; a mirror's refusal means the next.

        Raises Dropped when trying again may help.
        """
        first: RegistryRefused | None = None
        for endpoint in self._candidates(ask):
            try:
                response = self._exchange(endpoint, ask)
                if not endpoint.mirror:
                    self._working = endpoint.url
                if 200 <= response.status < 300 or response.status in ask.accept:
                    return response
                with response:
                    raise self._refusal(response, endpoint, ask.what)
            except Unreachable as error:
                if endpoint.mirror:
                    self._dead[endpoint.url] = error
                elif endpoint.url == self._working:
                    raise Dropped(str(error)) from error
                first = error if first is None or getattr(first, "plain", False) else first
            except RegistryRefused as error:
                if not endpoint.mirror:
                    raise
                first = first or error
        assert first is not None
        raise first

    def _exchange(self, endpoint: Endpoint, ask: Ask) -> Response:
        """One request with its redirects, and a second time with credentials when the first answer asks for them."""
        url = ask.path if "://" in ask.path else endpoint.url + ask.path
        if origin_of(url) != origin_of(endpoint.url):
            # another host that the registry named as the place to go on: without credentials (CVE-2020-15157)
            self._check_downgrade(endpoint.url, url)
            return self._redirected(ask, url, ask.headers)
        authorizer = self.authorizer(endpoint)
        authorization = authorizer.header(url, ask.scopes)
        for last in (False, True):
            sent = {**ask.headers, "Authorization": authorization} if authorization else ask.headers
            response = self._redirected(ask, url, sent)
            if response.status != 401 or last or origin_of(response.url) != origin_of(url):
                break
            challenge = challenges.choose(challenges.parse(response.headers.get_list("www-authenticate")))
            if challenge is None:
                break
            try:
                authorizer.challenged(challenge, ask.scopes, authorization)
                used, authorization = authorization, authorizer.header(url, ask.scopes)
            except BaseException:
                response.close()
                raise
            if not authorization or authorization == used:
                break
            response.close()
        return response

    def _redirected(self, ask: Ask, url: str, headers: Mapping[str, str]) -> Response:
        sent = dict(headers)
        for _ in range(_HOPS):
            body = ask.content() if callable(ask.content) else ask.content
            response = self._transport.send(ask.method, url, sent, body)
            if response.status not in _REDIRECTS or ask.method not in ("GET", "HEAD"):
                return response
            target = response.location()
            response.close()
            if not target:
                raise RegistryRefused(f"{clean(netloc(url))} redirects without saying where to", response.status)
            self._check_downgrade(url, target)
            if origin_of(target) != origin_of(url):
                sent.pop("Authorization", None)
            url = target
        raise RegistryRefused(f"{self.host} redirects without end; the registry is set up wrongly")

    def _check_downgrade(self, url: str, target: str) -> None:
        if url.startswith("https://") and not target.startswith("https://"):
            if self.settings.is_insecure(netloc(target)) and self.settings.is_insecure(netloc(url)):
                return
            raise RegistryRefused(
                f"{clean(netloc(url))} sends on to {clean(target)[:200]}, from https to plain http, which is refused"
            )

    def _refusal(self, response: Response, endpoint: Endpoint, what: str) -> RegistryRefused:
        """The sentence for an answer that is no success."""
        status = response.status
        host = self.host if not endpoint.mirror else endpoint.host
        code, said = response.complaint()
        because = f": {said}" if said else ""
        if origin_of(response.url) != origin_of(endpoint.url) and status not in _BUSY:
            return RegistryRefused(
                f"{clean(response.host)}, where {host} sends on to, refuses {what}: status {status}{because}", status
            )
        if status == 401 and self._offered:
            who = self._offered.username
            return AuthFailed(
                f"{host} did not accept the credentials{f' of {clean(who)}' if who else ''}{because}", status
            )
        if status == 401 or (status == 403 and code in ("DENIED", "UNAUTHORIZED", "")):
            if self.authorizer(endpoint).has_secret:
                return AuthFailed(
                    f"{host} denies access to {what} with the credentials that are stored{because}; log in as somebody who"
                    f" may (`{login_at(self.host)}`)",
                    status,
                )
            return AuthFailed(
                f"{host} denies access to {what}, which does not exist or needs `{login_at(self.host)}`{because}",
                status,
            )
        if status == 404:
            return RegistryRefused(f"{host} has no {what}{because}", status)
        if status in _BUSY:
            problem = f"{host} answered with status {status}{because}"
            if status == 429 and not self.authorizer(endpoint).has_secret:
                problem += "; those who are logged in may ask more often"
            return Dropped(problem, status, response.wait())
        if 300 <= status < 400:
            return RegistryRefused(f"{host} wants to redirect {what}, which is refused", status)
        return RegistryRefused(f"{host} refuses {what}: status {status}{because}", status)
