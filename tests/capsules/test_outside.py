"""Capsules from outside the tree: each in a process of its own that can do nothing by itself."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kari.errors.v1.errors_pb2 import ErrorType, Reason
from servers.capsules.outside import Outside
from servers.capsules.version import read_version
from tests.capsules.conftest import PUBLIC
from tests.capsules.workshop import (
    Workshop,
    handler,
    manifest,
    no_process_is_left,
    worker_processes,
    write,
)
from tests.hosting import until
from tests.tool_integration.web import Web, serving_web
from tests.upstream.server import Upstream

FAILED, TOOL_NOT_ALLOWED = Reason.REASON_CAPSULE_FAILED, Reason.REASON_TOOL_NOT_ALLOWED


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A listener on loopback: its port, and whether anybody came."""
    came = asyncio.Event()

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], came


async def test_a_capsule_from_outside_does_its_work(workshop: Workshop) -> None:
    """It tells how far it has come, writes, warns and measures; its folder is there to be read."""
    finished = await workshop.run("hello", {"who": "{{ 7 * 7 }}"})
    assert finished.success, finished
    assert '"Hello {{ 7 * 7 }}!"' in finished.result_json
    assert '"sibling"' in finished.result_json
    assert '"read"' in finished.result_json
    assert [(p.message, p.fraction) for p in workshop.told if p.message] == [("half way", 0.5)]
    assert "".join(p.text for p in workshop.told) == "one two"
    assert [w.message for w in finished.warnings] == ["a warning"]
    assert dict(finished.metrics) == {"count": 3.0}
    assert finished.metadata["capsule_version"] == "1.0.0"
    assert finished.run_id.startswith("run_")


async def test_a_model_writes_within_the_manifest(workshop: Workshop, far_model: Upstream) -> None:
    """Its most tokens and its temperature are the bounds, whatever the capsule asks for."""
    far_model.requests.clear()
    result = await workshop.result("writer")
    assert result["model"] == "far/plain-3"
    assert result["capable"] is True
    assert result["text"] == "word0 word1 word2 "
    assert "".join(result["pieces"]) == "word0 word1 word2 "
    first, second = (request.body for request in far_model.requests)
    assert [m["role"] for m in first["messages"]] == ["system", "user"]
    tokens = "max_completion_tokens" if "max_completion_tokens" in first else "max_tokens"
    assert (first[tokens], first["temperature"]) == (50, 0.2)
    assert (second[tokens], second["temperature"]) == (7, 0.1)


async def test_a_tool_on_the_list_is_called(workshop: Workshop) -> None:
    """And the result says which."""
    finished = await workshop.run("reckoner")
    assert finished.success, finished
    assert "42" in finished.result_json
    assert list(finished.metadata["tools"]) == ["calculator"]


async def test_a_tool_that_is_not_on_the_list_is_refused(workshop: Workshop) -> None:
    """The capsule may catch that, or end with it; the trail says what it asked for, once."""
    assert await workshop.result("undeclared_tool") == {"caught": "REASON_TOOL_NOT_ALLOWED"}
    error = await workshop.error("undeclared_tool_uncaught")
    assert (error.reason, error.type) == (TOOL_NOT_ALLOWED, ErrorType.ERROR_TYPE_PERMISSION)
    assert "`time`" in error.message
    denied = await workshop.denied()
    assert [d.resource for d in denied] == [
        "capsule.undeclared_tool",
        "capsule.undeclared_tool_uncaught",
    ]
    assert {d.reason for d in denied} == {"REASON_TOOL_NOT_ALLOWED"}
    assert [d.details["tool"] for d in denied] == ["time", "time"]
    assert denied[1].details["run"] == error.details["run_id"]


async def test_a_tools_own_error_reaches_the_user(workshop: Workshop) -> None:
    """As the registry said it."""
    error = await workshop.error("wrong_arguments")
    assert error.reason == Reason.REASON_TOOL_ARGUMENTS
    assert error.violations


async def test_a_capability_that_was_not_declared_is_refused(workshop: Workshop) -> None:
    """Each of them."""
    result = await workshop.result("no_capability")
    assert result["found"] == ["REASON_TOOL_NOT_ALLOWED"] * 9
    denied = [d.details["capability"] for d in await workshop.denied()]
    assert denied == ["model", "tools", "memory", "search", "history", "checkpoint"]


