"""The registry client: addresses, credentials, authentication, blobs and manifests over HTTP; knows no store.

    settings      what config.yaml says about registries; endpoints: where a host name is asked
    challenges    WWW-Authenticate; keyring: passwords in docker's files and helpers; tokens: Bearer and Basic
    transport     connections, certificates, proxies; session: retries, redirects, mirrors, errors as sentences
    client        manifests and blobs; uploading: blobs on their way out; searching, logging_in

Importing httpx takes longer than a whole short command, so this room is imported by the methods that need it.
"""

from __future__ import annotations

import sys

# httpx looks for its own command line, which brings rich, click and pygments along: a third of its import
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
