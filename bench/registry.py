"""Debian's docker-registry on loopback with storage of its own, and images put into it without any of the engines."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from bench.measure import BenchFailure
from bench.peers import NOT_INSTALLED

_PATIENCE = 20  # seconds until it answers
_TYPES = "application/vnd.docker."
_MANIFEST = _TYPES + "distribution.manifest.v2+json"
_CONFIG = _TYPES + "container.image.v1+json"
_LAYER = _TYPES + "image.rootfs.diff.tar.gzip"
_SETTINGS = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
"""


class Registry:
    """One registry program. It goes with the namespaces of isolate.py, or by `close`."""

    def __init__(self, directory: str, port: int, environ: Mapping[str, str]) -> None:
        self.address = f"127.0.0.1:{port}"
        self.storage = f"{directory}/storage"
        program = shutil.which("docker-registry")
        if program is None:
            raise BenchFailure(f"docker-registry is {NOT_INSTALLED}")
        os.makedirs(self.storage)
        settings = f"{directory}/config.yml"
        with open(settings, "w") as stream:
            stream.write(_SETTINGS.format(storage=self.storage, address=self.address))
        with open(f"{directory}/log", "wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", settings], env=dict(environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise BenchFailure(f"docker-registry does not start, see {directory}/log")
            time.sleep(0.02)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def empty(self) -> None:
        """Forgets all images: it keeps no cache of its storage."""
        shutil.rmtree(f"{self.storage}/docker", ignore_errors=True)

    def put(self, archive: Mapping[str, Any], repository: str, tag: str, level: int) -> None:
        """Stores an image: its config and the paths of its layers' tars, which are compressed here."""
        layers = []
        for path in archive["layers"]:
            packed = f"{self.storage}/packed.gz"
            with open(path, "rb") as source, gzip.GzipFile(packed, "wb", level, mtime=0) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            with open(packed, "rb") as stream:
                layers.append(self._blob(repository, stream, _LAYER))
            os.unlink(packed)
        with open(archive["config"], "rb") as stream:
            config = self._blob(repository, stream, _CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), _MANIFEST)

    def warm(self) -> None:
        """Reads everything, so that it lies in the page cache for everybody."""
        for base, _, names in os.walk(self.storage):
            for name in names:
                with open(f"{base}/{name}", "rb") as stream:
                    while stream.read(1 << 20):
                        pass

    def layers(self, repository: str, tag: str) -> int:
        """How many layers the image has that lies there, all of them present. Raises BenchFailure."""
        accept = f"{_MANIFEST}, application/vnd.oci.image.manifest.v1+json"
        _, raw = self._ask("GET", f"/v2/{repository}/manifests/{tag}", accept=accept)
        document = json.loads(raw)
        for layer in document["layers"]:
            self._ask("HEAD", f"/v2/{repository}/blobs/{layer['digest']}")
        return len(document["layers"])

    def _blob(self, repository: str, stream: BinaryIO, media_type: str) -> dict[str, Any]:
        digest = "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        headers, _ = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        place = urlsplit(headers["Location"])
        query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
        self._ask("PUT", f"{place.path}?{query}", stream, "application/octet-stream", size)
        return {"mediaType": media_type, "digest": digest, "size": size}

    def _ask(
        self, method: str, path: str, body: bytes | BinaryIO = b"", kind: str = "", size: int = -1, accept: str = ""
    ) -> tuple[http.client.HTTPMessage, bytes]:
        length = len(body) if isinstance(body, bytes) else size
        headers = {"Content-Length": str(length)} | ({"Content-Type": kind} if kind else {})
        headers |= {"Accept": accept} if accept else {}
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except OSError as error:
            raise BenchFailure(f"docker-registry: {method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise BenchFailure(f"docker-registry: {method} {path}: {answer.status} {raw[:200]!r}")
        return answer.headers, raw

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/v2/")
        except BenchFailure:
            return False
        return True
