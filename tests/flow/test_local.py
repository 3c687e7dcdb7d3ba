"""Kari as it comes, without a models file: the local model answers, in a terminal and on the
page."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests.gateway.browser import ARGUMENTS, CHROMIUM, say, visiting
from tests.running import ROOT, Kari
from tests.socket_client import kinds_of, login, opened, text_of

MODEL = "local/smollm2-135m"
# Longer than any answer of the local model takes here.
ANSWER_MS = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kari(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kari]:
    """One that nobody has configured."""
    running = Kari.at(tmp_path_factory.mktemp("local") / "data")
    await running.start()
    yield running
    await running.stop()


async def test_chat_once_prints_what_the_local_model_says(kari: Kari) -> None:
    """On standard output, where pipes find it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "chat", "--once", "hello"),
        cwd=ROOT,
        env=kari.environment(),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert output.strip()


async def test_the_local_model_answers_over_the_socket(kari: Kari) -> None:
    """Streamed and kept, under its own name."""
    async with opened(kari, await login(kari)) as client:
        _, events = await client.turn("hello")
    message = events[-1].completed.message
    assert kinds_of(events)[-1] == "completed", events[-1]
    assert message.model_used == MODEL
    assert message.content == text_of(events) != ""


def deltas_of(page: Page) -> list[str]:
    """Pieces of text that come over the page's socket, as they come."""
    found: list[str] = []

    def keep(frame: str | bytes) -> None:
        found.extend(json.loads(frame).get("turnEvent", {}).get("delta", {}).values())

    page.on("websocket", lambda socket: socket.on("framereceived", keep))
    return found


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on PATH")
async def test_a_person_chats_on_the_page_and_finds_it_again(kari: Kari) -> None:
    """With the password that the first start printed."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        async with visiting(chromium, kari.http) as page:
            deltas = deltas_of(page)
            await page.get_by_label("Name").fill("demo")
            await page.get_by_label("Password").fill(kari.passwords["demo"])
            await page.get_by_role("button", name="Sign in").click()
            await say(page, "hello")
            answer = page.locator("article.assistant .prose")
            await expect(answer).not_to_be_empty(timeout=ANSWER_MS)
            await expect(page.locator("article.live")).to_have_count(0, timeout=ANSWER_MS)
            told = await answer.text_content()
            await page.reload()
            await expect(answer).to_have_text(told or "")
        await chromium.close()
    assert len(deltas) > 1
