"""Capsules and runs as the contract has them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kari.capsules.v1.capsules_pb2 import Capsule, CapsuleType, Run
from kari.conversation_models.v1.tool_pb2 import SideEffects
from servers.capsules.catalogue import Entry
from servers.runtime import paging
from servers.runtime.call import Principal
from servers.runtime.durations import duration


def capsule_of(entry: Entry) -> Capsule:
    """A capsule; of one that cannot be read there is its id and what is wrong."""
    listed = Capsule(
        id=entry.id,
        built_in=entry.built_in,
        available=not entry.wrong,
        unavailable_because=entry.wrong,
    )
    if entry.version is None:
        return listed
    manifest, policy = entry.version.manifest, entry.version.manifest.security_policy
    listed.MergeFrom(
        Capsule(
            name=manifest.name,
            version=manifest.version,
            description=manifest.description,
            type=CapsuleType.Value(f"CAPSULE_TYPE_{manifest.type.upper()}"),
            capabilities=manifest.capabilities,
            required_roles=manifest.required_roles,
            allowed_tools=manifest.allowed_tools,
            input_schema=_json(manifest.input_schema),
            result_schema=_json(manifest.result_schema) if manifest.result_schema else "",
            max_execution_time=duration(policy.max_execution_time),
            allow_network_access=policy.allow_network_access,
            allow_file_system_access=policy.allow_file_system_access,
            side_effects=SideEffects.Value(f"SIDE_EFFECTS_{manifest.side_effects.upper()}"),
            signed_by=entry.version.signed_by,
            resumable=manifest.resumable,
        )
    )
    return listed


def page_for(
    entries: Sequence[Entry], who: Principal, size: int, token: str
) -> tuple[Sequence[Entry], str]:
    """A page of the capsules that a user's roles allow, and the token of the next. One that is
    broken asks for no roles that could be read; everybody sees it."""
    seen = [e for e in entries if e.version is None or not who.missing(_roles(e))]
    (first,) = paging.place_of(token, int) or (0,)
    start = max(0, int(first))
    after = start + paging.size_of(size)
    return seen[start:after], paging.token_of(after) if after < len(seen) else ""


def _roles(entry: Entry) -> frozenset[str]:
    assert entry.version is not None  # noqa: S101  # asked for such entries only
    return frozenset(entry.version.manifest.required_roles)


def run_of(row: Any) -> Run:
    """A run, of its row."""
    return Run(
        id=row["id"],
        capsule_id=row["capsule_id"],
        created_at=_timestamp(row["created_at"]),
        updated_at=_timestamp(row["updated_at"]),
        checkpoints=row["checkpoints"],
        ended=row["ended"],
        under_way=row["under_way"],
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
