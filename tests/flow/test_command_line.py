"""`kari` and grpcurl against a running mesh, as the README shows them."""

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path

import asyncpg
import pytest

from servers import topology
from tests.flow.conftest import Mesh
from tests.hosting import until
from tests.terminal import Terminal

GRPCURL = shutil.which("grpcurl") or shutil.which("grpcurl", path=str(Path(sys.executable).parent))


async def grpcurl(*words: str) -> str:
    """What grpcurl prints."""
    assert GRPCURL is not None, "the development requirements bring grpcurl"
    process = await asyncio.create_subprocess_exec(
        GRPCURL,
        "-plaintext",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_chat_once_prints_an_answer(mesh: Mesh) -> None:
    """Exit code 0."""
    code, output = await mesh.kari.command("chat", "--once", "hello")
    assert code == 0, output
    assert len(output.strip()) > 0


async def test_a_conversation_at_a_terminal(mesh: Mesh) -> None:
    """A message is answered, a command too, Ctrl-D ends with exit code 0."""
    async with Terminal.opened(mesh.kari, "chat") as terminal:
        await terminal.shows("you>")
        terminal.type("hello\r")
        await terminal.shows("Hello from upstream.")
        await terminal.shows("you>")
        terminal.type("/help\r")
        await terminal.shows("/persona")
        await terminal.shows("you>")
        terminal.type("\x04")
        assert await terminal.exit_code() == 0


async def test_chat_once_with_a_command_prints_its_result(mesh: Mesh) -> None:
    code, output = await mesh.kari.command("chat", "--once", "/help")
    assert code == 0, output
    assert "/persona" in output


async def test_the_token_is_one(mesh: Mesh) -> None:
    """Three parts, as JWTs have, and nothing else on the line."""
    code, output = await mesh.kari.command("token")
    assert code == 0, output
    assert len(output.strip().split(".")) == 3


async def test_a_token_of_nobody_is_refused(mesh: Mesh) -> None:
    code, output = await mesh.kari.command("token", "--user", "nobody")
    assert code == 1
    assert output == "no such user\n"


async def test_the_doctor_finds_everything_well(mesh: Mesh) -> None:
    """Every server and every store is named."""
    code, output = await mesh.kari.command("doctor")
    assert code == 0, output
    for node in topology.SERVERS:
        assert node.name in output
    assert "answers" in output
    assert "jobs" in output

    async def connected() -> bool:
        _, output = await mesh.kari.command("doctor")
        return bool(re.search(r"MCP server rough +ok +connected", output))

    await until(connected)


async def test_a_job_that_cannot_be_done_is_seen_and_decided_about(mesh: Mesh) -> None:
    """By the doctor, by `kari jobs` with its error, and it is tried again or dropped."""
    job = await queued(mesh, b"nonsense")

    async def seen() -> bool:
        return "JSONDecodeError" in (await mesh.kari.command("jobs"))[1]

    await until(seen)
    code, output = await mesh.kari.command("doctor")
    assert code == 0, output
    assert "1 set aside" in output
    assert "kari jobs retry" in output
    assert await mesh.kari.command("jobs", "retry", str(job)) == (
        0,
        "1 job put back into the queue\n",
    )
    await until(seen)
    assert await mesh.kari.command("jobs", "discard", str(job)) == (0, "1 job discarded\n")
    assert await mesh.kari.command("jobs", "discard", str(job)) == (1, "0 jobs discarded\n")
    assert await mesh.kari.command("jobs", "retry") == (0, "0 jobs put back into the queue\n")


async def queued(mesh: Mesh, payload: bytes) -> int:
    """Puts a job into the queue, as a version of Kari with a defect may; its number."""
    connection = await asyncpg.connect(mesh.kari.server_settings()["KARI_POSTGRES_URL"])
    try:
        job: int = await connection.fetchval(
            "INSERT INTO production_memory.pgqueuer (priority, entrypoint, payload, status)"
            " VALUES (0, 'embed', $1, 'queued') RETURNING id",
            payload,
        )
    finally:
        await connection.close()
    return job


async def test_grpcurl_sees_the_servers(mesh: Mesh) -> None:
    """Through reflection; when spread, each process shows its own."""
    for node in topology.SERVERS:
        listed = await grpcurl(mesh.kari.address(node.name), "list")
        assert topology.service_of(node.name) in listed
        assert "grpc.health.v1.Health" in listed


async def test_a_turn_with_grpcurl_from_beginning_to_end(mesh: Mesh) -> None:
    """The README's commands."""
    _, token = await mesh.kari.command("token")
    header = f"authorization: Bearer {token.strip()}"
    hub, service = mesh.kari.address("chat_hub"), "kari.chat_hub.v1.ChatHubService"
    send = '{"content": "hello", "request_id": "my-first-message"}'
    sent = json.loads(await grpcurl("-H", header, "-d", send, hub, f"{service}/SendMessage"))
    follow = json.dumps({"turn_id": sent["turn"]["id"]})
    events = await grpcurl("-H", header, "-d", follow, hub, f"{service}/FollowTurn")
    again = json.loads(await grpcurl("-H", header, "-d", send, hub, f"{service}/SendMessage"))
    assert '"completed"' in events
    assert again["turn"]["id"] == sent["turn"]["id"]


async def test_what_was_said_is_found_with_grpcurl(mesh: Mesh) -> None:
    """The README's command."""
    code, output = await mesh.kari.command("chat", "--once", "greetings to the zeppelin")
    assert code == 0, output
    _, token = await mesh.kari.command("token")
    found = json.loads(
        await grpcurl(
            *("-H", f"authorization: Bearer {token.strip()}", "-d", '{"query": "zeppelin"}'),
            mesh.kari.address("chat_hub"),
            "kari.chat_hub.v1.ChatHubService/Search",
        )
    )
    assert found["results"][0]["content"] == "greetings to the zeppelin"


async def test_what_was_said_is_found_in_the_terminal(mesh: Mesh) -> None:
    """When, who, where, and the words; other people find nothing of it."""
    code, output = await mesh.kari.command("chat", "--once", "the walrus plays the accordion")
    assert code == 0, output
    code, output = await mesh.kari.command("search", "accordion", "walrus", "--role", "user")
    assert code == 0, output
    head, said, *_ = output.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d  demo  conv_[0-9a-f]{32}", head)
    assert said.strip() == "the walrus plays the accordion"
    where = head.split()[-1]
    code, output = await mesh.kari.command(
        *("search", "accordion", "--conversation", where, "--since", "2020-01-01", "--json")
    )
    assert code == 0, output
    (found, *_) = json.loads(output)["results"]
    assert (found["conversationId"], len(found["highlights"])) == (where, 1)
    assert await mesh.kari.command("search", "accordion", "--until", "2020-01-01") == (
        1,
        "nothing was found\n",
    )
    code, output = await mesh.kari.command(
        *("search", "accordion", "--conversation", where, "--user", "admin")
    )
    assert (code, output) == (1, "there is no such conversation\n")
    code, output = await mesh.kari.command("search", "accordion", "--user", "admin")
    assert (code, "walrus" in output) == (1, False)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ([], 2, "Missing argument"),
        (["x", "--since", "yesterday"], 2, "--since"),
        (["x", "-n", "0"], 2, "-n"),
        (["x", "--role", "king"], 2, "--role"),
        (["x", "--conversation", "nonsense"], 1, "conversation_id"),
        (["x" * 2001], 1, "query"),
    ],
)
async def test_a_wrong_search_says_what_is_wrong(
    mesh: Mesh, words: list[str], code: int, complaint: str
) -> None:
    found, output = await mesh.kari.command("search", *words)
    assert (found, complaint in output) == (code, True), output


