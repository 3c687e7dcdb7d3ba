"""The interceptors of clients, in their order."""

from collections.abc import Mapping

from servers.runtime.interceptors.authentication import send_credentials
from servers.runtime.interceptors.correlation import send_correlation
from servers.runtime.interceptors.deadline import send_deadline
from servers.runtime.interceptors.metrics import send_metrics
from servers.runtime.interceptors.sending import Sending
from servers.runtime.interceptors.tracing import send_tracing
from servers.runtime.mesh_key import MeshKey


def client_interceptors(
    mesh_key: MeshKey, name: str, deadlines: Mapping[str, float | None]
) -> Sending:
    """Outermost first, as those of servers are, for calls that server `name` makes.
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