@pytest.mark.parametrize("name", ["loop", "sleeper", "stubborn"])
async def test_what_does_not_end_is_ended(workshop: Workshop, name: str) -> None:
    """And nothing of it is left."""
    error = await workshop.error(name)
    assert error.reason == Reason.REASON_TOOL_TIMEOUT
    assert "took longer than 1 s" in error.message
    await until(no_process_is_left, 10)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dies", "its process ended before the run did"),
        ("flood", "its process ended before the run did"),
        ("flood_of_messages", "it wrote more than 50000 messages"),
        ("flood_of_text", "it wrote more than 2000000 bytes in one message"),
        ("large_result", "its result is larger than 1000000 bytes"),
        ("hoarder", "handler.py line 4: MemoryError"),
        ("costly_template", "handler.py line 2: MemoryError"),
        ("raises", "handler.py line 2: ValueError"),
        ("no_result", "its result is no object but NoneType"),
        ("no_json", "its result is not JSON"),
        ("not_a_number", "its result is not JSON"),
        ("breaks_its_schema", "result.n: 'one' is not of type 'integer'"),
        ("forges_messages", "it wrote something that is no message"),
        ("half_a_character", "it wrote something that is no message"),
        ("half_a_character_raw", "it wrote something that is no message"),
        ("too_many_at_once", "it asked for more than 64 things at once"),
    ],
)
async def test_a_capsule_that_fails_is_told_from_one_that_works(
    workshop: Workshop, name: str, says: str
) -> None:
    """The run ends with a sentence; what the error itself said is for the log."""
    error = await workshop.error(name)
    assert error.reason == FAILED, error
    assert says in error.message
    assert "secret words" not in error.message
    assert not error.retryable


async def test_arguments_that_are_missing_or_numbers_that_are_too_large_are_no_defect(
    workshop: Workshop,
) -> None:
    """The capsule is told, or the measure left out; it does not wait for ever."""
    assert await workshop.result("asks_without_a_prompt") == {"caught": "REASON_FIELD_INVALID"}
    assert await workshop.result("huge_measure") == {"measured": True}


async def test_many_things_asked_for_at_once_wait_for_their_turn(workshop: Workshop) -> None:
    """All of them are done."""
    await workshop.result("many_at_once")
    assert sum(len(p.text) for p in workshop.told) == 3_000_000


async def test_a_fork_bomb_is_small(workshop: Workshop) -> None:
    """A handful of processes, which end with the run."""
    result = await workshop.result("forker")
    assert result["made"] < 8
    assert result["error"]
    await until(no_process_is_left, 10)


async def test_a_capsule_sees_and_writes_nothing(workshop: Workshop) -> None:
    """No files, no settings, no network; a listener proves that no connection came."""
    async with listening() as (port, came):
        found = await workshop.result("looks_around", {"port": port})
    assert not came.is_set()
    assert found["socket"] == "refused"
    assert found["environment"] == []
    assert found["uid"] == 65534
    for path in ("/etc/passwd", "/proc/self/environ", "/root", "/home", "/work", "/tmp"):
        assert found[path] in ("FileNotFoundError", "PermissionError", 0), (path, found[path])
    assert {found[p] for p in ("/capsule/x", "/library/x", "/x", "/tmp/x", "/box/x")} == {"refused"}


async def test_what_the_policy_allows_is_there(workshop: Workshop) -> None:
    """A folder in memory that is new in each run."""
    for _ in range(2):
        assert await workshop.result("scratch") == {"size": 1000, "before": 1}


async def test_the_network_that_the_policy_allows_is_that_of_public_addresses(
    workshop: Workshop,
) -> None:
    """By a relay: a public host is reached; of what only this machine can reach a listener proves
    that no connection came, and the trail has it."""
    web = Web()
    web.give("/page", b"words of a page", "text/plain")
    async with listening() as (port, came), serving_web(web, PUBLIC):
        urls = {
            "page": web.url("/page"),
            "loopback": f"http://127.0.0.1:{port}/",
            "tunnel": f"https://127.0.0.1:{port}/",
            "name": f"http://inside.example:{port}/",
            "metadata": "http://169.254.169.254/latest/meta-data/",
        }
        found = await workshop.result("networked", {"port": port, "urls": urls})
    assert not came.is_set()
    assert found["direct"] == "ConnectionRefusedError"
    assert found["page"] == "words of a page"
    for name, leads in (("loopback", "127.0.0.1"), ("metadata", "169.254.169.254")):
        refused = f"403 {leads} leads to {leads}, which is not a public address\n"
        assert found[name] == refused
    assert "leads to 127.0.0.1" in found["name"]
    assert found["tunnel"] == "<urlopen error Tunnel connection failed: 403 Forbidden>"
    denied = await workshop.denied()
    assert {d.reason for d in denied} == {"REASON_ADDRESS_NOT_ALLOWED"}
    asked = [d.details["address"] for d in denied]
    assert asked == [f"127.0.0.1:{port}", f"inside.example:{port}", "169.254.169.254:80"]


