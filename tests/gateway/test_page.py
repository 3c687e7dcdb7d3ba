"""The page in a headless Chromium, against the scripted hub."""

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from gateway.app import Gateway
from gateway.closing import comes_back
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from servers.runtime.ids import new_id
from tests.gateway.browser import NEEDS_CHROMIUM, PHONE, say, sign_in, visiting
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import ADA
from tests.running import free_block

pytestmark = NEEDS_CHROMIUM


async def test_an_answer_streams_and_is_there_after_a_reload(page: Page, mesh: Mesh) -> None:
    """Signing in, sending, reading along, coming back."""
    answer = page.locator("article.assistant .prose")
    await say(page, "slow 3")
    await expect(page.locator("article.user")).to_contain_text("slow 3")
    mesh.hub.step(2)
    await expect(answer).to_have_text("Words arrive")
    mesh.hub.step(1)
    await expect(answer).to_have_text("Words arrive one")
    await expect(page.locator("article.live")).to_have_count(0)
    await page.reload()
    await expect(answer).to_have_text("Words arrive one")
    await expect(page.locator("#who")).to_have_text("ada")


async def test_stopping_keeps_the_text_so_far(page: Page, mesh: Mesh) -> None:
    """By the button; the page says that it was cut short."""
    await say(page, "slow 9")
    mesh.hub.step(2)
    await expect(page.locator("article.live .prose")).to_have_text("Words arrive")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("article.assistant")).to_contain_text("cut short")
    await expect(page.locator("article.assistant .prose")).to_have_text("Words arrive")
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()


