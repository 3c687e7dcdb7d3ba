"""What a tool is: what it says of itself, and the one way to have it do something."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import orjson

from kari.conversation_models.v1 import tool_pb2
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, SideEffects, ToolProgress
from servers.runtime.call import Principal
from servers.runtime.durations import duration

Json: TypeAlias = Any
"""What JSON can say: None, bool, int, float, str, lists and dicts with keys of text."""
Schema: TypeAlias = Mapping[str, Any]
"""JSON Schema, draft 2020-12."""
Report: TypeAlias = Callable[[ToolProgress], None]


@dataclass(frozen=True)
class Tool:
    """What is known of a tool before it is called. Durations in seconds; a limit of 0 is none."""

    id: str
    name: str
    description: str
    parameters: Schema
    result: Schema | None = None
    roles: frozenset[str] = frozenset({"chat.user"})
    calls_per_minute: int = 0
    calls_per_hour: int = 0
    timeout: float = 10.0
    idempotent: bool = True
    side_effects: SideEffects.ValueType = SideEffects.SIDE_EFFECTS_NONE
    approval: ApprovalPolicy.ValueType = ApprovalPolicy.APPROVAL_POLICY_NEVER
    source: tool_pb2.ToolSource.ValueType = tool_pb2.ToolSource.TOOL_SOURCE_BUILT_IN

    @cached_property
    def message(self) -> tool_pb2.Tool:
        """The tool as the contract has it, taken to be available. Nobody changes it."""
        return tool_pb2.Tool(
            id=self.id,
            name=self.name,
            description=self.description,
            parameters_schema=orjson.dumps(self.parameters).decode(),
            result_schema="" if self.result is None else orjson.dumps(self.result).decode(),
            roles=sorted(self.roles),
            calls_per_minute=self.calls_per_minute,
            calls_per_hour=self.calls_per_hour,
            timeout=duration(self.timeout),
            idempotent=self.idempotent,
            side_effects=self.side_effects,
            approval=self.approval,
            source=self.source,
            available=True,
        )

    @property
    def needs_approval(self) -> bool:
        """Whether the user is asked first; a policy that is not stated asks."""
        return self.approval != ApprovalPolicy.APPROVAL_POLICY_NEVER


def _unheard(_progress: ToolProgress) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a tool, as its handler sees it. `report` tells how far it has come; the call's id
    is filled in."""

    call_id: str
    tool_id: str
    principal: Principal
    conversation_id: str = ""
    turn_id: str = ""
    depth: int = 0
    report: Report = field(default=_unheard, repr=False)


@dataclass(frozen=True)
class Told:
    """A result with what else is known of the call; a handler that knows more gives this."""

    value: Json
    metadata: Mapping[str, Json] = field(default_factory=dict)


class Handler(Protocol):
    """Does what a tool does."""

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json | Told:
        """The result. The arguments fit the tool's schema. KariError says what went wrong; its
        message reaches models and people. It is cancelled when its time is over."""


class Policy(Protocol):
    """A rule of a tool's own, looked at before it runs and before anybody is asked."""

    def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> None:
        """Raises KariError if this call may not be."""


@dataclass(frozen=True)
class Offer:
    """A tool that a source has. `unavailable` says why it cannot be called just now, and the way
    out; empty if it can. `disabled`: the operator switched it off."""

    tool: Tool
    handler: Handler
    unavailable: str = ""
    policy: Policy | None = None
    disabled: bool = False

    @cached_property
    def message(self) -> tool_pb2.Tool:
        """The tool as the contract has it. Nobody changes it."""
        if not self.unavailable:
            return self.tool.message
        said = tool_pb2.Tool()
        said.CopyFrom(self.tool.message)
        said.available, said.unavailable_because = False, self.unavailable
        return said
