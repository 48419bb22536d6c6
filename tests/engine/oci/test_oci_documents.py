"""Documents that the specification's own tests refuse are refused, the others are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.oci import Invalid, descriptor, digest, image_config, manifest

CASES = Path(__file__).resolve().parents[4] / "shared/cases/oci_schema_fixtures.json"
DIGEST = "sha256:" + "5" * 64


def cases() -> list[Any]:
    if not CASES.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the recorded cases are not beside this checkout"))]
    fixtures = json.loads(CASES.read_text())["cases"]
    return [pytest.param(case, id=f"{number}-{case['kind']}") for number, case in enumerate(fixtures)]


def read(kind: str, raw: bytes) -> None:
    if kind == "compat":
        document = json.loads(raw)
        kind = "index" if "manifests" in document else "manifest" if "layers" in document else "config"
    match kind:
        case "manifest":
            manifest.parse_manifest(raw)
        case "index":
            manifest.parse_index(raw)
        case "config":
            image_config.parse(raw)
        case "layout":
            manifest.check_layout(raw)
        case "descriptor":
            descriptor.parse(descriptor.load_object(raw, "a descriptor", 1 << 20))
        case _:
            raise AssertionError(kind)


@pytest.mark.parametrize("case", cases())
def test_a_document_is_accepted_or_refused_like_the_schema_does(case: dict[str, Any]) -> None:
    if case["must_fail"]:
        with pytest.raises(Invalid):
            read(case["kind"], case["document"].encode())
    else:
        read(case["kind"], case["document"].encode())


def layer() -> dict[str, Any]:
    return {"mediaType": descriptor.OCI_LAYER, "size": 1, "digest": DIGEST}


def test_a_document_that_is_manifest_and_index_at_once_is_refused() -> None:
    raw = json.dumps({"schemaVersion": 2, "config": layer(), "layers": [layer()], "manifests": []}).encode()
    for reader in (manifest.parse_manifest, manifest.parse_index):
        with pytest.raises(Invalid, match="both"):
            reader(raw)


def test_a_manifest_that_calls_itself_otherwise_than_its_source_is_refused() -> None:
    document = {"schemaVersion": 2, "mediaType": descriptor.OCI_MANIFEST, "config": layer(), "layers": [layer()]}
    with pytest.raises(Invalid, match="calls itself"):
        manifest.parse_manifest(json.dumps(document).encode(), descriptor.DOCKER_MANIFEST)


def test_schema_one_is_refused() -> None:
    with pytest.raises(Invalid, match="schema version 1"):
        manifest.parse_manifest(b'{"schemaVersion": 1, "fsLayers": []}')


def test_documents_above_their_limit_are_refused_before_they_are_parsed() -> None:
    with pytest.raises(Invalid, match="longer than"):
        image_config.parse(b" " * (image_config.SIZE_LIMIT + 1))
    with pytest.raises(Invalid, match="longer than"):
        manifest.parse_manifest(b"[" * (manifest.SIZE_LIMIT + 1))


def test_deeply_nested_json_is_an_error_and_no_crash() -> None:
    with pytest.raises(Invalid):
        image_config.parse(b"[" * 100_000)


@pytest.mark.parametrize("text", ["sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:../../etc/passwd", "a" * 64, ""])
def test_only_whole_lower_case_digests_become_file_names(text: str) -> None:
    with pytest.raises(Invalid):
        digest.hex_of(text)


def test_chain_ids_follow_the_specification() -> None:
    first, second = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    assert digest.chain_ids([first]) == [first]
    assert digest.chain_ids([first, second]) == [first, digest.of_bytes(f"{first} {second}".encode())]


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
        ("2015-10-31T22:22:56.015925234Z", 1446330176015925234),
    ],
)
def test_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    assert image_config.parse_time(text) == nanoseconds


def test_a_written_time_is_read_back() -> None:
    assert image_config.format_time(1446330176015925234) == "2015-10-31T22:22:56.015925234Z"
    assert image_config.format_time(1_000_000_000) == "1970-01-01T00:00:01Z"