async def test_wrong_credentials_are_told_in_words(chromium: Browser, gateway: Gateway) -> None:
    """And the page lets one try again."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(gateway.url)
    await sign_in(page, "wrong")
    await expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    await sign_in(page)
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await context.close()


async def test_commands_complete_and_ask_for_confirmation(page: Page) -> None:
    """With the keyboard alone."""
    field = page.get_by_label("Message", exact=True)
    await expect(field).to_be_focused()
    await field.press_sequentially("/per")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.type("technical_expert")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Yes, do it")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".result").last).to_contain_text("technical_expert now")


async def test_values_of_a_command_complete_too(page: Page) -> None:
    """First the command, then one of its choices."""
    field = page.get_by_label("Message", exact=True)
    await expect(field).to_be_focused()
    await field.press_sequentially("/se")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("option")).to_have_count(6)
    await page.keyboard.type("an")
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("/set mode analysis")


async def test_errors_are_told_in_words_with_their_reference(page: Page) -> None:
    """With a way to try again where that may help."""
    await say(page, "down")
    problem = page.locator(".problem", has_text="does not answer right now")
    await expect(problem).to_contain_text("Reference")
    await expect(problem.get_by_role("button", name="Try again")).to_be_visible()


async def test_a_failed_turn_keeps_its_text_and_says_why(page: Page) -> None:
    """The envelope of the turn, in words."""
    await say(page, "fail 2")
    await expect(page.locator("article.assistant")).to_contain_text("No model answered.")
    await expect(page.locator("article.assistant .prose")).to_have_text("Words arrive")


async def test_markup_of_users_and_models_stays_text(page: Page) -> None:
    """Nothing of it becomes an element."""
    hostile = "<img src=x onerror=alert(1)> **bold <b>not</b>** `<i>`"
    await say(page, f"echo {hostile}")
    answer = page.locator("article.assistant .prose")
    await expect(answer).to_have_text("<img src=x onerror=alert(1)> bold <b>not</b> <i>")
    await expect(answer.locator("strong")).to_have_count(1)
    assert await page.locator("#transcript :is(img, b, i, script)").count() == 0


async def test_markdown_is_shown_as_such(page: Page) -> None:
    """Paragraphs, a list, code."""
    await say(page, "tell me more")
    answer = page.locator("article.assistant .prose")
    await expect(page.locator("article.live")).to_have_count(0)
    await expect(answer.locator("li")).to_have_count(3)
    await expect(answer.locator("pre code")).to_contain_text("async for event")
    await expect(answer.locator("strong")).to_have_text("one duty")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"\*not\* \`code\` \<b\> \\ \&amp;", r"*not* `code` &lt;b&gt; \ &amp;amp;"),
        (r"**bo\*ld** *em\_ph*", "<strong>bo*ld</strong> <em>em_ph</em>"),
        ("``a`b`` `` `c` `` `d\\`", r"<code>a`b</code> <code>`c`</code> <code>d\</code>"),
        (r"in *The \*zoo\**: **x**", "in <em>The *zoo*</em>: <strong>x</strong>"),
        ("a \\b c", r"a \b c"),
        ("`open **bold**", "`open <strong>bold</strong>"),
    ],
)
async def test_escaped_marks_mean_nothing(page: Page, source: str, shown: str) -> None:
    """And code may hold backticks, as in what commands answer."""
    script = """async (source) => {
        const { inline } = await import("/markdown.js");
        const shown = document.createElement("p");
        shown.append(...inline(source));
        return shown.innerHTML;
    }"""
    assert await page.evaluate(script, source) == shown


async def test_a_cut_is_bridged(chromium: Browser, serve: Serve, mesh: Mesh) -> None:
    """The gateway is started anew during an answer; nothing is lost or shown twice."""
    first = serve(http_port=free_block(1))
    gateway = await first.__aenter__()
    async with visiting(chromium, gateway.url) as page:
        await sign_in(page)
        await say(page, "slow 4")
        mesh.hub.step(2)
        answer, banner = page.locator("article.assistant .prose"), page.locator("#banner")
        await expect(answer).to_have_text("Words arrive")
        await first.__aexit__(None, None, None)
        await expect(banner).to_contain_text("The connection was lost.")
        async with serve(http_port=urlsplit(gateway.url).port):
            mesh.hub.step(2)
            await expect(answer).to_have_text("Words arrive one after")
            await expect(banner).to_be_hidden()
            await expect(page.locator("article")).to_have_count(2)


async def test_a_message_cut_off_on_its_way_is_sent_again(
    chromium: Browser, serve: Serve, mesh: Mesh
) -> None:
    """As the same request, shown once."""
    first = serve(http_port=free_block(1))
    gateway = await first.__aenter__()
    async with visiting(chromium, gateway.url) as page:
        await sign_in(page)
        await say(page, "hang")
        await mesh.hub.hanging.wait()
        await first.__aexit__(None, None, None)
        mesh.hub.hanging.clear()
        async with serve(http_port=urlsplit(gateway.url).port):
            await asyncio.wait_for(mesh.hub.hanging.wait(), 10)
            await expect(page.locator("article.sending")).to_have_count(1)
    first_id, second_id = mesh.hub.request_ids
    assert first_id == second_id


async def test_two_windows_show_the_same_turn(page: Page, gateway: Gateway, mesh: Mesh) -> None:
    """Of one profile, as two tabs do."""
    await say(page, "stream 2")
    await expect(page.locator("article.assistant")).to_have_count(1)
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("article.assistant .prose")).to_have_text("Words arrive")
    await say(other, "slow 1")
    mesh.hub.step(1)
    await expect(page.locator("article.user")).to_have_count(2)
    await expect(page.locator("article.assistant .prose").last).to_have_text("Words")


async def test_older_messages_come_when_one_scrolls_up(page: Page, mesh: Mesh) -> None:
    """Page by page, to the first."""
    conversation = mesh.hub.begin_conversation("A long one", ADA.id)
    for n in range(1, 81):
        role = MessageRole.MESSAGE_ROLE_USER if n % 2 else MessageRole.MESSAGE_ROLE_ASSISTANT
        message = Message(id=new_id("msg"), role=role, content=f"message {n}.", sequence=n)
        mesh.hub.messages[conversation.id].append(message)
    await page.goto(f"{page.url.partition('#')[0]}#/{conversation.id}")
    await expect(page.locator("article")).to_have_count(30)
    for count in (60, 80):
        await page.locator("#scroller").evaluate("it => { it.scrollTop = 0 }")
        await expect(page.locator("article")).to_have_count(count)
    await expect(page.locator("article").first).to_contain_text("message 1.")


async def test_missing_features_are_shown(
    chromium: Browser, serve: Serve, nowhere: SecretStr
) -> None:
    """In words, on demand."""
    async with serve(redis_url=nowhere) as gateway, visiting(chromium, gateway.url) as page:
        await sign_in(page)
        await say(page, "stream 1")
        await page.get_by_text("Reduced").click()
        await expect(page.locator("#degradations")).to_contain_text("counted by each server alone")


async def test_on_a_phone_the_conversations_are_a_drawer(
    chromium: Browser, gateway: Gateway, mesh: Mesh
) -> None:
    """It closes when one is chosen."""
    mesh.hub.begin_conversation("Notes", ADA.id)
    async with visiting(chromium, gateway.url, **PHONE) as page:
        await sign_in(page)
        await page.get_by_role("button", name="Conversations").click()
        await page.get_by_role("button", name="Notes").click()
        await expect(page.get_by_role("heading", name="Notes")).to_be_visible()
        await expect(page.get_by_role("navigation")).to_be_hidden()


async def test_signing_out_leads_back_to_the_sign_in(page: Page) -> None:
    """And a reload does not bring the session back."""
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_page_and_the_gateway_read_close_codes_alike(page: Page) -> None:
    """One table, in two languages."""
    codes = [1000, 1001, 1006, 1008, 1009, 1011, 1012, 3000, 3499, 3500, 4000, 4499, 4500]
    script = "codes => import('/socket.js').then(it => codes.map(it.comesBack))"
    assert await page.evaluate(script, codes) == [comes_back(code) for code in codes]
