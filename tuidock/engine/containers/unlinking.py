"""rm --link: takes one link of a container away, from its definition and from the hosts file that it sees."""

from __future__ import annotations

from tuidock.engine import fastjson
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import move_lock
from tuidock.engine.containers.rows import one_container, resolve
from tuidock.engine.errors import Conflict, NotFound
from tuidock.engine.files import read_text, write_atomic
from tuidock.engine.instance import Instance
from tuidock.engine.network import files, linking


def unlink(instance: Instance, reference: str) -> None:
    """`CONTAINER/ALIAS`. Raises NotFound, or Conflict for a name that is no link."""
    name, slash, alias = reference.removeprefix("/").rpartition("/")
    if not slash or not alias or "/" in name:
        raise Conflict(f"cannot remove the link {reference}: a link is written as CONTAINER/ALIAS")
    row = one_container(instance, resolve(instance.state.read(), name))
    with move_lock(instance, row.id):
        config, host_config = request_of(instance, row.id)
        links = [str(link) for link in host_config.get("Links") or ()]
        kept = [link for link in links if linking.parse(link)[1] != alias]
        if len(kept) == len(links):
            raise NotFound("link", reference)
        host_config["Links"] = kept or None
        with instance.state.write() as db:
            request = fastjson.dumps({"Config": config, "HostConfig": host_config})
            db.execute("UPDATE containers SET request = ? WHERE id = ?", (request, row.id))
        directory = instance.paths.container(row.id)
        document = fastjson.loads(read_text(directory + "/create.json") or "{}")
        document["HostConfig"] = host_config
        write_atomic(directory + "/create.json", fastjson.dumps(document), 0o600)
        _forget(directory, alias)


def _forget(directory: str, alias: str) -> None:
    """The line `ADDRESS ALIAS ...` goes; what somebody else wrote stays."""
    text = files.host_file(directory + "/hosts")
    if not text:
        return  # never started
    lines = [line for line in text.splitlines(keepends=True) if line.split()[1:2] != [alias]]
    files.write(directory, "hosts", "".join(lines))
