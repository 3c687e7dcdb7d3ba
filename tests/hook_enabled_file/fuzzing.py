"""Many hostile samples, one after the other, in one job; and how they are made."""

import io
import json
import random
import zipfile
from collections.abc import Iterator

from servers.hook_enabled_file.kinds import STRIPPED
from servers.hook_enabled_file.reading import archives, documents, scanning, stripping
from servers.runtime.limited.failures import Unreadable
from servers.runtime.limited.job import JobFile


class Sample(io.BytesIO):
    """A sample as readers see a file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on."""
        return self.getvalue()[offset : offset + length]


def many(file: JobFile, request: bytes) -> Iterator[bytes]:
    """What became of each sample: `request` is JSON of their sizes and of what they are."""
    asked = json.loads(request)
    for size in asked["sizes"]:
        yield _outcome(file.read(size), asked["content_type"]).encode()


def _outcome(data: bytes, content_type: str) -> str:
    said = []
    document = json.dumps({"content_type": content_type, "bounds": {"pages": 20, "rows": 200}})
    for name, function, request in (
        ("read", documents.read, document.encode()),
        ("look", archives.look, b"{}"),
        ("scan", scanning.scan, b'{"name": "a.pdf", "carried": ["scan"]}'),
        ("strip", stripping.strip, content_type.encode()),
    ):
        if name == "strip" and content_type not in STRIPPED:
            continue
        try:
            for _ in function(Sample(data), request):  # type: ignore[arg-type]  # as good as one
                pass
        except Unreadable:
            said.append(f"{name}:unreadable")
        except MemoryError:
            said.append(f"{name}:memory")
        except Exception as error:  # noqa: BLE001  # as a job takes whatever a library raises
            said.append(f"{name}:{type(error).__name__}")
        else:
            said.append(f"{name}:done")
    return " ".join(said)


def mutants(sample: bytes, count: int, seed: int) -> Iterator[bytes]:
    """So many of its truncated and mutated forms, the same for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        data = bytearray(sample)
        if number % 3 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(
            chance.choice((0, 1, 4, 32)) if number % 3 == 0 else chance.choice((1, 8, 64))
        ):
            if data:
                _mutate(data, chance)
        yield bytes(data)


def repacked(sample: bytes, count: int, seed: int) -> Iterator[bytes]:
    """So many zip files whose packing is whole and whose contents are mutated."""
    chance = random.Random(seed)
    for _ in range(count):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(sample)) as packed, zipfile.ZipFile(out, "w") as made:
            names = packed.namelist()
            chosen = set(chance.sample(names, k=min(len(names), chance.choice((1, 2, 5)))))
            for name in names:
                data = bytearray(packed.read(name))
                for _ in range(chance.choice((1, 8, 64)) if name in chosen else 0):
                    if data:
                        _mutate(data, chance)
                made.writestr(name, bytes(data))
        yield out.getvalue()


def _mutate(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[at] = chance.randrange(256)
        case 1:
            data[at] ^= 1 << chance.randrange(8)
        case 2:
            data[at : at + 4] = chance.choice(
                (b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\0\0\0\0")
            )
        case 3:
            del data[at : at + chance.randrange(64)]
        case _:
            data[at:at] = data[at : at + chance.randrange(200)]