async def test_values_are_text_and_templates_reach_nothing(workshop: Workshop) -> None:
    """Jinja's syntax in a value stays as it is; attributes of Python's are refused, by line."""
    found = await workshop.result("templates", {"value": "{{ 7 * 7 }}{% raw %}"})
    assert found["text"] == "<{{ 7 * 7 }}{% raw %}>"
    assert found["inner"].startswith("prompts/inner.j2 line 2: access to attribute '__class__'")
    assert found["missing"] == "prompts/missing.j2 line 1: 'nothing' is undefined"
    assert found["endless"] == "prompts/endless.j2 line 1: OverflowError"
    assert found["unknown"] == "the manifest has no unknown among its prompts"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "imports_nothing",
            "handler.py line 2: ModuleNotFoundError (No module named 'not_there')",
        ),
        ("imports_jinja", "handler.py line 1: ModuleNotFoundError (No module named 'numpy')"),
        ("fails_at_import", "handler.py line 1: ValueError"),
        ("dies_at_import", "its process ended before the run did"),
        ("no_such_filter", "prompts/odd.j2 line 2: No filter named 'nope'."),
    ],
)
async def test_what_cannot_be_imported_is_unavailable(
    workshop: Workshop, name: str, says: str
) -> None:
    """With file and line; it never comes to a run."""
    listed = await workshop.listed(f"capsule.{name}")
    assert not listed.available
    assert listed.unavailable_because == says
    error = await workshop.error(name)
    assert error.reason == Reason.REASON_TOOL_UNAVAILABLE
    assert says in error.message


async def test_a_caller_that_goes_away_ends_the_capsule(workshop: Workshop) -> None:
    """Its process too."""
    running = asyncio.create_task(workshop.run("slow_then_done"))

    async def begun() -> bool:
        return bool(workshop.told)

    await until(begun)
    assert worker_processes()
    running.cancel()
    await until(no_process_is_left, 10)


def test_the_worker_needs_nothing_but_the_skill_and_the_prompts() -> None:
    """What else it imported would not be in its jail."""
    source = (Path(__file__).parents[2] / "servers/capsules/worker.py").read_text()
    imported = {w.split()[1] for w in source.splitlines() if w.strip().startswith("from servers")}
    assert imported == {"servers.capsules.skill", "servers.capsules.prompts"}


async def test_what_tidies_up_temporary_files_is_no_end_of_capsules(workshop: Workshop) -> None:
    """What jails read is written anew when it is missing."""
    await asyncio.to_thread(_tidy_up)
    assert (await workshop.run("hello", {"who": "x"})).success
    assert (await workshop.run("hello", {"who": "x"})).success


async def test_a_run_for_which_there_is_no_room_may_be_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes nothing, as /proc does from nobody, is no defect and no capsule's own."""
    await asyncio.to_thread(_tidy_up)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", "/proc")
        error = await workshop.error("hello", {"who": "x"})
    assert error.reason == Reason.REASON_SERVER_UNAVAILABLE
    assert error.retryable
    assert (await workshop.run("hello", {"who": "x"})).success


async def test_of_what_could_not_be_written_nothing_is_left(tmp_path: Path) -> None:
    """Or a full disk would be fuller with each attempt."""
    text = manifest("large")
    version = read_version(
        write(tmp_path / "large", manifest=text, handler=handler("return {}")), {}, signed=False
    )
    outside = Outside()
    try:
        there = (await outside.place(version)).parent
        with pytest.raises(OSError, match="File name too long"):
            await outside.place(replace(version, files={**version.files, "x" * 300: b""}))
        assert {each.name for each in there.iterdir()} == {"1", "library"}
    finally:
        await outside.close()


def _tidy_up() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"kari-capsules-{os.getpid()}-*"):
        shutil.rmtree(folder)


async def test_what_a_capsule_prints_or_says_in_errors_is_not_logged(workshop: Workshop) -> None:
    """How much it was, and its digest; who debugs has the text."""
    with capture_logs() as logged:
        await workshop.error("raises")
    (told,) = [entry for entry in logged if entry["event"] == "a capsule printed"]
    assert told["capsule"] == "capsule.raises"
    assert told["bytes"] > 100
    assert len(told["sha256"]) == 64
    assert "secret words" not in str([e for e in logged if e["log_level"] != "debug"])
    assert "secret words" in str([e for e in logged if e["log_level"] == "debug"])
