"""The hooks of a configuration, put together in their order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers.hook_enabled_file.archives import Archives
from servers.hook_enabled_file.capsule import CapsuleHook
from servers.hook_enabled_file.clamav import ClamAV
from servers.hook_enabled_file.configuration import HooksTable, OwnTable
from servers.hook_enabled_file.configured import rules_from
from servers.hook_enabled_file.extracting import Extracting
from servers.hook_enabled_file.hooks import ENRICH, GUARD, Hook
from servers.hook_enabled_file.own import Own
from servers.hook_enabled_file.plan import ordered
from servers.hook_enabled_file.policy import Policy
from servers.hook_enabled_file.scan import Scan
from servers.hook_enabled_file.stripping import StripMetadata
from servers.hook_enabled_file.text import Index, Summary, Text
from servers.runtime.limited import Room

if TYPE_CHECKING:
    from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceAsyncStub
    from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceAsyncStub
    from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceAsyncStub
    from kari.production_memory.v1.production_memory_pb2_grpc import (
        ProductionMemoryServiceAsyncStub,
    )
    from kari.summarizer.v1.summarizer_pb2_grpc import SummarizerServiceAsyncStub


@dataclass(frozen=True)
class Peers:
    """Whom hooks call."""

    files: "FileAttachmentServiceAsyncStub"
    multimedia: "MultimediaServiceAsyncStub"
    summarizer: "SummarizerServiceAsyncStub"
    memory: "ProductionMemoryServiceAsyncStub"
    capsules: "CapsulesServiceAsyncStub"


def hooks(table: HooksTable, room: Room, peers: Peers) -> list[Hook]:
    """All that are not switched off. Misconfigured if rules cannot be read."""
    extracting = Extracting(room, peers.multimedia, table.text.seconds, table.text.bounds())
    made: list[Hook] = [
        _scan(table, room),
        Archives(room, table.archives.seconds, table.archives.bounds()),
        _policy(table, room, extracting),
        StripMetadata(room, peers.files, table.strip_metadata.seconds),
        # Longer than its job, which is ended by its own limit and has then said what it had.
        Text(extracting, table.text.seconds + 30),
        Summary(extracting, peers.summarizer, table.summary.seconds),
        Index(extracting, peers.memory, peers.files, table.index.seconds),
    ]
    made += [_own(own, room, extracting, peers) for own in table.own]
    return ordered([hook for hook in made if hook.name not in table.off], table.order)


def clamav(table: HooksTable) -> ClamAV | None:
    """The virus scanner, where one is configured."""
    return ClamAV(table.scan.clamav) if table.scan.clamav else None


def _own(own: OwnTable, room: Room, extracting: Extracting, peers: Peers) -> Hook:
    kind = GUARD if own.kind == "guard" else ENRICH
    if own.rules:
        rules = rules_from(own.rules)
        return Own(own.name, kind, room, rules, own.told, own.types, own.seconds)
    return CapsuleHook(
        own.name,
        kind,
        own.capsule,
        peers.capsules,
        extracting,
        own.told,
        own.types,
        own.seconds,
        own.text,
    )


def _policy(table: HooksTable, room: Room, extracting: Extracting) -> Policy:
    policy = table.policy
    return Policy(
        room,
        extracting,
        policy.active,
        policy.rules,
        policy.seconds,
        allow_unread=policy.unread == "allow",
        bounds=table.archives.bounds(),
    )


def _scan(table: HooksTable, room: Room) -> Scan:
    rules = rules_from(table.scan.rules) if table.scan.rules else ""
    return Scan(room, table.scan.seconds, rules, clamav(table))
