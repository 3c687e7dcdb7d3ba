"""What an embed job says. Pure."""

import json
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class EmbedJob:
    """Messages of one tenant whose vectors are to be stored. Ids only: a job holds no content."""

    entrypoint: ClassVar[str] = "embed"

    tenant_id: str
    message_ids: tuple[str, ...]

    def payload(self) -> bytes:
        """The job as the queue keeps it."""
        return json.dumps({"tenant": self.tenant_id, "messages": self.message_ids}).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> "EmbedJob":
        """The job of a payload; ValueError if it is none."""
        match json.loads(payload or b""):
            case {"tenant": str(tenant), "messages": [*ids]} if all(type(i) is str for i in ids):
                return cls(tenant, tuple(ids))
        raise ValueError("this is no embed job")
