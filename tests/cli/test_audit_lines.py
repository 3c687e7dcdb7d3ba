"""How the terminal shows the audit trail."""

from cli.audit import line
from kari.audit.v1.audit_pb2 import Record
from kari.conversation_models.v1.audit_pb2 import AuditEntry, AuditOutcome


def test_a_name_that_somebody_made_up_forges_no_line() -> None:
    """Whoever calls a tool chooses what it is called, and its call is on record as refused."""
    name = "x\n   999  2026-01-01T00:00:00  user_1  done  tool.call\x1b[2K\u2028\u202e"
    refused = AuditOutcome.AUDIT_OUTCOME_REFUSED
    entry = AuditEntry(action="tool.call", resource=name, outcome=refused, details={"a": "\n"})
    told = line(Record(sequence=7, entry=entry))
    assert told.isprintable()
    assert told.startswith("     7  ")
