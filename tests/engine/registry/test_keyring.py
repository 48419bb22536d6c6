"""Credentials in docker's file and in helpers: found, kept and forgotten as docker does."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from tuidock.engine.errors import AuthFailed, InvalidArgument
from tuidock.engine.registry.keyring import HUB_KEY, Keyring, Secret, host_of

#: A helper that keeps everything in a file beside itself.
_HELPER = """#!/usr/bin/env python3
import json, os, sys
path = os.path.dirname(os.path.abspath(__file__)) + "/kept.json"
kept = json.load(open(path)) if os.path.exists(path) else {}
word, text = sys.argv[1], sys.stdin.read()
if word == "store":
    entry = json.loads(text); kept[entry["ServerURL"]] = entry; json.dump(kept, open(path, "w"))
elif word == "list":
    print(json.dumps({server: entry["Username"] for server, entry in kept.items()}))
elif text not in kept:
    print("credentials not found in native keychain"); sys.exit(1)
elif word == "get":
    print(json.dumps(kept[text]))
else:
    del kept[text]; json.dump(kept, open(path, "w"))
"""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(directory: Path, **document: object) -> Path:
    path = directory / "config.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docker-credential-tests in the PATH; what it keeps is in kept.json."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program = directory / "docker-credential-tests"
    program.write_text(_HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory / "kept.json"


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"), ("index.docker.io", "docker.io"), ("docker.io", "docker.io"),
        ("https://registry-1.docker.io/v2/", "docker.io"), ("HTTP://A.test:5000/v2/", "a.test:5000"), ("b.test/x", "b.test"),
    ],
)  # fmt: skip
def test_names_of_servers(server: str, host: str) -> None:
    assert host_of(server) == host


def test_kept_as_docker_keeps_it(docker_config: Path) -> None:
    keyring = Keyring()
    assert keyring.find("a.test") == Secret()
    assert keyring.store("a.test", Secret("ada", "s3cret:with colon")) == ""
    assert keyring.store("docker.io", Secret("eve", identity_token="tok")) == ""
    path = docker_config / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "auths": {
            "a.test": {"auth": encoded("ada:s3cret:with colon")},
            HUB_KEY: {"auth": encoded("eve:"), "identitytoken": "tok"},
        }
    }
    assert Keyring().find("a.test") == Secret("ada", "s3cret:with colon")
    assert Keyring().find("docker.io") == Secret("eve", "", "tok")
    assert [(one.server, one.username, one.path) for one in keyring.logins()] == [
        ("a.test", "ada", str(path)), ("docker.io", "eve", str(path)),
    ]  # fmt: skip


def test_what_is_not_ours_stays(docker_config: Path) -> None:
    path = write(
        docker_config, auths={"b.test": {"auth": encoded("b:b"), "email": "x"}}, HttpHeaders={"X": "1"}, psFormat="y"
    )
    path.chmod(0o640)
    keyring = Keyring()
    keyring.store("a.test", Secret("a", "a"))
    document = json.loads(path.read_text())
    assert document["HttpHeaders"] == {"X": "1"} and document["psFormat"] == "y"
    assert document["auths"]["b.test"] == {"auth": encoded("b:b"), "email": "x"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert keyring.forget("a.test") and not keyring.forget("a.test")
    assert list(json.loads(path.read_text())["auths"]) == ["b.test"]


def test_a_link_to_the_file_stays_a_link(docker_config: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text("{}")
    (docker_config / "config.json").symlink_to(tmp_path / "elsewhere.json")
    Keyring().store("a.test", Secret("a", "a"))
    assert (docker_config / "config.json").is_symlink()
    assert "a.test" in (tmp_path / "elsewhere.json").read_text()


@pytest.mark.parametrize("key", ["a.test", "https://a.test", "http://a.test/v1/", "https://a.test/v2/", "A.test"])
def test_old_spellings_are_found_and_forgotten(docker_config: Path, key: str) -> None:
    write(docker_config, auths={key: {"auth": encoded("a:b")}, "other.test": {"auth": encoded("c:d")}})
    assert Keyring().find("a.test") == Secret("a", "b")
    assert Keyring().forget("a.test")
    assert list(json.loads((docker_config / "config.json").read_text())["auths"]) == ["other.test"]


def test_a_file_that_cannot_be_read_is_not_overwritten(docker_config: Path) -> None:
    path = docker_config / "config.json"
    path.write_text('{"auths": ')
    for call in (lambda: Keyring().find("a.test"), lambda: Keyring().store("a.test", Secret("a", "b"))):
        with pytest.raises(InvalidArgument, match="correct it or move it away"):
            call()
    assert path.read_text() == '{"auths": '
    write(docker_config, auths={"a.test": {"auth": "!!"}})
    with pytest.raises(AuthFailed, match="damaged; log in again"):
        Keyring().find("a.test")


def test_a_file_of_odd_values(docker_config: Path) -> None:
    write(docker_config, auths=["a.test"], credsStore=5, credHelpers=["x"], proxies="no")
    assert Keyring().find("a.test") == Secret() and Keyring().logins() == []
    assert not Keyring().forget("a.test")
    Keyring().store("a.test", Secret("a", "b"))
    assert Keyring().find("a.test") == Secret("a", "b")


def test_many_logins_at_once_are_all_kept(docker_config: Path) -> None:
    threads = [threading.Thread(target=Keyring().store, args=(f"h{n}.test", Secret("u", str(n)))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [Keyring().find(f"h{n}.test").password for n in range(12)] == [str(n) for n in range(12)]
    assert sorted(os.listdir(docker_config)) == [".config.json.lock", "config.json"]


def test_podman_s_file_is_read(docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {"a.test": {"auth": encoded("p:q")}}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    assert Keyring().find("a.test") == Secret("p", "q")
    Keyring().store("a.test", Secret("own", "pw"))
    assert Keyring().find("a.test").username == "own"
    runtime = tmp_path / "runtime/containers"
    runtime.mkdir(parents=True)
    (runtime / "auth.json").write_text(json.dumps({"auths": {"r.test": {"auth": encoded("r:s")}}}))
    assert Keyring().find("r.test") == Secret("r", "s")


def test_a_helper_keeps_it(docker_config: Path, helper: Path) -> None:
    path = write(docker_config, credsStore="tests")
    keyring = Keyring()
    assert keyring.find("a.test") == Secret()
    assert keyring.store("a.test", Secret("ada", "pw")) == "tests"
    assert "pw" not in path.read_text()
    assert json.loads(helper.read_text())["a.test"] == {"ServerURL": "a.test", "Username": "ada", "Secret": "pw"}
    assert keyring.find("a.test") == Secret("ada", "pw")
    keyring.store("docker.io", Secret("eve", identity_token="tok"))
    assert keyring.find("docker.io") == Secret(identity_token="tok")
    assert [(one.server, one.helper, one.path) for one in keyring.logins()] == [
        ("a.test", "tests", ""), ("docker.io", "tests", ""),
    ]  # fmt: skip
    assert keyring.forget("a.test") and not keyring.forget("a.test")
    assert keyring.find("a.test") == Secret()


def test_a_helper_for_one_host(docker_config: Path, helper: Path) -> None:
    write(docker_config, credHelpers={"a.test": "tests"})
    keyring = Keyring()
    assert keyring.store("a.test", Secret("ada", "pw")) == "tests"
    assert keyring.store("b.test", Secret("bob", "pw")) == ""
    assert [(one.server, one.username, one.helper) for one in keyring.logins()] == [
        ("a.test", "ada", "tests"), ("b.test", "bob", ""),
    ]  # fmt: skip


def test_helpers_that_fail(docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docker_config, credsStore="missing")
    with pytest.raises(AuthFailed, match="docker-credential-missing, which is not installed"):
        Keyring().find("a.test")
    write(docker_config, credsStore="../../bin/sh")
    with pytest.raises(InvalidArgument, match="cannot be the name"):
        Keyring().find("a.test")
    program = tmp_path / "docker-credential-bad"
    program.write_text("#!/bin/sh\nprintf 'locked \\033[31m'; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    write(docker_config, credsStore="bad")
    with pytest.raises(AuthFailed, match="could not get credentials: locked ␛"):
        Keyring().find("a.test")
