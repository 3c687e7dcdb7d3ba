"""Who calls, and whether they may: the contract's roles and exposure, the topology's arrows."""

from collections.abc import Callable, Mapping

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.call import Principal, admit, current
from servers.runtime.errors import Forbidden, Unauthenticated
from servers.runtime.interceptors.chain import Around, Enter, Incoming
from servers.runtime.interceptors.sending import Outgoing, Send
from servers.runtime.mesh_key import OPERATOR, MeshKey
from servers.runtime.policy import FieldRoles, MethodPolicy, Policies

USER_HEADER = "authorization"
CALLER_HEADER = "x-kari-caller"

VerifyUser = Callable[[str], Principal]


class Authentication(Around):
    """Verifies tokens and enforces the contract's policy."""

    def __init__(
        self,
        policies: Policies,
        verify_user: VerifyUser,
        mesh_key: MeshKey,
        callers: Mapping[str, frozenset[str]],
    ) -> None:
        """`callers` has, by full service name, the servers that may call it."""
        self._policies = policies
        self._verify_user = verify_user
        self._mesh_key = mesh_key
        self._callers = callers
        self._field_roles = FieldRoles()

    def of(self, method: str) -> Enter:
        """Lets a call in, with its principal, or refuses it."""
        policy = self._policies.of(method)
        service = method[1:].partition("/")[0]
        callers = self._callers.get(service, frozenset()) | {OPERATOR}

        def enter(call: Incoming) -> None:
            self._admit(call, policy, callers)

        return enter

    def _admit(self, call: Incoming, policy: MethodPolicy, callers: frozenset[str]) -> None:
        caller = self._mesh_key.caller(call.header(CALLER_HEADER))
        if policy.mesh_only and caller not in callers:
            raise _not_allowed(call.method, caller)
        token = _bearer(call.header(USER_HEADER))
        who = self._principal(token, caller) if token and not policy.public else None
        admit(who, caller)
        if policy.public:
            return
        if who is None:
            if policy.unattended:
                return
            raise Unauthenticated(
                Reason.REASON_TOKEN_MISSING, "sign in and send `authorization: Bearer <token>`"
            )
        fields = self._field_roles.required(call.request) if call.request is not None else None
        _require_roles(who, policy.roles | fields if fields else policy.roles)

    def _principal(self, token: str, caller: str) -> Principal:
        """A token of the mesh counts only in the hands of a server of the mesh."""
        delegated = self._mesh_key.principal(token) if caller else None
        return delegated or self._verify_user(token)


def send_credentials(mesh_key: MeshKey, name: str) -> Send:
    """Passes the user's token on and proves which server calls."""

    def begin(call: Outgoing) -> None:
        call.headers.append((CALLER_HEADER, mesh_key.prove(name)))
        who = current().principal
        if who is not None and who.token:
            call.headers.append((USER_HEADER, f"Bearer {who.token}"))

    return lambda _method: begin


def _bearer(header: str) -> str:
    """The token of an `authorization` header (RFC 6750); empty if it carries none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _not_allowed(method: str, caller: str) -> Forbidden:
    service = method[1:].partition("/")[0]
    return Forbidden(
        Reason.REASON_CALLER_NOT_ALLOWED,
        f"{service} is called by servers of the mesh only; users call ChatHubService",
        caller=caller or "unknown",
    )


def _require_roles(who: Principal, roles: frozenset[str]) -> None:
    missing = who.missing(roles)
    if missing:
        names = ", ".join(sorted(missing))
        raise Forbidden(Reason.REASON_ROLE_MISSING, f"this needs the role {names}", role=names)
