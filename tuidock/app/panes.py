"""What each kind of row is as a pane: its title, its line in the table, its fields for the filter, its tabs.

Pure, so that the four panes can be one widget: a pane is described here and shown by `screens/pane.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuidock.app import format as shown
from tuidock.app import grouping
from tuidock.app.filters import Fields, Filter, parse
from tuidock.app.lists import PLAIN, Listing
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row, ViewModel, row_name
from tuidock.app.widgets.row_set import RowSet
from tuidock.app.widgets.rows import Column
from tuidock.app.widgets.rows import Row as Line
from tuidock.app.words import mark, tr, trn
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, Network, Volume

RUNNING = ("running", "paused", "restarting")
TITLES = {CONTAINERS: mark("Containers"), IMAGES: mark("Images"), VOLUMES: mark("Volumes"), NETWORKS: mark("Networks")}
#: The word for one row of the kind, as docker says it.
NOUNS = {CONTAINERS: mark("container"), IMAGES: mark("image"), VOLUMES: mark("volume"), NETWORKS: mark("network")}
DIGITS = {kind: str(at) for at, kind in enumerate(KINDS, 1)}

EMPTY = {
    CONTAINERS: mark(
        "No containers yet. R runs one; P pulls an image: host/base is made from this machine's programs."
    ),
    IMAGES: mark("No images yet. P pulls one, B builds one, `:load file.tar` reads one from an archive."),
    VOLUMES: mark("No volumes yet. ctrl+n creates one."),
    NETWORKS: mark("No networks."),
}
EMPTY_READ_ONLY = {
    CONTAINERS: mark("No containers yet."),
    IMAGES: mark("No images yet."),
    VOLUMES: mark("No volumes yet."),
    NETWORKS: mark("No networks."),
}

TABS: dict[str, tuple[tuple[str, str], ...]] = {
    CONTAINERS: (
        ("logs", mark("Logs")),
        ("stats", mark("Stats")),
        ("ports", mark("Ports")),
        ("inspect", mark("Inspect")),
        ("env", mark("Env")),
        ("top", mark("Top")),
        ("timeline", mark("Timeline")),
        ("health", mark("Health")),
    ),
    IMAGES: (("layers", mark("Layers")), ("history", mark("History")), ("inspect", mark("Inspect"))),
    VOLUMES: (("users", mark("Users")), ("inspect", mark("Inspect"))),
    NETWORKS: (("users", mark("Members")), ("inspect", mark("Inspect"))),
}


def tabs_of(kind: str, row: Row | None) -> list[tuple[str, str]]:
    """Names and labels of the tabs for a row: that of the health check only where there is one."""
    checked = isinstance(row, Container) and bool(row.health)
    return [(name, tr(label)) for name, label in TABS[kind] if name != "health" or checked]


#: Fields that the filter knows by name in each pane.
FIELD_NAMES = {
    CONTAINERS: frozenset({"name", "id", "image", "state", "health", "port", "network", "volume", "command"}),
    IMAGES: frozenset({"name", "id", "state"}),
    VOLUMES: frozenset({"name", "driver", "state", "user"}),
    NETWORKS: frozenset({"name", "id", "driver", "subnet", "user"}),
}


#: Narrower than a table of its own would have them, so that ports are in sight beside the details.
_BESIDE = {"name": 10, "state": 17, "cpu": 6, "memory": 5, "ports": 9}
_GROW = {"name": 2, "state": 1, "ports": 3, "image": 2}


#: Texts that should be read whole where there is room, and up to which width.
_WHOLE = {"name": 30, "ports": 30, "users": 40}


def columns(kind: str, lines: Sequence[Line] = (), header: int = 0) -> Sequence[Column]:
    """The columns of a pane that shows these lines; header: cells that the longest header of a group takes."""
    found: Sequence[Column] = {
        CONTAINERS: tuple(
            column._replace(width=_BESIDE.get(column.key, column.width), grow=_GROW.get(column.key, column.grow))
            for column in shown.CONTAINER_COLUMNS
        ),
        IMAGES: shown.IMAGE_COLUMNS,
        VOLUMES: shown.VOLUME_COLUMNS,
        NETWORKS: shown.NETWORK_COLUMNS,
    }[kind]
    return tuple(
        column._replace(want=min(_WHOLE[column.key], _widest(column.key, at, lines, header)))
        if column.key in _WHOLE
        else column
        for at, column in enumerate(found)
    )


def _widest(key: str, at: int, lines: Sequence[Line], header: int) -> int:
    return max([header if key == "name" else 0, *(len(each.cell(at).text) for each in lines)])


def line(row: Row, model: ViewModel, ascii: bool) -> Line:
    """The row as a line of its table."""
    if isinstance(row, Container):
        return shown.container_row(row, model.sample(row.id), model.clock(), ascii, model.sample_before(row.id))
    if isinstance(row, Image):
        return shown.image_row(row, model.clock(), ascii)
    if isinstance(row, Volume):
        return shown.volume_row(row._replace(size=model.volume_size(row)), model.clock(), ascii)
    return shown.network_row(row, model.clock(), ascii)


def fields(row: Row) -> Fields:
    """What the filter may look at."""
    if isinstance(row, Container):
        ports = " ".join(str(port) for port in row.ports)
        named = {
            "name": row.name,
            "id": row.id,
            "image": row.image,
            "state": row.status,
            "health": row.health,
            "port": ports,
            "command": row.command,
            "network": " ".join(each.network for each in row.networks),
            "volume": " ".join(each.name or each.source for each in row.mounts),
        }
        text = f"{row.name} {row.image} {row.status} {row.health} {ports} {row.id[:12]}"
    elif isinstance(row, Image):
        state = "used" if row.containers else "unused" if row.references else "dangling"
        named = {"name": " ".join(row.references), "id": row.id.removeprefix("sha256:"), "state": state}
        text = f"{' '.join(row.references)} {row.short_id} {state}"
    elif isinstance(row, Volume):
        state = "used" if row.users else "unused"
        named = {"name": row.name, "driver": row.driver, "state": state, "user": " ".join(row.users)}
        text = f"{row.name} {row.driver} {state} {' '.join(row.users)}"
    else:
        members = " ".join(name for name, _ in row.members)
        named = {"name": row.name, "id": row.id, "driver": row.driver, "subnet": row.subnet, "user": members}
        text = f"{row.name} {row.driver} {row.subnet} {row.bridge} {members} {row.id[:12]}"
    return Fields(text, named, row.labels)


def number(kind: str, count: int) -> str:
    """So many rows of the kind, in words."""
    if kind == CONTAINERS:
        return trn("1 container", "{count} containers", count)
    if kind == IMAGES:
        return trn("1 image", "{count} images", count)
    if kind == VOLUMES:
        return trn("1 volume", "{count} volumes", count)
    return trn("1 network", "{count} networks", count)


def counted(kind: str, model: ViewModel) -> str:
    """The name of a pane as a tab."""
    return f"{DIGITS[kind]} {tr(TITLES[kind])} {len(model.rows[kind])}"


def title(
    kind: str, model: ViewModel, visible: int, listing: Listing = PLAIN, filtered: str = "", marked: int = 0
) -> str:
    """The title of a pane with what is worth knowing about the whole list, and how it is looked at."""
    rows = model.rows[kind]
    count = str(len(rows)) if visible == len(rows) else tr("{visible} of {count}", visible=visible, count=len(rows))
    text = f"{DIGITS[kind]} {tr(TITLES[kind])} {count}"
    if kind == IMAGES and rows and model.images_size >= 0:
        text += f" · {shown.size(model.images_size)}"
    elif kind == VOLUMES:
        sizes = [size for row in rows.values() if isinstance(row, Volume) and (size := model.volume_size(row)) >= 0]
        if sizes:
            text += f" · {shown.size(sum(sizes))}"
    if listing.running and kind == CONTAINERS:
        text += " · " + tr("running")
    if listing.group:
        text += " · " + tr("by {group}", group=clean(grouping.words(listing.group)))
    if filtered:
        text += f" · /{filtered}"
    if marked:
        text += " · " + tr("{count} marked", count=marked)
    return text


def empty_text(kind: str, rows: int, read_only: bool, listing: Listing, filtered: str) -> str:
    """Why nothing is shown; rows is how many there are before the filter."""
    if filtered:
        return tr("Nothing fits {filtered}. esc clears the filter.", filtered=filtered)
    if listing.running and kind == CONTAINERS and rows:
        return tr("Nothing runs. A shows all containers.")
    return tr((EMPTY_READ_ONLY if read_only else EMPTY)[kind])


def chosen(kind: str, model: ViewModel, listing: Listing) -> list[Row]:
    """The rows of a list before it is filtered."""
    rows = model.rows[kind].values()
    if kind == CONTAINERS and listing.running:
        return [row for row in rows if isinstance(row, Container) and row.status in RUNNING]
    return list(rows)


def predicate(kind: str, model: ViewModel, wanted: Filter) -> Callable[[Line], bool] | None:
    """Which lines a filter lets through; None for all."""
    if not wanted.predicates:
        return None

    def fits(line: Line) -> bool:
        row = model.get(kind, line.key)
        return row is not None and wanted(fields(row))

    return fits


def prepare(
    rows: RowSet, kind: str, model: ViewModel, listing: Listing, columns: Sequence[Column], ascii: bool
) -> None:
    """Sorting, groups and filter of a list that holds no rows yet."""
    rows.sort_by(listing.sort, listing.reverse)
    by = grouping.grouping(kind, listing.group, lambda key: model.get(kind, key), columns, ascii)
    rows.group_with(by, listing.folded)
    if listing.filter:
        rows.set_predicate(predicate(kind, model, parse(listing.filter, FIELD_NAMES[kind])))


def copies(row: Row) -> list[tuple[str, str]]:
    """What can be copied of a row: (what it is, the text)."""
    found = [("name", row_name(row))]
    if isinstance(row, Container):
        found += [("id", row.id), ("image", row.image)]
        found += [(f"address in {each.network}", each.address) for each in row.networks if each.address]
        found += [("URL", url(port.host_ip, port.host_port)) for port in row.ports if port.host_port]
        found += [("command", row.command)]
        found += [("logs command", f"tuidock logs -f {row.name}"), ("shell command", f"tuidock exec -it {row.name} sh")]
    elif isinstance(row, Image):
        found += [("id", row.id), ("run command", f"tuidock run -it --rm {row_name(row)}")]
        found += [("name", name) for name in row.references[1:]]
        found += [("digest", digest) for digest in row.digests]
    elif isinstance(row, Volume):
        found += [("mountpoint", row.mountpoint), ("run option", f"-v {row.name}:/data")]
    elif isinstance(row, Network):
        found += [("id", row.id), ("subnet", row.subnet), ("gateway", row.gateway)]
    return [(clean(what), clean(text)) for what, text in found if text]


def url(host_ip: str, host_port: int, host: str = "localhost") -> str:
    """The address under which a published port answers."""
    if host_ip not in ("", "0.0.0.0", "::"):
        host = f"[{host_ip}]" if ":" in host_ip else host_ip
    scheme = "https" if host_port in (443, 8443) else "http"
    return f"{scheme}://{host}:{host_port}"
