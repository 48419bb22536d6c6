"""login, logout, search and push as a person types them, with docker's words."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv
from tests.cli.test_terminal import Terminal
from tests.engine.store.archives import layer
from tests.registry import images
from tests.registry.fixtures import docker_config, docker_registry, locked_registry, registry
from tests.registry.misbehaving import Misbehaving, error
from tests.registry.real import PASSWORD, USER, RealRegistry
from tuidock.engine import Engine

__all__ = ["docker_config", "docker_registry", "locked_registry", "registry"]

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_configuration(docker_config: Path) -> Path:
    """Nobody's credentials are read or changed."""
    return docker_config


def stored(docker_config: Path) -> dict[str, object]:
    auths: dict[str, object] = json.loads((docker_config / "config.json").read_text())["auths"]
    return auths


# --- login and logout


def test_login_and_logout(tuidock: Call, locked_registry: RealRegistry, docker_config: Path) -> None:
    host = locked_registry.host
    done = tuidock("login", "-u", USER, "--password-stdin", host, stdin=PASSWORD.encode() + b"\r\n")
    assert (done.code, done.out) == (0, "Login Succeeded\n")
    assert f"WARNING! Your credentials are stored unencrypted in '{docker_config}/config.json'." in done.err
    assert list(stored(docker_config)) == [host]
    again = tuidock("login", f"https://{host}/v2/")
    assert again.code == 0
    assert again.out == f"Authenticating with existing credentials... [Username: {USER}]\nLogin Succeeded\n"
    for _ in range(2):
        done = tuidock("logout", host)
        assert (done.code, done.out) == (0, f"Removing login credentials for {host}\n")
        assert not stored(docker_config)
    assert tuidock("logout").out == "Removing login credentials for https://index.docker.io/v1/\n"


def test_a_password_on_the_command_line(tuidock: Call, locked_registry: RealRegistry, docker_config: Path) -> None:
    done = tuidock("login", "-u", USER, "-p", "wrong", locked_registry.host)
    assert done.code == 1 and not done.out
    assert done.err.startswith("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n")
    assert f"did not accept the credentials of {USER}" in done.err
    assert not (docker_config / "config.json").exists()
    done = tuidock("login", "-u", USER, "-p", PASSWORD, locked_registry.host)
    assert (done.code, done.out) == (0, "Login Succeeded\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Cannot perform an interactive login from a non TTY device"),
        (("-u", "x"), "Cannot perform an interactive login from a non TTY device"),
        (("--password-stdin",), "the --password-stdin option requires --username to be set"),
        (("-u", "x", "-p", "y", "--password-stdin"), "cannot specify both --password and --password-stdin"),
        (("-u", "x", "--password-stdin"), "password is empty"),
        (("-u", "x", "-p", "y", "two"), "requires at most 1 argument"),
    ],
)
def test_wrong_logins(tuidock: Call, arguments: tuple[str, ...], says: str) -> None:
    done = tuidock("login", *arguments, "localhost:1")
    assert done.code == 1 and says in done.err and not done.out


def test_a_login_by_hand(engine: Engine, registry: Misbehaving, docker_config: Path) -> None:
    registry.auth = "basic"
    terminal = Terminal(argv(engine, "login", registry.host))
    terminal.expect(b"Username: ")
    terminal.type(USER.encode() + b"\n")
    terminal.expect(b"Password: ")
    terminal.type(PASSWORD.encode() + b"\n")
    terminal.expect(b"Login Succeeded")
    assert terminal.end() == 0
    assert PASSWORD.encode() not in terminal.seen
    assert list(stored(docker_config)) == [registry.host]


def test_a_helper_needs_no_warning(
    tuidock: Call, registry: Misbehaving, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker-credential-quiet"
    program.write_text('#!/bin/sh\ncase "$1" in get) echo "credentials not found in native keychain"; exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (docker_config / "config.json").write_text('{"credsStore": "quiet"}')
    done = tuidock("login", "-u", USER, "--password-stdin", registry.host, stdin=PASSWORD.encode())
    assert done == Result(0, "Login Succeeded\n", "")


def test_completion_knows_registries_and_images(engine: Engine, docker_config: Path) -> None:
    from tests.cli.test_completion import words

    (docker_config / "config.json").write_text('{"auths": {"a.test:5000": {"auth": "YTpi"}}}')
    assert words(engine, "logout", "") == ["a.test:5000"] == words(engine, "login", "a.")
    assert words(engine, "push", "busy") == ["busybox:latest"]
    assert "--all-tags" in words(engine, "image", "push", "--")


# --- search


def test_search_in_a_catalog(tuidock: Call, registry: Misbehaving) -> None:
    for name in ("web/nginx", "db/postgres"):
        registry.add(name, "latest", images.image([layer({"a": b"1"})]))
    done = tuidock("search", f"{registry.host}/nginx")
    head, row = done.out.splitlines()
    assert re.fullmatch(r"NAME +DESCRIPTION +STARS +OFFICIAL", head)
    assert re.fullmatch(rf"{registry.host}/web/nginx +0 *", row)
    assert tuidock("search", "--format", "{{.Name}}", f"{registry.host}/").out.splitlines() == [
        f"{registry.host}/db/postgres", f"{registry.host}/web/nginx",
    ]  # fmt: skip
    one = json.loads(tuidock("search", "--format", "json", "--limit", "1", f"{registry.host}/").out)
    assert one == {
        "Name": f"{registry.host}/db/postgres", "Description": "", "StarCount": "0", "IsOfficial": "false",
        "IsAutomated": "false",
    }  # fmt: skip
    assert tuidock("search", "-f", "stars=3", "--format", "{{.Name}}", f"{registry.host}/").out == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--limit", "101", "x"), "limit 101 is outside the range of [1, 100]"),
        (("--limit", "-1", "x"), "limit -1 is outside the range of [1, 100]"),
        (("-f", "colour=red", "x"), "invalid filter 'colour'"),
        (("localhost:1/x",), "cannot reach localhost:1"),
    ],
)
def test_searches_that_fail(tuidock: Call, arguments: tuple[str, ...], says: str) -> None:
    done = tuidock("search", *arguments)
    assert done.code == 1 and says in done.err and len(done.err.splitlines()) < 4


