"""Tools of real MCP servers, called through the registry, over both transports."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from kari.conversation_models.v1.audit_pb2 import AuditOutcome
from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy, ToolSource
from kari.errors.v1.errors_pb2 import Reason
from tests.hosting import Somebody, until
from tests.tool_integration.bench import Bench
from tests.tool_integration.mcp.conftest import NAMES, listed

SERVERS = ("local", "former", "remote")


@pytest.fixture
def bench(provided: Bench) -> Bench:
    """A new user in a new tenant."""
    return Bench(provided.wiring, Somebody())


async def done(bench: Bench, tool_id: str, **arguments: Any) -> Any:
    """What a call that the user has allowed gives."""
    result = await bench.call(tool_id, arguments, approved=True)
    assert result.success, result
    return json.loads(result.result_json)


async def test_tools_are_listed_with_what_their_server_says(bench: Bench) -> None:
    """Name, description, schemas; who brings them; whether the user is asked."""
    found = await bench.tools()
    for name in NAMES:
        tool = found[name]
        assert (tool.description, tool.source) == ("Adds two numbers.", ToolSource.TOOL_SOURCE_MCP)
        assert json.loads(tool.parameters_schema)["required"] == ["a", "b"]
        assert json.loads(tool.result_schema)["required"] == ["total"]
        assert tool.approval == ApprovalPolicy.APPROVAL_POLICY_NEVER
    assert found["local.shout"].approval == ApprovalPolicy.APPROVAL_POLICY_ALWAYS


@pytest.mark.parametrize("server", SERVERS)
async def test_a_tool_is_called(bench: Bench, server: str) -> None:
    assert await bench.value(f"{server}.add", a=1, b=2) == {"total": 3}


async def test_a_call_is_on_record(bench: Bench) -> None:
    await bench.value("local.add", a=4711, b=2)
    admitted, ended = await bench.records(2)
    assert admitted.entry.outcome == AuditOutcome.AUDIT_OUTCOME_ADMITTED
    assert (ended.entry.resource, ended.entry.outcome) == (
        "local.add",
        AuditOutcome.AUDIT_OUTCOME_DONE,
    )
    assert "4711" not in str(admitted)


async def test_arguments_that_break_the_schema_never_reach_the_server(bench: Bench) -> None:
    result = await bench.call("local.add", {"a": "one"})
    assert result.error.reason == Reason.REASON_TOOL_ARGUMENTS
    assert {v.field for v in result.error.violations} == {"a", "b"}


async def test_the_user_is_asked_before_a_tool_that_may_change_something(bench: Bench) -> None:
    """Without approval nothing runs."""
    (event,) = await bench.events("remote.shout", {"text": "hi"})
    assert event.approval_required.tool.id == "remote.shout"
    assert await done(bench, "remote.shout", text="hi") == {"result": "HI"}


async def test_limits_of_the_tools_file_hold(bench: Bench) -> None:
    """For one tool of a server. Outside of a turn a question counts for nothing."""
    asked = await bench.events("local.shout", {"text": "hi"})
    assert asked[-1].HasField("approval_required")
    assert (await bench.call("local.shout", {"text": "hi"}, approved=True)).success
    result = await bench.call("local.shout", {"text": "hi"}, approved=True)
    assert result.error.reason == Reason.REASON_TOOL_RATE


async def test_roles_of_the_tools_file_hold(bench: Bench) -> None:
    assert "former.shout" not in await bench.tools()
    result = await bench.call("former.shout", {"text": "hi"}, approved=True)
    assert result.error.reason == Reason.REASON_ROLE_MISSING
    admin = bench.with_roles("chat.user", "chat.admin")
    assert await done(admin, "former.shout", text="hi") == {"result": "HI"}


async def test_the_list_of_allowed_tools_holds(bench: Bench) -> None:
    """Others are not known."""
    result = await bench.call("former.die", {}, approved=True)
    assert result.error.reason == Reason.REASON_TOOL_NOT_FOUND
    assert not [t for t in await bench.tools() if t.startswith("former.d")]


@pytest.mark.parametrize("server", ["local", "remote"])
async def test_progress_is_handed_on(bench: Bench, server: str) -> None:
    """With its part of the whole, in order."""
    events = await bench.events(f"{server}.count", {"to": 2})
    told = [(e.progress.message, e.progress.fraction) for e in events if e.HasField("progress")]
    assert told == [("at 1", 0.5), ("at 2", 1.0)]
    assert json.loads(events[-1].finished.result_json) == {"result": "counted to 2"}


@pytest.mark.parametrize("server", SERVERS)
async def test_a_call_that_is_called_off_is_called_off_in_the_server(
    bench: Bench, server: str, tmp_path: Path
) -> None:
    """Which hears of it and can clean up."""
    file = tmp_path / "state"
    call = asyncio.create_task(done(bench, f"{server}.wait", path=str(file)))

    async def says(word: str) -> bool:
        return file.exists() and file.read_text() == word

    await until(lambda: says("waiting"))
    call.cancel()
    await until(lambda: says("cancelled"))
    assert await bench.value(f"{server}.add", a=1, b=2) == {"total": 3}


async def test_an_error_of_a_tool_is_told_in_its_words(bench: Bench) -> None:
    """Which the model can read; it is not tried again."""
    result = await bench.call("local.fail", {}, approved=True)
    assert result.error.reason == Reason.REASON_TOOL_FAILED
    assert "`local` says: Error executing tool fail: there is no such issue" in result.error.message
    assert not result.error.retryable


async def test_images_are_said_to_be_there(bench: Bench) -> None:
    assert await done(bench, "local.draw") == "a dot:\n[image, image/png, 6 bytes; not shown]"


async def test_a_huge_result_is_cut(bench: Bench) -> None:
    result = await bench.call("local.say_much", {"size": 1_000_000}, approved=True)
    assert (result.success, result.truncated) == (True, True)
    assert len(result.result_json) < 100_000


@pytest.mark.parametrize("server", ["local", "former"])
async def test_a_server_that_asks_the_user_something_is_refused(bench: Bench, server: str) -> None:
    """Elicitation is not offered; the call fails, nobody waits."""
    result = await bench.call(f"{server}.ask", {}, approved=True)
    assert result.error.reason == Reason.REASON_TOOL_FAILED
    assert "elicitation" in result.error.message.lower()


async def test_a_server_gets_no_more_of_our_environment_than_it_needs(bench: Bench) -> None:
    """Nothing of Kari's own; what the file says."""
    found = await done(bench, "local.environment")
    assert found["LOG_LEVEL"] == "info"
    assert set(found) <= {
        *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "LOG_LEVEL")
    }


async def test_a_name_that_is_no_id_is_made_one(bench: Bench) -> None:
    (name,) = [t for t in await bench.tools() if t.startswith("local.with_space")]
    assert await done(bench, name) == {"result": "spacious"}


@pytest.mark.parametrize("server", SERVERS)
async def test_changes_of_the_list_are_followed(bench: Bench, server: str) -> None:
    """In the way of both versions of the protocol."""
    await done(bench, f"{server}.grow", name="later")
    await listed(bench, f"{server}.later")
    assert await done(bench, f"{server}.later") == {"result": "more"}


async def test_calls_run_beside_each_other(bench: Bench) -> None:
    found = await asyncio.gather(*(bench.value("local.add", a=n, b=1) for n in range(10)))
    assert [each["total"] for each in found] == [n + 1 for n in range(10)]
