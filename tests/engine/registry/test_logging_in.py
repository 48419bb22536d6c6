"""Login: asked first, kept afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.registry.conftest import QUICK
from tests.registry.misbehaving import Misbehaving
from tests.registry.real import PASSWORD, USER
from tuidock.engine.errors import AuthFailed, InvalidArgument, RegistryRefused
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.logging_in import login


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_good_credentials_are_kept(registry: Misbehaving, docker_config: Path, auth: str) -> None:
    registry.auth = auth
    done = login(f"http://{registry.host}/v2/", USER, PASSWORD, QUICK)
    assert done == (registry.host, USER, "", str(docker_config / "config.json"))
    assert Keyring().find(registry.host) == Secret(USER, PASSWORD)
    assert login(registry.host, "", "", QUICK) == done


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_wrong_ones_are_not(registry: Misbehaving, docker_config: Path, auth: str) -> None:
    registry.auth = auth
    with pytest.raises(AuthFailed, match=f"did not accept the credentials of {USER}") as caught:
        login(registry.host, USER, "wrong", QUICK)
    assert caught.value.status == 401
    assert not (docker_config / "config.json").exists()


@pytest.mark.parametrize("post", [True, False])
def test_an_identity_token_is_kept_instead_of_the_password(
    registry: Misbehaving, docker_config: Path, post: bool
) -> None:
    registry.auth, registry.takes_post, registry.refresh_token = "bearer", post, "identity"
    login(registry.host, USER, PASSWORD, QUICK)
    assert Keyring().find(registry.host) == Secret(USER, "", "identity")
    text = (docker_config / "config.json").read_text()
    assert PASSWORD not in text and json.loads(text)["auths"][registry.host]["identitytoken"] == "identity"
    asked = registry.seen("POST", "/token")[0]
    assert b"access_type=offline" in asked.body
    if not post:
        assert registry.seen("GET", "/token")[0].query["offline_token"] == ["true"]
    registry.takes_post = True
    assert login(registry.host, "", "", QUICK).username == USER


def test_what_cannot_be(registry: Misbehaving, docker_config: Path) -> None:
    with pytest.raises(AuthFailed, match="there are no credentials"):
        login(registry.host, "", "", QUICK)
    with pytest.raises(InvalidArgument, match="the password is empty"):
        login(registry.host, USER, "", QUICK)
    with pytest.raises(InvalidArgument, match="colon"):
        login(registry.host, "a:b", "c", QUICK)
    with pytest.raises(InvalidArgument, match="must be UTF-8"):
        login(registry.host, "ada", "\udcff", QUICK)
    with pytest.raises(InvalidArgument, match="is no registry"):
        login("a b", USER, PASSWORD, QUICK)
    with pytest.raises(RegistryRefused, match="cannot reach"):
        login("127.0.0.1:1", USER, PASSWORD, QUICK)
