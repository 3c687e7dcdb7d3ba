"""A small S3 over HTTP: the calls that a store of objects makes, as the API reference has them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import web

BUCKET = "kari"


@dataclass
class S3:
    """One bucket, in memory. `full` refuses what is put."""

    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    full: bool = False

    async def serve(self, request: web.Request) -> web.Response:
        """Answers a call, in the style of paths."""
        key = request.match_info["key"]
        if request.method == "PUT":
            return await self._put(key, request)
        if request.method == "POST" and "delete" in request.query:
            return await self._delete(await request.read())
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if not key:
            return self._listed(request.query)
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        return self._got(self.objects[key], request)

    async def _put(self, key: str, request: web.Request) -> web.Response:
        if self.full:
            return _error(403, "QuotaExceeded")
        data = self.objects[key] = await request.read()
        return web.Response(headers={"etag": _etag(data)})

    async def _delete(self, body: bytes) -> web.Response:
        found = [each.text or "" for each in ElementTree.fromstring(body).iter() if _is_key(each)]
        for key in found:
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in found)
        return _xml(f"<DeleteResult>{deleted}</DeleteResult>")

    def _listed(self, query: "web.BaseRequest | object") -> web.Response:
        prefix = query.get("prefix", "")  # type: ignore[attr-defined]  # a mapping
        found = {key: data for key, data in self.objects.items() if key.startswith(prefix)}
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
            f"<LastModified>2026-11-28T07:00:00.000Z</LastModified><ETag>{_etag(data)}</ETag>"
            "</Contents>"
            for key, data in sorted(found.items())
        )
        return _xml(
            f"<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(found)}</KeyCount>{contents}</ListBucketResult>"
        )

    def _got(self, data: bytes, request: web.Request) -> web.Response:
        headers = {"etag": _etag(data), "last-modified": "Sat, 28 Nov 2026 07:00:00 GMT"}
        wanted = request.http_range
        if wanted.start is None:
            return web.Response(body=data, headers=headers)
        if wanted.start >= len(data):
            return _error(416, "InvalidRange")
        part = data[wanted]
        last = wanted.start + len(part) - 1
        headers["content-range"] = f"bytes {wanted.start}-{last}/{len(data)}"
        return web.Response(body=part, status=206, headers=headers)


@asynccontextmanager
async def serving_s3() -> AsyncIterator[S3]:
    """Serves one on a free port inside the block."""
    s3 = S3()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", f"/{BUCKET}" + "{slash:/?}{key:.*}", s3.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    s3.endpoint = f"http://{host}:{port}"
    try:
        yield s3
    finally:
        await runner.cleanup()


def _is_key(element: ElementTree.Element) -> bool:
    return element.tag.rpartition("}")[2] == "Key"


def _etag(data: bytes) -> str:
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


def _xml(body: str, status: int = 200) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>{body}'
    return web.Response(text=text, status=status, content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)
