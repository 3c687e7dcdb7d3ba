"""Jobs and reports: JSON with its length before it, in four bytes."""

import os

from servers.code_execution.within import json_text as json

# Importing `typing` takes a tenth of a worker's start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
else:
    Json = dict
READY = b"!"


def receive(descriptor: int) -> Json:
    """A job."""
    length = int.from_bytes(_read(descriptor, 4), "big")
    job: Json = json.loads(_read(descriptor, length))
    return job


def send(descriptor: int, answer: Json) -> None:
    """The report."""
    body = json.dumps(answer).encode()
    view = memoryview(len(body).to_bytes(4, "big") + body)
    while view:
        view = view[os.write(descriptor, view) :]


def keep_only(*descriptors: int) -> None:
    """Closes whatever else a worker was born with."""
    first = 3
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 4096)


def _read(descriptor: int, length: int) -> bytes:
    """Exactly so many bytes. Nobody waits for a worker whose server has gone: it ends."""
    parts, missing = list[bytes](), length
    while missing:
        part = os.read(descriptor, min(missing, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
