"""What a build fetches itself: ADD of a URL, a context behind a URL, a git repository.

http and https only, into a file of its own, bounded by the room on the disk. A repository is fetched by the machine's git
program, because nothing else speaks all of its ways.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from urllib.parse import unquote, urlsplit

from tuidock.engine.clean import clean, words_of
from tuidock.engine.errors import InvalidArgument, SystemFailure, Unsupported
from tuidock.engine.store.layers import room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.build.copying import Copier
    from tuidock.engine.build.trees import Tree
    from tuidock.engine.build.workshop import Workshop
    from tuidock.engine.dockerfile.ast import Instruction
    from tuidock.engine.paths import Paths
    from tuidock.engine.store.snapshots import Draft

_CHUNK = 1 << 18
_TIMEOUT = 60.0
_PLAIN_TEXT = 1 << 20


class Download:
    """One URL. After `run`: fd is open for reading, digest and mtime_ns are known; name is what the URL calls it."""

    def __init__(self, paths: Paths, url: str, checksum: str = "") -> None:
        self._paths, self.url, self._checksum = paths, url, checksum
        self.name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
        self._shown = _without_secrets(url)[:300]
        self.fd, self.digest, self.mtime_ns = -1, checksum, 0
        self.instruction: Instruction | None = None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def run(self) -> Iterator[tuple[int, int]]:
        """Yields bytes done and in all (0 = unknown). Raises InvalidArgument, SystemFailure."""
        import httpx

        limit = room(self._paths.root)
        self.fd = os.open(self._paths.ingest, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        digest, done = hashlib.sha256(), 0
        try:
            # as it is: what a server compresses nevertheless would be inflated in memory, however long it gets
            plain = {"Accept-Encoding": "identity"}
            with httpx.stream("GET", self.url, headers=plain, follow_redirects=True, timeout=_TIMEOUT) as response:
                if response.status_code != 200:
                    raise InvalidArgument(f"cannot fetch {self._shown}: the server said {response.status_code}")
                self._check_way([hop.url.scheme for hop in (*response.history, response)])
                total = int(response.headers.get("content-length") or 0)
                self.mtime_ns = _moment(response.headers.get("last-modified", ""))
                for chunk in response.iter_raw(_CHUNK):
                    digest.update(chunk)
                    done += len(chunk)
                    if done > limit:
                        raise SystemFailure(f"cannot fetch {self._shown}: it is larger than the room on the disk")
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(self.fd, view) :]
                    yield done, total
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InvalidArgument(f"cannot fetch {self._shown}: {words_of(error)}") from error
        self.digest = "sha256:" + digest.hexdigest()
        if self._checksum and self._checksum != self.digest:
            raise InvalidArgument(f"{self._shown} is {self.digest}, not {self._checksum} as --checksum says")

    def _check_way(self, schemes: list[str]) -> None:
        """Who writes https means that nobody on the way can exchange it."""
        if schemes[0] == "https" and not self._checksum and "http" in schemes:
            raise InvalidArgument(
                f"cannot fetch {self._shown}: it is sent on to plain http, which is refused without --checksum"
            )

    def place(self, copier: Copier, destination: str) -> None:
        """Writes it where ADD wants it: mode 0600, with the server's time."""
        if destination.endswith("/") or copier.is_directory(destination):
            destination = f"{destination.rstrip('/')}/{self.name}"
        size = os.fstat(self.fd).st_size
        content = os.pread(self.fd, size, 0) if size <= _PLAIN_TEXT else b""
        if size <= _PLAIN_TEXT:
            copier.write_file(destination, content, mode=0o600, mtime_ns=self.mtime_ns)
        else:
            copier.write_file(destination, _Mapped(self.fd, size).view(), mode=0o600, mtime_ns=self.mtime_ns)


class _Mapped:
    """A large file as bytes, without reading it into memory."""

    def __init__(self, fd: int, size: int) -> None:
        import mmap

        self._map = mmap.mmap(fd, size, prot=mmap.PROT_READ)

    def view(self) -> memoryview:
        return memoryview(self._map)


def _without_secrets(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def _moment(value: str) -> int:
    """Nanoseconds of a Last-Modified header, 0 when there is none."""
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(value).timestamp()) * 1_000_000_000
    except (TypeError, ValueError):
        return 0


