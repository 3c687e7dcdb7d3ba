"""Memories and receipts as rows, and back. Pure."""

from kari.conversation_models.v1.memory_pb2 import (
    ForgetReceipt,
    Memory,
    MemoryKind,
    MemoryOrigin,
    MemoryScope,
    StoreErasure,
)
from servers.production_memory.message import timestamp
from servers.production_memory.vault.fading import Trace
from servers.production_memory.vault.gate import Claim, Known
from servers.runtime.names import short
from servers.runtime.queries import Row

DOMAIN = ""
"""Owner of the domain's memories."""


def memory_of(row: Row) -> Memory:
    """The memory of a row of `memories`."""
    domain = row["user_id"] == DOMAIN
    return Memory(
        id=row["id"],
        kind=MemoryKind.Value(f"MEMORY_KIND_{row['kind'].upper()}"),
        content=row["content"],
        importance=row["importance"],
        origin=MemoryOrigin.Value(f"MEMORY_ORIGIN_{row['origin'].upper()}"),
        scope=MemoryScope.MEMORY_SCOPE_DOMAIN if domain else MemoryScope.MEMORY_SCOPE_USER,
        evidence_message_ids=row["evidence_message_ids"],
        conversation_id=row["conversation_id"],
        slot=row["slot"],
        valid_from=timestamp(row["valid_from"]),
        valid_to=timestamp(row["valid_to"]),
        replaced_by_memory_id=row["replaced_by"],
        last_read_at=timestamp(row["last_read_at"]),
        reads=row["reads"],
        archived=row["archived"],
    )


def trace_of(row: Row) -> Trace:
    """What a memory's fading depends on."""
    return Trace(
        kind=row["kind"],
        importance=row["importance"],
        reads=row["reads"],
        born_at=row["valid_from"],
        age_from=row["confirmed_at"],
        last_read_at=row["last_read_at"],
        archived=row["archived"],
    )


def known_of(row: Row, similarity: float) -> Known:
    """A memory as the write gate looks at it."""
    claim = Claim(
        row["content"],
        row["confirmed_at"],
        kind=row["kind"],
        slot=row["slot"],
        value=row["value"],
        negated=row["negated"],
    )
    return Known(row["id"], claim, similarity)


def receipt_of(row: Row) -> ForgetReceipt:
    """The receipt of a row of `forget_receipts`. Redis holds messages, never memories: there is
    nothing to erase."""
    count = len(row["memory_ids"])
    vectors_done = row["vectors_erased_at"] is not None
    return ForgetReceipt(
        id=row["id"],
        memory_ids=row["memory_ids"],
        forgotten_at=timestamp(row["forgotten_at"]),
        erasures=[
            StoreErasure(store="postgres", erased=count, done=True),
            StoreErasure(store="milvus", erased=count if vectors_done else 0, done=vectors_done),
            StoreErasure(store="redis", erased=0, done=True),
        ],
    )


def kind_name(kind: MemoryKind.ValueType) -> str:
    """A kind as the table has it; empty if it is not stated."""
    return short(MemoryKind, kind) if kind else ""


def owner_of(scope: MemoryScope.ValueType, user_id: str) -> str:
    """Whose memories a scope means; the user's unless it is the domain."""
    return DOMAIN if scope == MemoryScope.MEMORY_SCOPE_DOMAIN else user_id
