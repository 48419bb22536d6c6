"""Credential helpers: programs called docker-credential-NAME that keep passwords in a keychain.

The protocol is docker's: one word as argument, the server on stdin, JSON on stdout; an error is a sentence on stdout and
a code that is not 0. A name from the configuration file becomes part of a program's name, so it is checked first.
"""

from __future__ import annotations

import json
import re
import subprocess

from tuidock.engine.clean import clean
from tuidock.engine.errors import AuthFailed, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_NONE = "credentials not found in native keychain"
#: A helper may ask a person to unlock the keychain (seconds).
_PATIENCE = 120


def _call(name: str, word: str, text: str) -> tuple[int, str]:
    if not _NAME.fullmatch(name):
        raise InvalidArgument(f"{name!r:.100} in docker's config.json cannot be the name of a credential helper")
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run([program, word], input=text.encode(), capture_output=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError:
        raise AuthFailed(
            f"docker's config.json names the credential helper {program}, which is not installed; install it or take it"
            " out of the file (credsStore, credHelpers)"
        ) from None
    except OSError as error:
        raise AuthFailed(f"the credential helper {program} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise AuthFailed(f"the credential helper {program} did not answer in {_PATIENCE} seconds") from None
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def _checked(name: str, word: str, text: str) -> str:
    code, answer = _call(name, word, text)
    if code:
        said = clean(answer)[:300] or f"code {code}"
        raise AuthFailed(f"the credential helper docker-credential-{name} could not {word} credentials: {said}")
    return answer


def _object(name: str, answer: str) -> dict[str, Any]:
    try:
        document = json.loads(answer)
        if isinstance(document, dict):
            return document
    except ValueError:
        pass
    raise AuthFailed(f"the credential helper docker-credential-{name} answered no JSON object")


def get(name: str, server: str) -> tuple[str, str] | None:
    """User name and secret; None when the helper has none. Raises AuthFailed."""
    code, answer = _call(name, "get", server)
    if code and _NONE in answer.lower():
        return None
    if code:
        said = clean(answer)[:300] or f"code {code}"
        raise AuthFailed(f"the credential helper docker-credential-{name} could not get credentials: {said}")
    document = _object(name, answer)
    return str(document.get("Username") or ""), str(document.get("Secret") or "")


def store(name: str, server: str, username: str, secret: str) -> None:
    """Raises AuthFailed."""
    _checked(name, "store", json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))


def erase(name: str, server: str) -> None:
    """Nothing to erase is no error. Raises AuthFailed."""
    code, answer = _call(name, "erase", server)
    if code and _NONE not in answer.lower():
        said = clean(answer)[:300] or f"code {code}"
        raise AuthFailed(f"the credential helper docker-credential-{name} could not erase credentials: {said}")


def listing(name: str) -> dict[str, str]:
    """User names by server. Raises AuthFailed."""
    return {str(server): str(user) for server, user in _object(name, _checked(name, "list", "")).items()}
