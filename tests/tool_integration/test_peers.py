"""Tools that other servers do: code, capsules, searches."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from embedded.stores import EmbeddedStores
from kari.code_execution.v1.code_execution_pb2 import RunFile, Runner, RunOutcome, RunResponse
from kari.conversation_models.v1.tool_pb2 import ToolSource
from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.durations import duration
from servers.tool_integration import capsules as capsule_tools
from tests.hosting import hosting, settings_for
from tests.tool_integration.bench import Bench
from tests.tool_integration.scripted_peers import ScriptedCapsules, ScriptedCode, capsule


@dataclass
class Site:
    """A bench with scripted peers."""

    bench: Bench
    code: ScriptedCode
    capsules: ScriptedCapsules


@asynccontextmanager
async def built(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    settings = settings_for(stores, tmp_path_factory.mktemp("peers"))
    code, capsules = ScriptedCode(), ScriptedCapsules()
    others = (code.hosted(), capsules.hosted())
    async with hosting(settings, "tool_integration", "audit", others=others) as wiring:
        yield Site(Bench(wiring), code, capsules)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    async with built(stores, tmp_path_factory) as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Site:
    """The shared site, with peers that remember nothing, for somebody new."""
    shared.code.forget()
    shared.capsules.forget()
    return replace(shared, bench=Bench(shared.bench.wiring))


@pytest_asyncio.fixture
async def fresh(
    stores: EmbeddedStores, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """A site whose server knows of no capsules yet."""
    async with built(stores, tmp_path_factory) as site:
        yield site


async def test_code_is_run_and_how_it_ended_is_the_result(site: Site) -> None:
    """A program that raises is no failure of the tool: the model can mend it."""
    bench = site.bench.with_roles("chat.user", "chat.tools.code")
    site.code.answer = RunResponse(
        outcome=RunOutcome.RUN_OUTCOME_RAISED,
        stdout="x" * 30_000,
        stderr="ValueError",
        value_json="[1, 2]",
        files=[RunFile(name="a.txt", content=b"text"), RunFile(name="b", content=b"\xff")],
        left_out=["c"],
        explanation="It raised.",
        runner=Runner.RUNNER_CPYTHON,
        duration=duration(0.25),
    )
    given = {"code": "1/0", "runner": "cpython", "inputs": {"n": 1}, "seconds": 2.5, "stdin": "s"}
    told = await bench.value("code.run", **given)
    assert len(told.pop("stdout")) < 21_000
    assert told == {
        "outcome": "raised",
        "stderr": "ValueError",
        "truncated": True,
        "runner": "cpython",
        "seconds": 0.25,
        "value": [1, 2],
        "explanation": "It raised.",
        "files": [
            {"name": "a.txt", "bytes": 4, "text": "text"},
            {"name": "b", "bytes": 1},
            {"name": "c"},
        ],
    }
    (asked,) = site.code.asked
    assert (asked.code, json.loads(asked.inputs_json), asked.stdin) == ("1/0", {"n": 1}, "s")
    assert asked.runner == Runner.RUNNER_CPYTHON
    assert asked.limits.time.ToMilliseconds() == 2500


async def test_a_value_of_code_is_told_as_it_is_or_not_at_all(site: Site) -> None:
    """Whole numbers of any size; what no JSON can say is left out, which is said."""
    bench = site.bench.with_roles("chat.user", "chat.tools.code")
    done = RunOutcome.RUN_OUTCOME_DONE
    site.code.answer = RunResponse(outcome=done, value_json=str(2**100))
    assert (await bench.value("code.run", code="2**100"))["value"] == 2**100
    for text in ('"\\ud800x"', '{"a": NaN}', "1e999", "9" * 5000):
        site.code.answer = RunResponse(outcome=done, value_json=text, explanation="It ran")
        told = await bench.value("code.run", code="x")
        assert "value" not in told
        assert told["explanation"].startswith("It ran; the value of the last expression is left")


async def test_code_that_is_off_says_so(site: Site) -> None:
    """With the peer's own reason."""
    bench = site.bench.with_roles("chat.user", "chat.tools.code")
    result = await bench.call("code.run", {"code": "1"})
    assert result.error.reason == Reason.REASON_CODE_DISABLED
    assert "turn it on" in result.error.message


async def test_code_needs_its_role(site: Site) -> None:
    result = await site.bench.call("code.run", {"code": "1"})
    assert result.error.reason == Reason.REASON_ROLE_MISSING
    assert "code.run" not in await site.bench.tools()
    assert site.code.asked == []


async def test_capsules_are_tools_with_their_schemas_and_roles(site: Site) -> None:
    """Broken ones with what is wrong; those of other roles not at all."""
    tools = await site.bench.tools()
    teller = tools["capsule.teller"]
    assert teller.source == ToolSource.TOOL_SOURCE_CAPSULE
    assert '"n"' in teller.parameters_schema
    assert (teller.calls_per_minute, teller.calls_per_hour) == (30, 300)
    assert tools["capsule.broken"].unavailable_because == "manifest.toml: id"
    assert tools["capsule.odd"].unavailable_because == "its schema is not JSON"
    assert "capsule.coder" not in tools