# --- push


def test_push(tuidock: Call, docker_registry: RealRegistry) -> None:
    name = f"{docker_registry.host}/cli/busybox"
    tuidock("tag", "busybox", name)
    tuidock("tag", "busybox", f"{name}:v2")
    done = tuidock("push", name)
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[:2] == ["Using default tag: latest", f"The push refers to repository [{name}]"]
    assert re.fullmatch(r"[0-9a-f]{12}: Preparing", lines[2]) and re.fullmatch(r"[0-9a-f]{12}: Pushed", lines[3])
    digest = re.fullmatch(r"latest: digest: (sha256:[0-9a-f]{64}) size: \d+", lines[4])
    assert digest and len(lines) == 5
    assert f"{name}@{digest[1]}" in tuidock("inspect", "-f", "{{.RepoDigests}}", name).out
    again = tuidock("image", "push", f"{name}:v2")
    assert re.search(r"^[0-9a-f]{12}: Layer already exists$", again.out, re.MULTILINE)
    assert tuidock("push", "-q", f"{name}:v2").out == f"{name}:v2\n"
    every = tuidock("push", "--all-tags", name)
    assert every.code == 0 and re.findall(r"^(\w+): digest:", every.out, re.MULTILINE) == ["latest", "v2"]
    tuidock("rmi", name, f"{name}:v2")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nosuch",), "No such image: nosuch:latest"),
        (("-a", "nosuch"), "No such image: nosuch"),
        (("-a", "busybox:latest"), "tag can't be used with --all-tags/-a"),
        (("Busybox",), "must be lowercase"),
        ((), "requires 1 argument"),
    ],
)
def test_pushes_that_fail(tuidock: Call, arguments: tuple[str, ...], says: str) -> None:
    done = tuidock("push", *arguments)
    assert done.code == 1 and says in done.err


def test_a_registry_s_words_are_shown_safely(tuidock: Call, registry: Misbehaving) -> None:
    tuidock("tag", "busybox", f"{registry.host}/x")
    registry.fault("POST", "/uploads/", error(403, "DENIED", "go \x1b]0;title\x07 away"))
    done = tuidock("push", f"{registry.host}/x")
    assert done.code == 1 and "go ␛]0;title␇ away" in done.err and "\x1b" not in done.err
    assert len(done.err.splitlines()) == 1
    tuidock("rmi", f"{registry.host}/x")


def test_a_push_on_a_terminal_draws_bars(engine: Engine, registry: Misbehaving) -> None:
    engine.tag("busybox", f"{registry.host}/drawn")
    terminal = Terminal(argv(engine, "push", f"{registry.host}/drawn"))
    terminal.expect(b"The push refers to repository")
    terminal.expect(b": Pushed")
    terminal.expect(b"latest: digest: sha256:")
    assert terminal.end() == 0
    engine.remove_image(f"{registry.host}/drawn")


def test_the_configuration_file_counts(tuidock: Call, registry: Misbehaving, tmp_path: Path) -> None:
    path = tmp_path / "config/tuidock/config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("registries: {insecure: 5}\n")
    done = tuidock("search", f"{registry.host}/x")
    assert done.code == 1 and "registries.insecure must be a list of texts" in done.err


def test_a_build_that_is_pushed(tuidock: Call, docker_registry: RealRegistry, tmp_path: Path) -> None:
    name, place = f"{docker_registry.host}/made/here:1", tmp_path / "metadata"
    dockerfile = b"FROM busybox\nLABEL a=b\n"
    assert "--push needs a name" in tuidock("build", "--push", "-", stdin=dockerfile).err
    done = tuidock("build", "--push", "-t", name, "--metadata-file", str(place), "-", stdin=dockerfile)
    assert done.code == 0 and "1: digest: sha256:" in done.out, done
    assert json.loads(place.read_text())["containerimage.digest"] in done.out
    assert tuidock("rmi", "--now", name).code == 0 and tuidock("pull", "-q", name).out.strip() == name
