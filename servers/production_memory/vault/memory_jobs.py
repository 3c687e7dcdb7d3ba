"""What the jobs of memories say. Ids only: a job holds no content. Pure."""

import json
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class MemoryJob:
    """Memories of one tenant whose vectors are to be made, or erased if they no longer hold or are
    gone. `receipt_id` is of those who wait for the erasure; empty if none do."""

    entrypoint: ClassVar[str] = "memories"

    tenant_id: str
    memory_ids: tuple[str, ...]
    receipt_id: str = ""

    def payload(self) -> bytes:
        """The job as the queue keeps it."""
        fields = {"tenant": self.tenant_id, "memories": self.memory_ids, "receipt": self.receipt_id}
        return json.dumps(fields).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> "MemoryJob":
        """The job of a payload; ValueError if it is none."""
        match json.loads(payload or b""):
            case {"tenant": str(tenant), "memories": [*ids], "receipt": str(receipt)} if all(
                type(i) is str for i in ids
            ):
                return cls(tenant, tuple(ids), receipt)
        raise ValueError("this is no job of memories")


@dataclass(frozen=True)
class LearnJob:
    """A completed turn whose message may say something to learn."""

    entrypoint: ClassVar[str] = "learn"

    tenant_id: str
    turn_id: str

    def payload(self) -> bytes:
        """The job as the queue keeps it."""
        return json.dumps({"tenant": self.tenant_id, "turn": self.turn_id}).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> "LearnJob":
        """The job of a payload; ValueError if it is none."""
        match json.loads(payload or b""):
            case {"tenant": str(tenant), "turn": str(turn)}:
                return cls(tenant, turn)
        raise ValueError("this is no learn job")


@dataclass(frozen=True)
class ProcedureJob:
    """A completed turn whose calls of tools may be worth remembering."""

    entrypoint: ClassVar[str] = "procedures"

    tenant_id: str
    turn_id: str

    def payload(self) -> bytes:
        """The job as the queue keeps it."""
        return json.dumps({"tenant": self.tenant_id, "turn": self.turn_id}).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> "ProcedureJob":
        """The job of a payload; ValueError if it is none."""
        match json.loads(payload or b""):
            case {"tenant": str(tenant), "turn": str(turn)}:
                return cls(tenant, turn)
        raise ValueError("this is no procedure job")
