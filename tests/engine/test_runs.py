"""What the journal still tells of a container's runs, found without reading every line of it."""

from __future__ import annotations

from pathlib import Path

from tuidock.engine import events

ONE, OTHER = "1" * 64, "2" * 64


def test_starts_and_ends_of_these_containers_in_order(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    quoted = f'{{"id":"{OTHER}"}}'
    for action, identity, labels in (
        ("create", ONE, {}), ("start", ONE, {"x": quoted}), ("start", OTHER, {"y": f'"id":"{ONE}"'}), ("die", ONE, {}),
    ):  # fmt: skip
        events.append(journal, "container", action, identity, "web", labels=labels, exitCode="3")
    (tmp_path / "journal").rename(tmp_path / "journal.1")
    events.append(journal, "container", "start", ONE, "web")
    events.append(journal, "image", "pull", f"sha256:{ONE}", "web")
    with open(journal, "ab") as file:
        file.write(b'{"t":1,"type":"container","action":"die","id":"' + ONE.encode() + b'","na')
    found = events.of_containers(journal, {ONE}, ("start", "die"))
    assert [event.action for event in found] == ["start", "die", "start"]
    assert found[0].attributes["x"] == quoted and found[1].attributes["exitCode"] == "3"
    assert found == sorted(found, key=lambda event: event.time)
    assert [event.id for event in events.of_containers(journal, {ONE, OTHER}, ("start",))] == [ONE, OTHER, ONE]
    assert events.of_containers(str(tmp_path / "none" / "journal"), {ONE}, ("start",)) == []
