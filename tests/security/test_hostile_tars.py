"""Every tar of the corpus through every door: as a layer of an archive that is loaded, plain, compressed and unpacked ahead
of its manifest, as a layer that is pulled, and as a root file system that is imported.

Whatever comes of it: nothing changes outside, what is refused is one sentence and leaves nothing, what is taken is what
the corpus says and goes again without a rest.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.store.archives import docker_archive, layer, oci_archive
from tests.engine.store.conftest import Store
from tests.native.monitored import needs_root
from tests.rawtar import DIRECTORY, END, archive, entry, header, pax
from tests.registry.images import image
from tests.registry.misbehaving import Misbehaving, misbehaving
from tests.security.hostile_tars import TREES, corpus
from tests.security.tar_case import Case
from tuidock.engine.errors import EngineError
from tuidock.engine.store import ahead, collection, images, layers, operations
from tuidock.engine.transfer import operations as transfer

pytestmark = needs_root
NAME = "hostile:1"
BASE = layer({"etc": None, "etc/passwd": b"root", "d": None, "d/below": b"x"})
#: Big enough to be unpacked before the manifest is known.
FILLER = entry("filler", content=os.urandom(ahead.WORTHWHILE))


Door = Callable[[Store, bytes], None]


def load(store: Store, tar: bytes) -> None:
    store.load(docker_archive([([BASE, tar], [NAME])]))


def load_compressed(store: Store, tar: bytes) -> None:
    store.load(oci_archive([BASE, tar], "docker.io/library/" + NAME))


def load_ahead(store: Store, tar: bytes) -> None:
    store.load(docker_archive([([FILLER + tar], [NAME])]))


def take_in(store: Store, tar: bytes) -> None:
    for _ in operations.import_image(store.state, store.paths, io.BytesIO(tar), NAME):
        pass


DOORS: list[Door] = [load, load_compressed, load_ahead, take_in]


class Canary:
    """A directory beside the data root, and what else of the machine a tar may aim at."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "outside"
        (self.directory / "sub").mkdir(parents=True)
        (self.directory / "witness").write_text("untouched\n")
        (self.directory / "witness").chmod(0o640)
        os.utime(self.directory / "witness", ns=(5, 5))
        self.before = self.look()

    def look(self) -> dict[str, object]:
        found: dict[str, object] = {
            name: sorted(os.listdir(name)) for name in ("/", "/etc", str(self.directory.parent))
        }
        for path in (Path("/etc/passwd"), self.directory, *sorted(self.directory.rglob("*"))):
            status = path.lstat()
            found[str(path)] = (
                status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_ino, status.st_size,
                status.st_mtime_ns, os.listxattr(path), path.read_bytes() if path.is_file() else b"",
            )  # fmt: skip
        return found

    def check(self) -> None:
        assert self.look() == self.before


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """In memory where that is possible: hundreds of images are made durable in it."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="tuidock-hostile-", dir=memory) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def opened(place: Path) -> Iterator[Store]:
    made = Store(str(place / "root"))
    yield made
    made.state.close()


@pytest.fixture(scope="module")
def canary(place: Path, opened: Store) -> Canary:
    return Canary(place)


@pytest.fixture
def store(opened: Store) -> Iterator[Store]:
    """Empty for every test, whatever the last one found."""
    yield opened
    for found in images.list_images(opened.state, {}):
        operations.remove(opened.state, opened.paths, found.id, [], force=True)
    operations.collect(opened.state, opened.paths)


def one_sentence(error: EngineError) -> None:
    text = str(error)
    assert text.isprintable() and 10 < len(text) < 1500, repr(text)


def described(path: str) -> str:
    """`kind detail mode uid:gid attributes`; "" for what is not there."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ""
    looks = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
    names = sorted(os.listxattr(path, follow_symlinks=False))
    looks += "".join(" opaque" if name == "trusted.overlay.opaque" else " " + name for name in names)
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(path)} {looks}"
    if stat.S_ISDIR(status.st_mode):
        return f"directory {looks}"
    if stat.S_ISFIFO(status.st_mode):
        return f"fifo {looks}"
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return f"file {file.read(600).split(bytes(1))[0].decode()} {looks}"
    kind = "char" if stat.S_ISCHR(status.st_mode) else "block"
    return f"{kind} {os.major(status.st_rdev)}:{os.minor(status.st_rdev)} {looks}"


