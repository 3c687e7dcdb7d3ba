"""Who asks for a socket, and in which subprotocol: read from the upgrade request. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.frames import Encoding
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import Forbidden, InvalidRequest, Unauthenticated

ACCESS_COOKIE = "kari_access"
REFRESH_COOKIE = "kari_refresh"
SESSION_COOKIE = "kari_session"
"""Readable by the page, which then knows that trying to refresh makes sense."""
_BEARER = "bearer."


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade request says. Header names are in lower case. `reads` is for one that is no
    upgrade and changes nothing."""

    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    subprotocols: Sequence[str]
    reads: bool = False


def token_of(upgrade: Upgrade, origins: frozenset[str]) -> str:
    """The access token: of the Authorization header, of a `bearer.` subprotocol, or of the cookie.

    A browser sends the cookie whoever's page asks, so with a cookie the page's origin is checked.
    Browsers name none where a page of the same host, or a link on it, only reads; what another page
    reads so it cannot see. Raises Unauthenticated and Forbidden.
    """
    scheme, _, header = upgrade.headers.get("authorization", "").partition(" ")
    offered = [p.removeprefix(_BEARER) for p in upgrade.subprotocols if p.startswith(_BEARER)]
    if scheme.lower() == "bearer" and header:
        return header.strip()
    if offered:
        return offered[0]
    cookie = upgrade.cookies.get(ACCESS_COOKIE)
    if cookie:
        if upgrade.reads and "origin" not in upgrade.headers:
            return _unless_foreign(cookie, upgrade.headers)
        require_origin(upgrade.headers, origins)
        return cookie
    raise Unauthenticated(
        Reason.REASON_TOKEN_MISSING,
        "sign in; send `Authorization: Bearer`, the subprotocol `bearer.<token>` or the cookie",
    )


def _unless_foreign(cookie: str, headers: Mapping[str, str]) -> str:
    """The cookie; Forbidden if the browser says that a page of elsewhere asks."""
    if headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
        return cookie
    raise _not_allowed("none")


def require_origin(headers: Mapping[str, str], origins: frozenset[str]) -> None:
    """Forbidden unless the page is of this host or of an origin that the settings name."""
    origin = headers.get("origin", "")
    if origin in origins:
        return
    parts = urlsplit(origin)
    if parts.scheme in ("http", "https") and parts.netloc == headers.get("host"):
        return
    raise _not_allowed(origin or "none")


def _not_allowed(origin: str) -> Forbidden:
    return Forbidden(
        Reason.REASON_ORIGIN_NOT_ALLOWED,
        "the cookie counts only on pages of this host; KARI_ORIGINS names further ones",
        origin=origin,
    )


def encoding_of(upgrade: Upgrade) -> tuple[Encoding, str | None]:
    """The encoding, and the subprotocol to name in the answer. A client that offers none at all
    speaks JSON; InvalidRequest if all that it offers are unknown."""
    for offered in upgrade.subprotocols:
        if offered in frozenset(Encoding):
            return Encoding(offered), offered
    if not upgrade.subprotocols:
        return Encoding.JSON, None
    known = " or ".join(Encoding)
    raise InvalidRequest(
        Reason.REASON_FRAME_INVALID, f"offer the subprotocol {known}", subprotocols=known
    )
