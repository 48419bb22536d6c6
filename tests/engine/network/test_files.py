"""/etc/hosts, /etc/resolv.conf and the variables of links, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.network import files, linking
from tuidock.engine.network.files import HostLine


def test_hosts_has_dockers_lines_in_dockers_order() -> None:
    text = files.hosts("web", ["10.88.0.2"], [HostLine("1.2.3.4", "db")], [HostLine("10.88.0.3", "c abc redis")])
    assert text == (
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
        "1.2.3.4\tdb\n10.88.0.3\tc abc redis\n10.88.0.2\tweb\n"
    )
    assert files.hosts("web", ["10.88.0.2"], ipv6=False) == "127.0.0.1\tlocalhost\n10.88.0.2\tweb\n"


def test_a_domain_stands_before_the_short_name() -> None:
    assert files.own_names("web", "example.org") == "web.example.org web"
    assert files.own_names("web.example.org") == "web.example.org web"
    assert files.own_names("web") == "web"


def test_added_hosts_are_read_in_both_spellings() -> None:
    lines = files.extra_hosts(["a:1.2.3.4", "b=::1", "c:[fe80::1]", "d:host-gateway"], "10.88.0.1")
    assert [tuple(line) for line in lines] == [("1.2.3.4", "a"), ("::1", "b"), ("fe80::1", "c"), ("10.88.0.1", "d")]
    for wrong in ("a", ":1.2.3.4", "a:", "a b:1.2.3.4"):
        with pytest.raises(InvalidArgument, match="bad format for add-host"):
            files.extra_hosts([wrong], "")
    with pytest.raises(InvalidArgument, match="no gateway"):
        files.extra_hosts(["a:host-gateway"], "")


HOST = "# comment\nnameserver 127.0.0.1\nnameserver 10.0.0.2 ; why\nnameserver fe80::1\nsearch a b\noptions edns0 trust-ad\n"


def test_servers_that_a_container_cannot_reach_are_left_out() -> None:
    assert files.resolv_conf(HOST) == "nameserver 10.0.0.2\nsearch a b\noptions edns0 trust-ad\n"
    assert files.resolv_conf("nameserver 127.0.0.53\n") == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    assert "127.0.0.1" in files.resolv_conf(HOST, own_network=False)
    assert "fe80::1" in files.resolv_conf(HOST, ipv6=True)


def test_what_was_asked_for_replaces_the_hosts_lines() -> None:
    text = files.resolv_conf(HOST, servers=["127.0.0.1"], search=["."], options=["ndots:1"])
    assert text == "nameserver 127.0.0.1\noptions ndots:1\n"


def test_behind_systemd_resolved_its_real_servers_are_used() -> None:
    texts = {"/etc/resolv.conf": "nameserver 127.0.0.53\n", "/run/systemd/resolve/resolv.conf": "nameserver 10.1.1.1\n"}
    assert files.host_resolv_conf(lambda path: texts.get(path, "")) == "nameserver 10.1.1.1\n"
    del texts["/run/systemd/resolve/resolv.conf"]
    assert files.host_resolv_conf(lambda path: texts.get(path, "")) == "nameserver 127.0.0.53\n"


def test_a_file_keeps_its_inode_and_an_edited_one_its_content(tmp_path: Path) -> None:
    directory = str(tmp_path)
    files.write_unless_edited(directory, "resolv.conf", "one\n")
    inode = os.stat(tmp_path / "resolv.conf").st_ino
    files.write_unless_edited(directory, "resolv.conf", "two\n")
    assert (tmp_path / "resolv.conf").read_text() == "two\n"
    assert os.stat(tmp_path / "resolv.conf").st_ino == inode
    (tmp_path / "resolv.conf").write_text("mine\n")
    files.write_unless_edited(directory, "resolv.conf", "three\n")
    assert (tmp_path / "resolv.conf").read_text() == "mine\n"


def test_a_link_gives_a_line_and_variables() -> None:
    target = linking.Target(
        "redis", "my-db", "10.88.0.3", "abc", ["6379/tcp", "53/udp"], ["PATH=/x", "HOME=/", "A=b=c", "EMPTY=", "NONE"]
    )
    assert linking.host_line(target) == HostLine("10.88.0.3", "my-db abc redis")
    assert linking.environment("web", target) == [
        "MY_DB_PORT=tcp://10.88.0.3:6379",
        "MY_DB_PORT_6379_TCP=tcp://10.88.0.3:6379",
        "MY_DB_PORT_6379_TCP_ADDR=10.88.0.3",
        "MY_DB_PORT_6379_TCP_PORT=6379",
        "MY_DB_PORT_6379_TCP_PROTO=tcp",
        "MY_DB_PORT_53_UDP=udp://10.88.0.3:53",
        "MY_DB_PORT_53_UDP_ADDR=10.88.0.3",
        "MY_DB_PORT_53_UDP_PORT=53",
        "MY_DB_PORT_53_UDP_PROTO=udp",
        "MY_DB_NAME=/web/my-db",
        "MY_DB_ENV_A=b=c",
        "MY_DB_ENV_EMPTY=",
    ]


def test_consecutive_ports_get_a_range() -> None:
    variables = linking.environment("w", linking.Target("d", "d", "1.1.1.1", "d", ["82/tcp", "80/tcp", "81/tcp"]))
    assert variables[:5] == [
        "D_PORT=tcp://1.1.1.1:80",
        "D_PORT_80_TCP_START=tcp://1.1.1.1:80",
        "D_PORT_80_TCP_PORT_START=80",
        "D_PORT_80_TCP_END=tcp://1.1.1.1:82",
        "D_PORT_80_TCP_PORT_END=82",
    ]


def test_links_are_read_in_every_form() -> None:
    assert linking.parse("db") == ("db", "db")
    assert linking.parse("db:alias") == ("db", "alias")
    assert linking.parse("/db:/web/alias") == ("db", "alias")
    for wrong in ("", ":x", "a:b:c"):
        with pytest.raises(InvalidArgument):
            linking.parse(wrong)
