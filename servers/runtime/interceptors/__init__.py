"""The interceptors, as data: one ordered tuple for servers, one for clients."""

from collections.abc import Mapping

from servers.runtime.interceptors.auditing import Auditing, Report
from servers.runtime.interceptors.authentication import (
    Authentication,
    VerifyUser,
    send_credentials,
)
from servers.runtime.interceptors.chain import Around
from servers.runtime.interceptors.correlation import Correlation, send_correlation
from servers.runtime.interceptors.deadline import Deadline, send_deadline
from servers.runtime.interceptors.metrics import Metrics, send_metrics
from servers.runtime.interceptors.recording import Recording
from servers.runtime.interceptors.sending import Sending
from servers.runtime.interceptors.status import Status
from servers.runtime.interceptors.tracing import Tracing, send_tracing
from servers.runtime.interceptors.under_way import UnderWay
from servers.runtime.interceptors.validation import Validation
from servers.runtime.mesh_key import MeshKey
from servers.runtime.policy import Policies


def server_interceptors(
    policies: Policies,
    verify_user: VerifyUser,
    mesh_key: MeshKey,
    callers: Mapping[str, frozenset[str]],
    under_way: UnderWay,
    trails: Mapping[str, Report],
) -> tuple[Around, ...]:
    """Outermost first. The id comes before everything that logs; spans and counts see what Status
    made of an error; Status sees what Deadline and everything inside raise; nobody's fields are
    validated before it is known who sends them; what is logged was let in. Auditing sees who was
    refused and what everything inside raises."""
    return (
        Correlation(),
        Tracing(),
        Metrics(),
        Status(),
        under_way,
        Deadline(policies),
        Auditing(policies, trails),
        Authentication(policies, verify_user, mesh_key, callers),
        Validation(),
        Recording(),
    )


def client_interceptors(
    mesh_key: MeshKey, name: str, deadlines: Mapping[str, float | None]
) -> Sending:
    """The client's side of the same, outermost first, for calls that server `name` makes.
    `deadlines` are those of the contracts, by full path of the method."""
    return Sending(
        (
            send_correlation,
            send_tracing(name),
            send_metrics(name),
            send_deadline(deadlines),
            send_credentials(mesh_key, name),
        )
    )
