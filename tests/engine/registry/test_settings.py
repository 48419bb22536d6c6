"""config.yaml's registries, where hosts are asked, and through which proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.registry import endpoints, proxies, settings
from tuidock.engine.registry.settings import Settings, split_host


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "theme: nord\nregistries:\n  mirrors: [https://mirror.test, 'http://localhost:5001']\n  insecure:\n"
        "    - old.test:5000\n    - 10.0.0.0/8\n"
    )
    found = settings.load(str(path), str(tmp_path / "cache"))
    assert found.mirrors == {"docker.io": ("https://mirror.test", "http://localhost:5001")}
    assert found.insecure == ("old.test:5000", "10.0.0.0/8")
    path.write_text("registries: {mirrors: {quay.test: mirror.test}}")
    assert settings.load(str(path), str(tmp_path / "cache")).mirrors == {"quay.test": ("https://mirror.test",)}
    assert settings.load(str(tmp_path / "none"), str(tmp_path / "cache")) == Settings()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "must consist of"),
        ({"mirror": []}, "no setting 'mirror'"),
        ({"mirrors": ["ftp://x"]}, "no http"),
        ({"mirrors": ["https://x/path"]}, "no http"),
        ({"mirrors": ["https://me:pw@x"]}, "tuidock login"),
        ({"insecure": [5]}, "list of texts"),
    ],
)
def test_what_cannot_be_meant_is_refused(data: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        settings.check(data)


def test_a_broken_file_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("registries: [")
    with pytest.raises(InvalidArgument, match="not valid YAML"):
        settings.load(str(path), str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:1", True), ("127.9.9.9", True), ("[::1]:5000", True),
        ("old.test:5000", True), ("old.test:5001", False), ("10.1.2.3:5000", True), ("11.1.2.3", False),
        ("any.test:77", True), ("LocalHost:5", True),
        ("localhost.evil.test", False), ("docker.io", False), ("127.0.0.1.evil.test", False),
    ],
)  # fmt: skip
def test_insecure_hosts(host: str, insecure: bool) -> None:
    assert Settings(insecure=("old.test:5000", "10.0.0.0/8", "any.test")).is_insecure(host) is insecure


def test_endpoints() -> None:
    chosen = Settings({"docker.io": ("https://mirror.test",)}, ("old.test",))
    assert [one.url for one in endpoints.of("docker.io", chosen)] == ["https://registry-1.docker.io"]
    pulled = endpoints.of("docker.io", chosen, pull=True)
    assert [(one.url, one.host, one.mirror) for one in pulled] == [
        ("https://mirror.test", "mirror.test", True),
        ("https://registry-1.docker.io", "docker.io", False),
    ]
    assert [one.url for one in endpoints.of("old.test", chosen)] == ["https://old.test", "http://old.test"]
    for host in ("", "a/b", "a b", "user@host", "a\nb", "a?b", "ä.test", "a:99999", "a..b", "a:b", "[::1", "x" * 300):
        with pytest.raises(InvalidArgument, match="is no registry"):
            endpoints.of(host, chosen)


def test_split_host() -> None:
    assert split_host("a:1") == ("a", "1")
    assert split_host("[::1]:5") == ("::1", "5")
    assert split_host("[::1]") == ("::1", "")
    assert split_host("a") == ("a", "")


def test_proxies_of_the_environment_go_before_docker_s() -> None:
    document = {
        "proxies": {"default": {"httpProxy": "http://file:1", "httpsProxy": "http://file:2", "noProxy": "x.test"}}
    }
    assert proxies.configured(document, {}) == {"http": "http://file:1", "https": "http://file:2", "no": "x.test"}
    found = proxies.configured(document, {"HTTPS_PROXY": "env:3", "no_proxy": "y.test"})
    assert found == {"http": "http://file:1", "https": "env:3", "no": "y.test"}
    assert proxies.configured({}, {"HTTP_PROXY": "evil", "REQUEST_METHOD": "GET"})["http"] == ""
    assert proxies.choose(found, "https", "z.test") == "http://env:3"


@pytest.mark.parametrize(
    ("host", "spared"),
    [
        ("a.test", True), ("b.a.test", True), ("ba.test", False), ("c.d.test", True), ("d.test", False), ("10.1.1.1", True),
        ("[fd00::1]:5000", True), ("port.test:81", True), ("port.test:82", False), ("localhost:1", True),
        ("127.0.0.1:1", True), ("A.TEST", True), ("other.test", False), ("star.test", True),
    ],
)  # fmt: skip
def test_who_is_asked_without_a_proxy(host: str, spared: bool) -> None:
    chosen = {"https": "http://p", "no": " a.test, .d.test,10.0.0.0/8,fd00::/8,port.test:81,*.star.test,"}
    assert (proxies.choose(chosen, "https", host) == "") is spared
    assert proxies.choose({"https": "http://p", "no": "*"}, "https", host) == ""