def look_inside(store: Store, case: Case, *, imported: bool) -> None:
    """The uppermost layer is what the corpus says, and nothing of overlay's own that no whiteout asked for is in it."""
    root = images.resolve(store.state, store.paths, NAME).lower[0]
    if not (case.layer and imported):
        for name, expected in case.tree.items():
            found = described(f"{root}/{name}" if name else root)
            assert found.startswith(expected) if expected else not found, (
                f"{name[:100]!r} is {found!r}, not {expected!r}"
            )
    opaque = {name for name, expected in case.tree.items() if expected.endswith(" opaque")}
    waiting = [root]
    while waiting:
        path = waiting.pop()
        assert os.path.relpath(path, root) in opaque or not [
            name for name in os.listxattr(path, follow_symlinks=False) if "overlay" in name
        ], path
        if os.path.isdir(path) and not os.path.islink(path) and len(path) < 1000:
            waiting += (entry.path for entry in os.scandir(path))


def comes_to_nothing_bad(store: Store, case: Case, door: Door) -> None:
    imported = door is take_in
    try:
        door(store, case.tar)
    except EngineError as error:
        assert case.refused is not False, f"{door} refused it: {error}"
        one_sentence(error)
    else:
        assert case.refused is not True or (case.layer and imported), f"{door} took it"
        look_inside(store, case, imported=imported)
        assert store.problems() == []
        operations.remove(store.state, store.paths, NAME, [], force=True)
    collection.sweep(store.paths, partial_kept=0)  # downloads wait for somebody to go on with them
    assert store.is_empty() and store.problems() == [], f"{door} left something"


@pytest.mark.parametrize("name", corpus("/nowhere"))
def test_a_hostile_tar_comes_to_nothing_bad(store: Store, canary: Canary, name: str) -> None:
    for door in DOORS:
        comes_to_nothing_bad(store, corpus(str(canary.directory))[name], door)
        canary.check()


@pytest.fixture(scope="module")
def registry() -> Iterator[Misbehaving]:
    with misbehaving() as made:
        yield made


@pytest.mark.parametrize("name", sorted(TREES))
def test_a_hostile_tar_that_is_pulled(store: Store, canary: Canary, registry: Misbehaving, name: str) -> None:
    """Unpacked while it arrives. The registry's own words are no subject here (tests/engine/transfer)."""

    def pull(store: Store, tar: bytes) -> None:
        registry.add("team/hostile", "1", image([BASE, tar]))
        reference = f"{registry.host}/team/hostile:1"
        for _ in transfer.pull(store.state, store.paths, reference):
            pass
        operations.tag(store.state, store.paths, reference, NAME)
        operations.remove(store.state, store.paths, reference, [], force=True)

    comes_to_nothing_bad(store, corpus(str(canary.directory))[name], pull)
    canary.check()


# -- archives that are cut off ----------------------------------------------------------------------------------------


def test_a_tar_that_is_cut_off_is_refused_unless_it_ends_between_entries(store: Store, canary: Canary) -> None:
    """Between entries is no end by the rules, but docker takes it for one."""
    parts = [
        entry("a", content=b"1" * 700), entry("d", DIRECTORY), pax({"path": "p" * 150}) + entry("x", content=b"2" * 512),
        entry("n" * 200, content=b"3"), entry("z", content=b"4" * 1500),
    ]  # fmt: skip
    whole = b"".join(parts)
    ends = {len(b"".join(parts[:count])): count for count in range(len(parts) + 1)}
    for cut in sorted(
        {size + more for size in range(0, len(whole) + 1, 512) for more in (-1, 0, 1)} - {-1, len(whole) + 1}
    ):
        try:
            take_in(store, whole[:cut])
        except EngineError as error:
            assert cut not in ends, f"cut at {cut}: {error}"
            one_sentence(error)
        else:
            assert cut in ends, f"cut at {cut} was taken"
            root = images.resolve(store.state, store.paths, NAME).lower[0]
            assert len(os.listdir(root)) == ends[cut]
            operations.remove(store.state, store.paths, NAME, [], force=True)
        assert store.is_empty()
    canary.check()


