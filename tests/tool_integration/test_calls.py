"""Calls of tools from outside: what comes of them, and what is kept of it."""

from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.errors.v1.errors_pb2 import Reason
from tests.tool_integration.bench import Bench


async def test_a_tool_is_listed_and_called(bench: Bench) -> None:
    """With its schema; the result is JSON."""
    tool = (await bench.tools())["calculator"]
    assert tool.available
    assert '"expression"' in tool.parameters_schema
    assert await bench.value("calculator", expression="0.1 + 0.2") == {
        "expression": "0.1 + 0.2",
        "result": "0.3",
        "number": 0.3,
    }


async def test_a_call_is_on_record_before_it_runs_and_after(bench: Bench) -> None:
    """Never what was said."""
    await bench.call("calculator", {"expression": "4711 * 2"})
    admitted, done = await bench.records(2)
    assert admitted.entry.outcome == AuditOutcome.AUDIT_OUTCOME_ADMITTED
    assert done.entry.outcome == AuditOutcome.AUDIT_OUTCOME_DONE
    for record in (admitted, done):
        assert record.entry.action == "tool.call"
        assert record.entry.resource == "calculator"
        assert len(record.entry.details["arguments_sha256"]) == 64
        assert "4711" not in str(record)


async def test_an_unknown_tool_is_refused_and_on_record(bench: Bench) -> None:
    """The result says so; it is no error of the mesh."""
    result = await bench.call("nothing.of_the_kind")
    assert result.error.reason == Reason.REASON_TOOL_NOT_FOUND
    (refused,) = await bench.records(1)
    assert refused.entry.outcome == AuditOutcome.AUDIT_OUTCOME_REFUSED
    assert refused.entry.reason == "REASON_TOOL_NOT_FOUND"
