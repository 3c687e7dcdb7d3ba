"""What has to be true of a call before it runs, in this order: known and allowed, role, limit,
schema, policy. The limit is counted between them (`checking.py`).

Allowed is what the operator has not switched off. What a caller lists is looked at after the role:
a turn lists what it offered its model, which is what the roles let through. Pure.
"""

from collections.abc import Collection, Mapping

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal
from servers.runtime.errors import Forbidden, NotFound, Unavailable
from servers.tool_integration.tool import Invocation, Json, Offer

MOST_DEPTH = 2
"""A tool, a tool of a tool, and one within that."""


def known(offer: Offer | None, tool_id: str, unknown: str = "") -> Offer:
    """The tool; NotFound if there is none of this id, Unavailable if that is not known, and why."""
    if offer is None and unknown:
        raise Unavailable(Reason.REASON_TOOL_UNAVAILABLE, unknown, tool_id=tool_id)
    if offer is None:
        raise NotFound(
            Reason.REASON_TOOL_NOT_FOUND, f"there is no tool `{tool_id}`", tool_id=tool_id
        )
    return offer


def allowed(offer: Offer) -> None:
    """Forbidden if the tool is switched off."""
    if offer.disabled:
        tool_id = offer.tool.id
        raise Forbidden(Reason.REASON_TOOL_NOT_ALLOWED, offer.unavailable, tool_id=tool_id)


def listed(offer: Offer, allowed_tool_ids: Collection[str]) -> None:
    """Forbidden if the tool is not on the list of who calls; an empty list leaves it to the
    roles."""
    tool_id = offer.tool.id
    if allowed_tool_ids and tool_id not in allowed_tool_ids:
        raise Forbidden(
            Reason.REASON_TOOL_NOT_ALLOWED,
            f"`{tool_id}` is not among the tools that may be called here",
            tool_id=tool_id,
        )


def role(offer: Offer, who: Principal) -> None:
    """Forbidden if the user lacks a role of the tool."""
    missing = who.missing(offer.tool.roles)
    if missing:
        raise Forbidden(
            Reason.REASON_ROLE_MISSING,
            f"`{offer.tool.id}` needs the role {', '.join(sorted(missing))}",
            roles=", ".join(sorted(missing)),
        )


def available(offer: Offer) -> None:
    """Unavailable, with the reason, if the tool cannot be called just now."""
    if offer.unavailable:
        raise Unavailable(Reason.REASON_TOOL_UNAVAILABLE, offer.unavailable, tool_id=offer.tool.id)


def policy(offer: Offer, arguments: Mapping[str, Json], invocation: Invocation) -> None:
    """Forbidden if too many tools are around the call; whatever the tool's own rule raises."""
    if invocation.depth > MOST_DEPTH:
        raise Forbidden(
            Reason.REASON_TOOL_DEPTH,
            f"tools call tools {MOST_DEPTH} deep at most",
            limit=MOST_DEPTH,
        )
    if offer.policy is not None:
        offer.policy(arguments, invocation)
