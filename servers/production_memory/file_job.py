"""What the jobs of files say. Ids only: a job holds no content. Pure."""

import json
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FileJob:
    """Pieces of files of one tenant whose vectors are to be made, or erased if they are gone; then
    files that were dropped, of which no vector is to be left."""

    entrypoint: ClassVar[str] = "files"

    tenant_id: str
    chunk_ids: tuple[str, ...] = ()
    dropped_ids: tuple[str, ...] = ()

    def payload(self) -> bytes:
        """The job as the queue keeps it."""
        fields = {"tenant": self.tenant_id, "chunks": self.chunk_ids, "dropped": self.dropped_ids}
        return json.dumps(fields).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> "FileJob":
        """The job of a payload; ValueError if it is none."""
        match json.loads(payload or b""):
            case {"tenant": str(tenant), "chunks": [*chunks], "dropped": [*dropped]} if all(
                type(each) is str for each in (*chunks, *dropped)
            ):
                return cls(tenant, tuple(chunks), tuple(dropped))
        raise ValueError("this is no job of files")
