"""The chat page: files that are read once and served from memory, under a strict policy."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

WEB = Path(__file__).parent / "web"

# One policy for everything: scripts and styles only from files, connections only home.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class _File:
    body: bytes
    kind: str
    etag: str


class Page:
    """The files of a folder by path; `/` is `index.html`."""

    def __init__(self, folder: Path = WEB) -> None:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self._files = {f"/{path.relative_to(folder).as_posix()}": _read(path) for path in paths}
        self._files["/"] = self._files["/index.html"]

    @property
    def paths(self) -> list[str]:
        """Every path that there is."""
        return list(self._files)

    async def serve(self, request: Request) -> Response:
        """The file of a request's path, which has to be one of `paths`."""
        file = self._files[request.url.path]
        headers = {"etag": file.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.kind)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