class Repository:
    """A git repository for ADD: its files go into the destination. The same members as a Download."""

    name = ""

    def __init__(self, workshop: Workshop, url: str, *, keep: bool) -> None:
        self._workshop, self._url, self._keep = workshop, url, keep
        self._draft: Draft | None = None
        self._tree: Tree | None = None
        self.digest = ""

    def close(self) -> None:
        if self._tree is not None:
            self._tree.close()
        if self._draft is not None:
            self._draft.close()

    def run(self) -> Iterator[tuple[int, int]]:
        """Yields once it is there. Raises Unsupported, InvalidArgument."""
        from tuidock.engine.build.hashing import Content
        from tuidock.engine.build.trees import Tree

        self._draft = self._workshop.store.snapshots.draft()
        directory = clone(self._url, self._draft.path + "/fs", keep=self._keep)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._tree = Tree(lambda: os.open(directory, flags), own_ids=False, identity=f"repository {self._draft.path}")
        self.digest = Content(self._workshop.files).add_source(self._tree, "")
        yield 0, 0

    def place(self, copier: Copier, destination: str) -> None:
        """Its files into the destination, which is a directory."""
        assert self._tree is not None
        for _ in copier.copy(self._tree, "", destination):
            pass


def fetch_file(workshop: Workshop, instruction: Instruction, url: str, destination: str) -> Download | Repository:
    """The download of an ADD. Raises DockerfileError for what cannot be added."""
    checksum = instruction.flag("checksum")
    if is_repository(url):
        if checksum:
            raise instruction.error("--checksum is for files; name a commit behind the # of a repository", at=checksum)
        return Repository(workshop, url, keep=instruction.switch("keep-git-dir"))
    if checksum and not (checksum.startswith("sha256:") and len(checksum) == 71):
        raise instruction.error(f"--checksum takes sha256:..., not {checksum!r:.60}", at=checksum)
    download = Download(workshop.instance.paths, url, checksum)
    if destination.endswith("/") and download.name in ("", ".", ".."):
        raise instruction.error(f"cannot tell a file name from {url:.200}; name one at the destination", at=url)
    return download


def is_repository(place: str) -> bool:
    """Whether a place is a git repository, by docker's rules."""
    base = place.partition("#")[0]
    if base.startswith(("git://", "git@", "ssh://", "github.com/")):
        return True
    return base.startswith(("http://", "https://")) and urlsplit(base).path.endswith(".git")


def _said(output: bytes) -> str:
    """git's own sentence: below it, behind an empty line, stands advice."""
    lines = output.decode("utf-8", "replace").strip().partition("\n\n")[0].splitlines()
    return clean("; ".join(line.strip() for line in lines[-3:]))


def clone(place: str, directory: str, *, keep: bool = False) -> str:
    """Fetches URL[#REF[:SUBDIRECTORY]] and answers the directory of the context; keep leaves .git in it.

    Raises Unsupported, InvalidArgument.
    """
    import shutil
    import subprocess

    program = shutil.which("git")
    if program is None:
        raise Unsupported(
            f"cannot fetch {place:.200}: git is not installed; install it, or clone the repository yourself"
        )
    url, _, fragment = place.partition("#")
    reference, _, below = fragment.partition(":")
    if url.startswith("github.com/"):
        url = "https://" + url
    for word in (url, reference):
        if word.startswith("-"):
            raise InvalidArgument(f"{word!r:.100} cannot be part of a repository's address")
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_PROTOCOL_FROM_USER": "0"}
    with tempfile.TemporaryFile() as errors:
        for words in (
            ("init", "-q", directory), ("-C", directory, "fetch", "-q", "--depth", "1", "--", url, reference or "HEAD"),
            ("-C", directory, "checkout", "-q", "FETCH_HEAD"),
        ):  # fmt: skip
            done = subprocess.run(
                [program, *words], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment
            )
            if done.returncode:
                errors.seek(0)
                raise InvalidArgument(f"cannot fetch {place:.200}: {_said(errors.read(_CHUNK)) or 'git failed'}")
    from tuidock.engine.files import remove_tree

    if not keep:
        remove_tree(directory + "/.git")
    inside = os.path.normpath("/" + below).lstrip("/")
    if not inside:
        return directory
    found = os.path.realpath(f"{directory}/{inside}")
    if not found.startswith(os.path.realpath(directory) + "/") or not os.path.isdir(found):
        raise InvalidArgument(f"the repository has no directory {inside!r:.200}")
    return found
