"""The answers of the in-process registry: the distribution specification and docker's token server, in small."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from tests.engine.store.archives import sha256
from tests.registry.real import PASSWORD, USER

if TYPE_CHECKING:
    from tests.registry.misbehaving import Misbehaving


class Seen(NamedTuple):
    """A request that came in. headers by lower-case name; body is what of it has been read."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Answer:
    """What is about to be sent; faults change it."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-").title(): value for name, value in headers.items()}
        self.length: int | None = None  # a lie about the length
        self.cut: int | None = None  # bytes after which the connection ends
        self.trickle: int | None = None  # bytes after which they come one by one
        self.stall: int | None = None  # bytes after which nothing comes any more


def _refuse(code: int, word: str, message: str, **headers: str) -> Answer:
    return Answer(code, json.dumps({"errors": [{"code": word, "message": message}]}).encode(), **headers)


def answer_to(registry: Misbehaving, seen: Seen) -> Answer:
    """What a registry says that follows the specification."""
    if seen.path == "/token":
        return _token(registry, seen)
    refused = _authorise(registry, seen)
    if refused:
        return refused
    if seen.path == "/v2/":
        return Answer(200, b"{}")
    if seen.path == "/v2/_catalog":
        return _listing(registry, seen, "repositories", sorted({name for name, _ in registry.manifests}))
    name, _, rest = seen.path.removeprefix("/v2/").rpartition("/manifests/")
    if name:
        return _manifest(registry, seen, name, rest)
    name, _, rest = seen.path.removeprefix("/v2/").rpartition("/blobs/uploads/")
    if name:
        return _upload(registry, seen, name, rest)
    name, _, rest = seen.path.removeprefix("/v2/").rpartition("/blobs/")
    if name:
        return _blob(registry, seen, rest)
    if seen.path.endswith("/tags/list"):
        name = seen.path.removeprefix("/v2/").removesuffix("/tags/list")
        tags = sorted(tag for one, tag in registry.manifests if one == name and not tag.startswith("sha256:"))
        return _listing(registry, seen, "tags", tags) if tags else _refuse(404, "NAME_UNKNOWN", "no such repository")
    return Answer(404)


def _listing(registry: Misbehaving, seen: Seen, key: str, entries: list[str]) -> Answer:
    last = seen.query.get("last", [""])[0]
    entries = [entry for entry in entries if entry > last]
    more: Any = {}
    if registry.page and len(entries) > registry.page:
        entries = entries[: registry.page]
        more = {"Link": f'<{seen.path}?last={entries[-1]}&n={registry.page}>; rel="next"'}
    return Answer(200, json.dumps({key: entries}).encode(), Content_Type="application/json", **more)


def _scopes_needed(seen: Seen) -> str:
    if seen.path == "/v2/":
        return ""
    if seen.path == "/v2/_catalog":
        return "registry:catalog:*"
    name = seen.path.removeprefix("/v2/")
    for part in ("/manifests/", "/blobs/", "/tags/"):
        if part in name:
            name = name.partition(part)[0]
    return f"repository:{name}:{'pull' if seen.method in ('GET', 'HEAD') else 'pull,push'}"


def _authorise(registry: Misbehaving, seen: Seen) -> Answer | None:
    given = seen.headers.get("authorization", "")
    if registry.auth == "basic":
        if given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return None
        return _refuse(401, "UNAUTHORIZED", "who are you", Www_Authenticate='Basic realm="a, b=c", charset="UTF-8"')
    if registry.auth != "bearer":
        return None
    needed = _scopes_needed(seen)
    granted = registry.tokens.get(given.removeprefix("Bearer "))
    if granted is not None and (not needed or _covers(granted, needed)):
        return None
    realm = registry.realm or registry.url + "/token"
    challenge = f'Bearer realm="{realm}",service="tests, here"' + (f',scope="{needed}"' if needed else "")
    if given.startswith("Bearer "):
        challenge += f',error="{"invalid_token" if granted is None else "insufficient_scope"}"'
    return _refuse(401, "UNAUTHORIZED", "authentication required", Www_Authenticate="Negotiate, " + challenge)


def _covers(granted: list[str], needed: str) -> bool:
    name, _, actions = needed.rpartition(":")
    for scope in granted:
        same, _, more = scope.rpartition(":")
        if same == name and set(actions.split(",")) <= set(more.split(",")):
            return True
    return False


def _token(registry: Misbehaving, seen: Seen) -> Answer:
    known = False
    if seen.method == "POST":
        if not registry.takes_post:
            return Answer(405)
        form = dict(parse_qsl(seen.body.decode()))
        scopes = form.get("scope", "").split()
        if form.get("grant_type") == "refresh_token":
            known = bool(registry.refresh_token) and form.get("refresh_token") == registry.refresh_token
        else:
            known = (form.get("username"), form.get("password")) == (USER, PASSWORD)
        if not known:
            return _refuse(401, "UNAUTHORIZED", "incorrect username or password")
    else:
        scopes = [part for scope in seen.query.get("scope", []) for part in scope.split()]
        given = seen.headers.get("authorization", "")
        known = given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if given and not known:
            return _refuse(401, "UNAUTHORIZED", "incorrect username or password")
        if not known and not registry.public:
            return _refuse(401, "UNAUTHORIZED", "no anonymous tokens")
    if not known:
        scopes = [scope for scope in scopes if scope.endswith(":pull")]
    text = secrets.token_hex(16)
    with registry.lock:
        registry.tokens[text] = scopes
    document: dict[str, Any] = {"token": text, "expires_in": registry.lifetime}
    if registry.refresh_token:
        document["refresh_token"] = registry.refresh_token
    return Answer(200, json.dumps(document).encode(), Content_Type="application/json")


def _manifest(registry: Misbehaving, seen: Seen, name: str, reference: str) -> Answer:
    if seen.method == "PUT":
        missing = [d for d in _referred(seen.body) if d not in registry.blobs and (name, d) not in registry.manifests]
        if missing:
            return _refuse(400, "MANIFEST_BLOB_UNKNOWN", f"unknown {missing[0]}")
        tag = "" if reference.startswith("sha256:") else reference
        digest = registry.add_manifest(name, tag, seen.headers["content-type"], seen.body)
        return Answer(201, Location=f"/v2/{name}/manifests/{digest}", Docker_Content_Digest=digest)
    found = registry.manifests.get((name, reference))
    if found is None:
        return _refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return Answer(200, found[1], Content_Type=found[0], Docker_Content_Digest=sha256(found[1]))


def _referred(raw: bytes) -> list[str]:
    document = json.loads(raw)
    entries = [document.get("config"), *document.get("layers", ()), *document.get("manifests", ())]
    return [entry["digest"] for entry in entries if entry]


def _blob(registry: Misbehaving, seen: Seen, digest: str) -> Answer:
    raw = registry.blobs.get(digest)
    if raw is None:
        return _refuse(404, "BLOB_UNKNOWN", "blob unknown")
    headers: Any = {"Content_Type": "application/octet-stream", "Docker_Content_Digest": digest}
    wanted = seen.headers.get("range", "")
    if wanted and registry.ranges:
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(raw):
            return Answer(416)
        return Answer(206, raw[start:], Content_Range=f"bytes {start}-{len(raw) - 1}/{len(raw)}", **headers)
    return Answer(200, raw, **headers)


def _upload(registry: Misbehaving, seen: Seen, name: str, identity: str) -> Answer:
    query = {key: values[0] for key, values in seen.query.items()}
    if seen.method == "POST":
        if registry.mounts and query.get("mount") in registry.blobs:
            return Answer(201, Location=f"/v2/{name}/blobs/{query['mount']}", Docker_Content_Digest=query["mount"])
        identity = secrets.token_hex(8)
        registry.uploads[identity] = bytearray()
        return Answer(202, Location=_place(registry, name, identity), Range="0-0", Docker_Upload_Uuid=identity)
    held = registry.uploads.get(identity)
    if held is None:
        return _refuse(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
    if seen.method == "DELETE":
        del registry.uploads[identity]
        return Answer(204)
    where: Any = {"Location": _place(registry, name, identity), "Range": f"0-{max(0, len(held) - 1)}"}
    if seen.method == "GET":
        return Answer(204, **where)
    stated = seen.headers.get("content-range", "")
    if stated and int(stated.partition("-")[0]) != len(held) - len(seen.body):
        del held[len(held) - len(seen.body) :]
        return Answer(416, Location=where["Location"], Range=f"0-{max(0, len(held) - 1)}")
    if seen.method == "PATCH":
        return Answer(202, **where)
    raw = bytes(held)
    if sha256(raw) != query.get("digest"):
        del registry.uploads[identity]
        return _refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    registry.blobs[sha256(raw)] = raw
    del registry.uploads[identity]
    return Answer(201, Location=f"/v2/{name}/blobs/{sha256(raw)}", Docker_Content_Digest=sha256(raw))


def _place(registry: Misbehaving, name: str, identity: str) -> str:
    return f"{registry.location}/v2/{name}/blobs/uploads/{identity}?state=a%2Fb"