@pytest.mark.parametrize("cut", [1, 10, 100, 500, 5000])
def test_a_compressed_layer_that_is_cut_off_is_refused(store: Store, cut: int) -> None:
    packed = gzip.compress(archive(*(entry(f"f{number}", content=os.urandom(100)) for number in range(100))))
    for door in (take_in, load):
        with pytest.raises(EngineError) as refusal:
            door(store, packed[:-cut])
        one_sentence(refusal.value)
        assert store.is_empty()


# -- bombs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS)
def test_a_bomb_is_refused_by_the_space_that_is_left(store: Store, monkeypatch: pytest.MonkeyPatch, door: Door) -> None:
    for module in (layers, ahead):
        monkeypatch.setattr(module, "room", lambda path: 8 << 20)
    tar = archive(entry("zeros", content=bytes(64 << 20)))
    with pytest.raises(EngineError, match="allowed or free") as refusal:
        door(store, tar)
    one_sentence(refusal.value)
    assert store.is_empty()


def test_sizes_that_add_up_to_more_than_a_number_can_hold() -> None:
    """Sparse files of eight exabytes each, on a file system that takes them; the sum goes into the database."""
    if not os.path.isdir("/dev/shm"):
        pytest.skip("no tmpfs here")
    records = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": str((1 << 63) - 1),
        "GNU.sparse.map": "0,1",
    }
    tar = archive(*(pax(records) + entry(f"s{number}", content=b"x") for number in range(3)))
    root = f"/dev/shm/tuidock-hostile-{os.getpid()}"
    store = Store(root)
    try:
        try:
            take_in(store, tar)
        except EngineError as error:
            one_sentence(error)
        else:
            assert images.resolve(store.state, store.paths, NAME).size > 0
            operations.remove(store.state, store.paths, NAME, [], force=True)
        assert store.is_empty()
    finally:
        store.state.close()
        subprocess.run(["rm", "-rf", root], check=True)


_UNPACK = """
import os, re, sys
from tuidock.native.extractor import Extractor
extractor = Extractor()
extractor.run(0, os.open(sys.argv[1], os.O_RDONLY))
print(extractor.entries, re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def test_names_that_come_again_and_again_take_no_memory(tmp_path: Path) -> None:
    """The times of directories are set at the end, so something has to be kept of every one."""
    count = 80_000
    one = entry("/".join(["n" * 250] * 15), DIRECTORY, mode=0o755)
    with subprocess.Popen(
        [sys.executable, "-c", _UNPACK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        for _ in range(count // 100):
            child.stdin.write(one * 100)
        child.stdin.write(END)
        child.stdin.close()
        entries, kilobytes = child.stdout.read().split()
    assert int(entries) == count and child.returncode == 0
    assert int(kilobytes) < 200_000 < count * len(one) // 1000


def test_a_million_headers_of_one_entry_are_read_in_bounded_memory(tmp_path: Path) -> None:
    """Long names and pax headers without an entry behind them count for none, whatever their number."""
    one = (pax({"path": "p", "SCHILY.xattr.user.a": "v" * 300}) + header("././@LongLink", b"L", size=0)) * 1000
    with subprocess.Popen(
        [sys.executable, "-c", _UNPACK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        for _ in range(100):
            child.stdin.write(one)
        child.stdin.write(entry("f", content=b"x") + END)
        child.stdin.close()
        entries, kilobytes = child.stdout.read().split()
    assert entries == b"1" and int(kilobytes) < 100_000
    assert (tmp_path / "p").read_bytes() == b"x"
