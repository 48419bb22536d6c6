"""Debian's docker-registry on a free port of the loopback interface, with a directory of its own, for one test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conftest import missing

USER = "ada"
PASSWORD = "open sesame"
#: bcrypt of PASSWORD, as `htpasswd -B` writes it.
_HTPASSWD = "ada:$2y$05$tuidocktuidocktuidockuc/EWx/4ijxay0qXwWXhK7vSINerVqe6\n"


class RealRegistry(NamedTuple):
    """host is what stands in references; authority the file of the CA that signed its certificate."""

    host: str
    storage: Path
    authority: Path | None
    log: Path
    pid: int


def certificate(directory: Path, *names: str) -> tuple[Path, Path, Path]:
    """An authority, and a certificate and key for names and addresses that it has signed."""
    ca, ca_key, key, cert = (directory / name for name in ("ca.crt", "ca.key", "server.key", "server.crt"))
    request, extensions = directory / "server.csr", directory / "server.ext"

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=tests", "-keyout", ca_key, "-out", ca)
    openssl("req", *new_key, "-subj", f"/CN={names[0]}", "-keyout", key, "-out", request)
    kinds = ["IP" if name.replace(".", "").isdecimal() else "DNS" for name in names]
    extensions.write_text("subjectAltName=" + ",".join(f"{k}:{n}" for k, n in zip(kinds, names, strict=True)) + "\n")
    openssl(
        "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
        "-extfile", extensions, "-out", cert,
    )  # fmt: skip
    return ca, cert, key


@contextmanager
def running(
    directory: Path,
    *,
    password: bool = False,
    tls: bool = False,
    name: str = "localhost",
    port: int = 0,
    inside: Sequence[str] = (),
) -> Iterator[RealRegistry]:
    """A registry. password: only USER with PASSWORD may use it; tls: https with a certificate of an own authority.

    inside: a command that runs others in another network namespace, where the registry has this port.
    """
    program = shutil.which("docker-registry")
    if program is None:
        missing("docker-registry is not installed")
        raise AssertionError
    directory.mkdir(parents=True, exist_ok=True)
    storage, log = directory / "storage", directory / "log"
    authority: Path | None = None
    extra = ""
    if tls:
        authority, cert, key = certificate(directory, name)
        extra += f"  tls:\n    certificate: {cert}\n    key: {key}\n"
    if password:
        (directory / "htpasswd").write_text(_HTPASSWD)
        extra += f"auth:\n  htpasswd:\n    realm: tests\n    path: {directory}/htpasswd\n"
    for _ in range(5):
        chosen = port or free_port()
        (directory / "config.yml").write_text(
            "version: 0.1\n"
            "log:\n  level: warn\n  accesslog:\n    disabled: true\n"
            f"storage:\n  filesystem:\n    rootdirectory: {storage}\n  delete:\n    enabled: true\n"
            f"http:\n  addr: 127.0.0.1:{chosen}\n  secret: tests\n{extra}"
        )
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*inside, program, "serve", str(directory / "config.yml")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")},
            )  # fmt: skip
        try:
            if _answers(process, chosen, inside):
                yield RealRegistry(f"{name}:{chosen}", storage, authority, log, process.pid)
                return
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    raise AssertionError(f"docker-registry does not start: {log.read_text()}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int, inside: Sequence[str]) -> bool:
    """False when it ended, as when somebody else was faster with the port."""
    attempt = [*inside, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        if subprocess.run(attempt, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return True
        time.sleep(0.02)
    return False
