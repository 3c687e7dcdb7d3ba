"""The interceptors of servers, in their order."""

from collections.abc import Mapping

from servers.runtime.interceptors.auditing import Auditing, Report
from servers.runtime.interceptors.authentication import Authentication, VerifyUser
from servers.runtime.interceptors.chain import Around
from servers.runtime.interceptors.correlation import Correlation
from servers.runtime.interceptors.deadline import Deadline
from servers.runtime.interceptors.metrics import Metrics
from servers.runtime.interceptors.recording import Recording
from servers.runtime.interceptors.status import Status
from servers.runtime.interceptors.tracing import Tracing
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
