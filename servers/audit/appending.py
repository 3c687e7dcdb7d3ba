"""Taking entries in: those that come at once are kept together."""

from collections.abc import Sequence

from prometheus_client import Counter

from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome
from servers.audit.store import Reported, Trail
from servers.runtime.gathering import Gathering
from servers.runtime.labelled import labelled
from servers.runtime.names import short

MOST_TOGETHER = 50
"""Requests of one transaction: with 200 entries each it still takes well under a second."""

TEXTS = ("tenant_id", "user_id", "action", "resource", "reason", "correlation_id")
NUL, IN_ITS_PLACE = "\0", "\N{REPLACEMENT CHARACTER}"

RECORDS = Counter("kari_audit_records_total", "Records of the audit trail.", ("action", "outcome"))


class Appending:
    """Keeps entries, whoever reports them."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._gathering = Gathering[Sequence[Reported], Sequence[int]](self._append, MOST_TOGETHER)

    async def append(self, server: str, entries: Sequence[AuditEntry]) -> Sequence[int]:
        """Places of the entries, once they are kept. Unavailable if Postgres is away."""
        for entry in entries:
            _make_storable(entry)
        sequences = await self._gathering.ask([Reported(server, entry) for entry in entries])
        for entry in entries:
            action = entry.action.rpartition("/")[2]
            labelled(RECORDS, action, short(AuditOutcome, entry.outcome)).inc()
        return sequences

    async def close(self) -> None:
        """Breaks off what is under way."""
        await self._gathering.close()

    async def _append(self, groups: Sequence[Sequence[Reported]]) -> list[list[int]]:
        sequences = await self._trail.append([report for group in groups for report in group])
        answers = list[list[int]]()
        for group in groups:
            answers.append(sequences[: len(group)])
            sequences = sequences[len(group) :]
        return answers


def _make_storable(entry: AuditEntry) -> None:
    """Postgres keeps no more of a time than microseconds, and no U+0000, which names that users
    and models make up may hold; the code is over what is kept."""
    entry.happened_at.nanos -= entry.happened_at.nanos % 1000
    for field in TEXTS:
        if NUL in (text := getattr(entry, field)):
            setattr(entry, field, text.replace(NUL, IN_ITS_PLACE))
    told = {name: text for name, text in entry.details.items() if NUL in name + text}
    for name, text in told.items():
        del entry.details[name]
        entry.details[name.replace(NUL, IN_ITS_PLACE)] = text.replace(NUL, IN_ITS_PLACE)