async def test_a_turn_is_explained(mesh: Mesh) -> None:
    """What went into its prompt, with tokens and the model; nobody else is told."""
    _, token = await mesh.kari.command("token")
    header = f"authorization: Bearer {token.strip()}"
    hub, service = mesh.kari.address("chat_hub"), "kari.chat_hub.v1.ChatHubService"
    send = '{"content": "explain this", "request_id": "to-be-explained"}'
    sent = json.loads(await grpcurl("-H", header, "-d", send, hub, f"{service}/SendMessage"))
    turn_id = sent["turn"]["id"]
    follow = json.dumps({"turn_id": turn_id})
    await grpcurl("-H", header, "-d", follow, hub, f"{service}/FollowTurn")
    code, output = await mesh.kari.command("explain", turn_id)
    assert code == 0, output
    for word in ("system", "current", "kept", "tokens", "model scripted/", "prompt "):
        assert word in output
    code, output = await mesh.kari.command("explain", turn_id, "--prompt")
    assert code == 0, output
    assert "[user]\nexplain this" in output
    assert "these are the bytes that the model was given" in output
    code, output = await mesh.kari.command("explain", turn_id, "--prompt", "--user", "admin")
    assert (code, output) == (1, "there is no such turn\n")
    code, output = await mesh.kari.command("explain", turn_id, "--user", "admin")
    assert (code, output) == (1, "there is no such turn\n")
    code, output = await mesh.kari.command("explain", "nonsense")
    assert code == 1
    assert "turn_id" in output


async def test_everything_is_indexed_anew(mesh: Mesh) -> None:
    """While the system serves; what cannot be gone on with is said."""
    await mesh.kari.command("chat", "--once", "hello")
    code, output = await mesh.kari.command("reindex")
    assert code == 0, output
    assert "messages, memories, summaries and files are indexed anew" in output
    code, output = await mesh.kari.command("reindex", "--after", "nonsense")
    assert code == 1
    assert "page_token" in output


async def test_the_trail_is_shown_and_verified(mesh: Mesh) -> None:
    """Who did what, in order, and that nobody touched it."""
    await mesh.kari.command("chat", "--once", "hello")
    code, output = await mesh.kari.command("audit", "tail", "-n", "500")
    assert code == 0, output
    assert "kari.identity.v1.IdentityService/IssueToken" in output
    assert "kari.conversation_manager.v1.ConversationManagerService/CreateConversation" in output
    code, output = await mesh.kari.command(
        *("audit", "tail", "--json", "--action", "kari.identity")
    )
    assert code == 0, output
    for record in map(json.loads, output.splitlines()):
        assert record["entry"]["action"].startswith("kari.identity")
    code, output = await mesh.kari.command("audit", "verify")
    assert code == 0, output
    assert "all as they were written" in output


async def test_a_server_behind_the_hub_is_closed_to_users(mesh: Mesh) -> None:
    """A user's token opens no server of the mesh's inside."""
    _, token = await mesh.kari.command("token")
    with pytest.raises(AssertionError, match="servers of the mesh only"):
        await grpcurl(
            *("-H", f"authorization: Bearer {token.strip()}"),
            *("-d", '{"turn_id": "turn_00000000000000000000000000000000"}'),
            mesh.kari.address("production_memory"),
            "kari.production_memory.v1.ProductionMemoryService/GetTurn",
        )