async def test_a_capsule_is_run_with_its_progress_passed_on(site: Site) -> None:
    """Its result is the tool's; the run is in the metadata, and the call's surroundings with it."""
    progress, last = await site.bench.events("capsule.teller", {"n": 3}, depth=1)
    assert progress.progress.message == "looking"
    assert progress.progress.call_id == last.finished.call_id
    assert last.finished.result_json == '{"told":{"n":3}}'
    assert last.finished.metadata["run_id"] == "run_1"
    (asked,) = site.capsules.asked
    assert asked.depth == 1
    assert asked.call_id == last.finished.call_id


@pytest.mark.parametrize(
    ("capsule_id", "reason"),
    [
        ("capsule.failer", Reason.REASON_MODEL_TOO_SMALL),
        ("capsule.mute", Reason.REASON_CAPSULE_FAILED),
        ("capsule.broken", Reason.REASON_TOOL_UNAVAILABLE),
        ("capsule.coder", Reason.REASON_ROLE_MISSING),
        ("capsule.none", Reason.REASON_TOOL_NOT_FOUND),
    ],
)
async def test_what_goes_wrong_with_a_capsule_is_its_reason(
    site: Site, capsule_id: str, reason: Reason.ValueType
) -> None:
    result = (await site.bench.events(capsule_id))[-1].finished
    assert result.error.reason == reason


async def test_what_a_capsule_gives_is_told_as_it_is(site: Site) -> None:
    """Or refused as what it is: no JSON."""
    told = await site.bench.value("capsule.teller", n=2**100)
    assert told == {"told": {"n": 2**100}}
    result = (await site.bench.events("capsule.liar"))[-1].finished
    assert result.error.reason == Reason.REASON_TOOL_RESULT
    assert "not JSON" in result.error.message


async def test_a_run_that_can_go_on_is_named(site: Site) -> None:
    result = (await site.bench.events("capsule.failer"))[-1].finished
    assert dict(result.error.details) == {"run_id": "run_1", "resumable": "true"}


async def test_a_capsule_that_hangs_is_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server is told, by the call's end."""
    monkeypatch.setattr(capsule_tools, "MARGIN_SECONDS", 0.1)
    result = (await site.bench.events("capsule.waiter"))[-1].finished
    assert result.error.reason == Reason.REASON_TOOL_TIMEOUT
    async with asyncio.timeout(5):
        await site.capsules.ended.wait()


async def test_a_capsule_that_acts_beyond_is_asked_about(site: Site) -> None:
    (asked,) = await site.bench.events("capsule.actor")
    assert asked.approval_required.tool.id == "capsule.actor"


async def test_the_list_of_capsules_is_asked_for_now_and_then(fresh: Site) -> None:
    """Not for every call."""
    for _ in range(5):
        await fresh.bench.call("calculator", {"expression": "1"})
        await fresh.bench.tools()
    assert fresh.capsules.lists == 1


async def test_capsules_stay_listed_while_their_server_is_away(
    fresh: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As unavailable, to users of all roles; then they are back, and changes with them."""
    monkeypatch.setattr(capsule_tools, "KEPT_SECONDS", 0.0)
    assert (await fresh.bench.tools())["capsule.teller"].available
    fresh.capsules.away = True
    for bench in (fresh.bench, fresh.bench.with_roles("chat.user", "chat.other")):
        away = (await bench.tools())["capsule.teller"]
        assert "does not answer" in away.unavailable_because
        result = await bench.call("capsule.teller")
        assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert "calculator" in await fresh.bench.tools()
    fresh.capsules.away = False
    fresh.capsules.capsules = [capsule("capsule.new")]
    tools = await fresh.bench.tools()
    assert tools["capsule.new"].available
    assert "capsule.teller" not in tools


async def test_nobody_says_that_there_is_no_capsule_while_their_server_is_away(
    fresh: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start on; with its list it is known."""
    monkeypatch.setattr(capsule_tools, "KEPT_SECONDS", 0.0)
    fresh.capsules.away = True
    result = await fresh.bench.call("capsule.teller")
    assert result.error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert result.error.retryable
    other = await fresh.bench.call("made.up_by_a_model")
    assert other.error.reason == Reason.REASON_TOOL_NOT_FOUND
    fresh.capsules.away = False
    none = await fresh.bench.call("capsule.none")
    assert none.error.reason == Reason.REASON_TOOL_NOT_FOUND


async def test_metrics_count_calls_times_and_errors(site: Site) -> None:
    """Names that models make up are one label."""

    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    def values() -> list[float]:
        unknown: dict[str, Any] = {"tool": "unknown", "error": "tool_not_found"}
        return [
            value("kari_chat_tool_calls_total", tool="units"),
            value("kari_chat_tool_latency_seconds_count", tool="units"),
            value("kari_chat_tool_errors_total", tool="units", error="tool_arguments"),
            value("kari_chat_tool_calls_total", tool="unknown"),
            value("kari_chat_tool_errors_total", **unknown),
        ]

    before = values()
    await site.bench.call("units", {"value": 1, "unit": "m", "to": "kg"})
    await site.bench.call("units", "no json")
    await site.bench.call("made.up_by_a_model")
    changed = [after - was for after, was in zip(values(), before, strict=True)]
    assert changed == [2, 1, 2, 1, 1]
