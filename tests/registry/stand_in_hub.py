"""A small Hugging Face hub on loopback: what its client asks for when it downloads one file, and the refusals."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

COMMIT = "a" * 40


@dataclass
class StandInHub:
    """Serves ``files[repository][file]`` at one commit; `gated` ones want `token`; downloads in `cut` break once."""

    files: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    token: str = "hf_right"
    cut: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = request.path.split("?")[0].strip("/")
        span = request.headers.get("Range", "")
        self.log.append(f"{request.command} {path} {span}".strip())
        repository, found, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        if not found or repository not in self.files:
            return _refuse(request, 401, "RepoNotFound", "Repository Not Found")
        if repository in self.gated and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refuse(request, 401, "GatedRepo", f"Access to model {repository} is restricted.")
        if revision not in ("main", COMMIT):
            return _refuse(request, 404, "RevisionNotFound", "Invalid rev id")
        if file not in self.files[repository]:
            return _refuse(request, 404, "EntryNotFound", "AggregatedResult not found")
        content = self.files[repository][file]
        start = int(span.removeprefix("bytes=").split("-")[0]) if span.startswith("bytes=") else 0
        request.send_response(206 if span else 200)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Type", "application/octet-stream")
        request.send_header("Content-Length", str(len(content) - start))
        if span:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        if body and file in self.cut:
            self.cut.discard(file)
            request.wfile.write(content[start : start + (len(content) - start) // 2])
            request.close_connection = True
        elif body:
            request.wfile.write(content[start:])
        return None


def _refuse(request: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
    text = b'{"error":"' + message.encode() + b'"}'
    request.send_response(status)
    request.send_header("X-Error-Code", code)
    request.send_header("X-Error-Message", message)
    request.send_header("Content-Length", str(len(text)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(text)
