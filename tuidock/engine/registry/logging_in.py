"""Login: credentials are shown to the registry first and kept only when it accepts them."""

from __future__ import annotations

from tuidock.engine.errors import AuthFailed, InvalidArgument
from tuidock.engine.image_types import Login
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry.keyring import Keyring, Secret, host_of
from tuidock.engine.registry.session import Ask, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.registry.settings import Settings


def login(server: str, username: str, password: str, settings: Settings | None = None) -> Login:
    """Without a name the stored credentials are tried again. Raises AuthFailed, RegistryRefused, InvalidArgument."""
    host = host_of(server or DEFAULT_DOMAIN)
    keyring = Keyring()
    secret = Secret(username, password) if username or password else keyring.find(host)
    if not secret:
        raise AuthFailed(f"there are no credentials for {host}; give a user name and a password")
    if username and not password:
        raise InvalidArgument(f"cannot log in to {host} as {username}: the password is empty")
    try:
        f"{username}{password}".encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"cannot log in to {host}: user name and password must be UTF-8 text") from None
    if ":" in username:
        raise InvalidArgument(f"cannot log in to {host} as {username}: a user name cannot contain a colon")
    session = Session(host, settings, keyring)
    try:
        session.offer(secret)
        session.open(Ask("GET", "/v2/", "login")).close()
        token = session.identity_token
    finally:
        session.close()
    if token and not secret.identity_token:
        secret = Secret(secret.username, identity_token=token)
    helper = keyring.store(host, secret)
    return Login(host, secret.username, helper, "" if helper else keyring.path)
