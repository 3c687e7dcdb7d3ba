"""The fixed order of the checks: what is told is what is wrong first."""

from dataclasses import replace
from typing import Any

import pytest

from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, KariError, RateLimited
from servers.tool_integration.checking import Asked, Checking
from servers.tool_integration.tool import Invocation, Offer, Tool

WHO = Principal("user_1", "tenant_1", frozenset({"chat.user"}))


class FullLimits:
    """A limit that is reached."""

    async def take(self, tool: Tool, who: Principal) -> None:
        raise RateLimited(Reason.REASON_TOOL_RATE, "enough")


class NoLimits:
    """A limit that is not."""

    async def take(self, tool: Tool, who: Principal) -> None:
        return


async def nothing(arguments: Any, invocation: Invocation) -> Any:
    return None


def never(arguments: Any, invocation: Invocation) -> None:
    raise Forbidden(Reason.REASON_ADDRESS_NOT_ALLOWED, "not there")


ROLES = frozenset({"chat.tools.code"})
WRONG: dict[str, Any] = {
    "disabled": True,
    "unavailable": "away",
    "policy": never,
}
SCHEMA = {"type": "object", "required": ["a"]}
EVERYTHING_WRONG = Offer(Tool("t", "t", "t", SCHEMA, roles=ROLES), nothing, **WRONG)


@pytest.mark.parametrize(
    ("mended", "reason"),
    [
        (0, Reason.REASON_TOOL_NOT_FOUND),
        (1, Reason.REASON_TOOL_NOT_ALLOWED),
        (2, Reason.REASON_ROLE_MISSING),
        (3, Reason.REASON_TOOL_NOT_ALLOWED),
        (4, Reason.REASON_TOOL_UNAVAILABLE),
        (5, Reason.REASON_TOOL_RATE),
        (6, Reason.REASON_TOOL_ARGUMENTS),
        (7, Reason.REASON_TOOL_DEPTH),
        (8, Reason.REASON_ADDRESS_NOT_ALLOWED),
    ],
)
async def test_the_first_thing_that_is_wrong_is_told(mended: int, reason: Reason.ValueType) -> None:
    """Known, allowed, role, listed, available, limit, schema, depth, the tool's own rule."""
    offer: Offer | None = EVERYTHING_WRONG if mended > 0 else None
    allowed = ["other"] if mended < 4 else []
    if offer is not None and mended > 1:
        offer = replace(offer, disabled=False)
    if offer is not None and mended > 2:
        offer = replace(offer, tool=replace(offer.tool, roles=frozenset()))
    if offer is not None and mended > 4:
        offer = replace(offer, unavailable="")
    limits: Any = FullLimits() if mended < 6 else NoLimits()
    text = "{" if mended < 7 else '{"a": 1}'
    depth = 3 if mended < 8 else 2
    asked = Asked(Invocation("call_1", "t", WHO, depth=depth), text, allowed)
    with pytest.raises(KariError) as caught:
        await Checking(limits).check(offer, asked)
    assert caught.value.reason == reason


async def test_a_call_that_was_allowed_is_not_counted_again() -> None:
    """It was when the user was asked about it, in the turn."""
    offer = Offer(Tool("t", "t", "t", {"type": "object"}), nothing)
    full: Any = FullLimits()
    asked = Asked(Invocation("call_1", "t", WHO, turn_id="turn_1"), "{}", approved=True)
    assert not (await Checking(full).check(offer, asked)).asks


@pytest.mark.parametrize("approval", ApprovalPolicy.values())
async def test_outside_of_a_turn_no_word_of_the_callers_is_a_way_around_the_limit(
    approval: ApprovalPolicy.ValueType,
) -> None:
    """Whoever says at once that the call is allowed is counted like everybody."""
    offer = Offer(Tool("t", "t", "t", {"type": "object"}, approval=approval), nothing)
    full: Any = FullLimits()
    with pytest.raises(RateLimited):
        await Checking(full).check(
            offer, Asked(Invocation("call_1", "t", WHO), "{}", approved=True)
        )
