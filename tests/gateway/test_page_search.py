"""Searching on the page, in a headless Chromium, against the scripted hub."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from gateway.app import Gateway
from kari.conversation_models.v1.conversation_pb2 import Conversation
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.message_pb2 import Message, MessageRole
from kari.conversation_models.v1.search_pb2 import SummaryResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary, MessageRange
from servers.runtime.ids import new_id
from tests.gateway.browser import PHONE, needs_chromium, sign_in, visiting
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import ADA

pytestmark = needs_chromium

LONG_AGO = datetime(2023, 5, 8, 12, tzinfo=UTC)


def told(mesh: Mesh, title: str, *texts: str) -> Conversation:
    """A conversation in which Ada and Kari say texts in turn, long ago."""
    conversation = mesh.hub.begin_conversation(title, ADA.id)
    for number, text in enumerate(texts, start=1):
        said = Message(
            id=new_id("msg"),
            conversation_id=conversation.id,
            role=MessageRole.MESSAGE_ROLE_USER
            if number % 2
            else MessageRole.MESSAGE_ROLE_ASSISTANT,
            author="Ada" if number % 2 else "",
            content=text,
            sequence=number,
        )
        said.timestamp.FromDatetime(LONG_AGO)
        mesh.hub.messages[conversation.id].append(said)
    return conversation


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search")


def found(page: Page) -> Locator:
    return page.get_by_role("listbox", name="What was found").get_by_role("option")


async def look_for(page: Page, words: str) -> None:
    await field(page).fill(words)
    await expect(page.locator("#found")).to_have_attribute("aria-busy", "false")


async def test_what_is_found_says_who_when_where_and_why(page: Page, mesh: Mesh) -> None:
    """The words of the query are marked in it."""
    told(mesh, "The zoo", "Where do bears sleep?", "Bears sleep in caves.")
    await look_for(page, "bears")
    await expect(found(page)).to_have_count(2)
    for word in ("Ada", "2023", "The zoo", "Where do bears sleep?"):
        await expect(found(page).last).to_contain_text(word)
    await expect(found(page).first).to_contain_text("Kari")
    await expect(found(page).last.locator("mark")).to_have_text("bears")
    await expect(page.locator("#found-note")).to_have_text("2 messages")
    await expect(page.locator("#conversations")).to_be_hidden()


async def test_marks_stand_right_behind_characters_of_two_units(page: Page, mesh: Mesh) -> None:
    """The contract counts code points, JavaScript does not."""
    told(mesh, "Zoo", "🐻🐻 a bear 🐻 and another bear")
    await look_for(page, "bear")
    await expect(found(page).locator("mark")).to_have_text(["bear", "bear"])


async def test_a_long_text_is_shown_around_its_first_mark(page: Page, mesh: Mesh) -> None:
    """From a word on."""
    told(mesh, "Zoo", "begin " + 60 * "filler " + "a bear")
    await look_for(page, "bear")
    await expect(found(page).locator("p")).to_have_text("…" + 5 * "filler " + "a bear")


async def test_markup_in_what_is_found_stays_text(page: Page, mesh: Mesh) -> None:
    """In titles as well."""
    told(mesh, "<b>title</b>", "<img src=x onerror=alert(1)> bear <b>x</b>")
    await look_for(page, "<b>x")
    await expect(found(page)).to_contain_text("<img src=x onerror=alert(1)> bear <b>x</b>")
    await expect(found(page)).to_contain_text("<b>title</b>")
    assert await page.locator("#found :is(img, b, script)").count() == 0


async def test_a_search_by_keyboard_ends_at_the_message(page: Page, mesh: Mesh) -> None:
    """Ctrl+K, words, an arrow, Enter; the history is fetched back to where the message is."""
    texts = [f"message {n}." for n in range(1, 501)]
    texts[3], texts[4] = "An early bear.", "A bear answers."
    conversation = told(mesh, "A long one", *texts)
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.press("Control+K")
    await expect(field(page)).to_be_focused()
    await page.keyboard.type("bear")
    await expect(found(page)).to_have_count(2)
    await expect(found(page).first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowDown")
    chosen = await found(page).last.get_attribute("id")
    await expect(field(page)).to_have_attribute("aria-activedescendant", chosen or "")
    await page.keyboard.press("Enter")
    sought = page.locator("article.sought")
    await expect(sought).to_contain_text("An early bear.")
    await expect(sought).to_be_focused()
    await expect(sought).to_be_in_viewport()
    await expect(page.get_by_role("heading", name="A long one")).to_be_visible()
    message = mesh.hub.messages[conversation.id][3]
    assert page.url.endswith(f"#/{conversation.id}/{message.id}")


async def test_another_result_of_the_same_conversation_is_one_click_away(
    page: Page, mesh: Mesh
) -> None:
    """The results stay; the mark goes over to the other message."""
    told(mesh, "Zoo", "One bear.", "Two bears.")
    await look_for(page, "bear")
    for index, text in enumerate(("Two bears.", "One bear.")):
        await found(page).nth(index).click()
        await expect(page.locator("article.sought")).to_have_count(1)
        await expect(page.locator("article.sought")).to_contain_text(text)


async def test_the_address_of_a_message_opens_there(page: Page, mesh: Mesh) -> None:
    """After a reload, and by going back."""
    conversation = told(mesh, "Zoo", *(f"message {n}." for n in range(1, 100)))
    first, second = mesh.hub.messages[conversation.id][:2]
    base = page.url.partition("#")[0]
    await page.goto(f"{base}#/{conversation.id}/{first.id}")
    await expect(page.locator("article.sought")).to_contain_text("message 1.")
    await page.goto(f"{base}#/{conversation.id}/{second.id}")
    await expect(page.locator("article.sought")).to_contain_text("message 2.")
    await page.reload()
    await expect(page.locator("article.sought")).to_contain_text("message 2.")
    await page.go_back()
    await expect(page.locator("article.sought")).to_contain_text("message 1.")


async def test_a_message_that_is_gone_is_said(page: Page, mesh: Mesh) -> None:
    """The conversation is open even so."""
    conversation = told(mesh, "Zoo", "One.", "Two.")
    await page.goto(f"{page.url.partition('#')[0]}#/{conversation.id}/{new_id('msg')}")
    await expect(page.locator(".note")).to_have_text("The message is not there any more.")
    await expect(page.locator("article")).to_have_count(2)


async def test_escape_brings_the_conversations_back(page: Page, mesh: Mesh) -> None:
    """And gives the keyboard back to the message field."""
    told(mesh, "Zoo", "One bear.")
    await look_for(page, "bear")
    await page.keyboard.press("Escape")
    await expect(page.locator("#found")).to_be_hidden()
    await expect(page.locator("#all-conversations")).to_be_visible()
    await expect(field(page)).to_have_value("")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()


async def test_more_comes_page_by_page(page: Page, mesh: Mesh) -> None:
    """By the button, and by going on past the last one."""
    told(mesh, "Zoo", *(f"Bear {n}." for n in range(1, 51)))
    await look_for(page, "bear")
    await expect(page.locator("#found-note")).to_have_text("20 or more messages")
    await page.get_by_role("button", name="More messages").click()
    await expect(found(page)).to_have_count(40)
    await field(page).focus()
    for _ in range(40):
        await page.keyboard.press("ArrowDown")
    await expect(found(page)).to_have_count(50)
    await expect(page.locator("#found-note")).to_have_text("50 messages")
    await expect(page.get_by_role("button", name="More messages")).to_be_hidden()
    ids = [request.page_token for request in mesh.hub.searches]
    assert ids == ["", "20", "40"]


async def test_nothing_found_is_said_with_what_may_help(page: Page) -> None:
    """To screen readers as well."""
    await look_for(page, "zeppelin")
    note = page.get_by_role("status").filter(has_text="Nothing was found.")
    await expect(note).to_contain_text('"A phrase" in quotes')
    await expect(found(page)).to_have_count(0)


async def test_words_alone_are_said(page: Page, mesh: Mesh) -> None:
    """While there is no searching by meaning."""
    mesh.hub.missing = [Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")]
    told(mesh, "Zoo", "One bear.")
    await look_for(page, "bear")
    await expect(page.locator("#found-note")).to_contain_text("By words alone")


async def test_a_search_that_fails_is_told_in_words(page: Page) -> None:
    """The results before it are gone."""
    await look_for(page, "down")
    await expect(page.locator("#found-note")).to_contain_text("does not answer right now")


async def test_summaries_are_a_group_of_their_own(page: Page, mesh: Mesh) -> None:
    """One opens where it begins."""
    conversation = told(mesh, "Zoo", "One.", "Two.", "Three.")
    second = mesh.hub.messages[conversation.id][1]
    summary = ConversationSummary(
        conversation_id=conversation.id,
        summary="They counted.",
        key_topics=["counting", "numbers"],
        message_range=MessageRange(first_message_id=second.id),
    )
    mesh.hub.summaries = [SummaryResult(summary=summary)]
    await look_for(page, "one")
    await expect(page.locator("#found-note")).to_have_text("1 message, 1 summary")
    await expect(page.get_by_role("group", name="Messages")).to_contain_text("One.")
    entry = page.get_by_role("group", name="Summaries").get_by_role("option")
    await expect(entry).to_contain_text("counting, numbers")
    await expect(entry).to_contain_text("They counted.")
    await entry.click()
    await expect(page.locator("article.sought")).to_contain_text("Two.")


async def test_a_search_can_be_kept_to_the_open_conversation(page: Page, mesh: Mesh) -> None:
    """Only where one is open."""
    told(mesh, "Other", "Another bear.")
    conversation = told(mesh, "Zoo", "A bear here.")
    await look_for(page, "bear")
    here = page.get_by_label("Only this conversation")
    await expect(here).to_be_disabled()
    await found(page).filter(has_text="here").click()
    await here.check()
    await expect(found(page)).to_have_count(1)
    await expect(found(page)).to_contain_text("A bear here.")
    assert mesh.hub.searches[-1].filter.conversation_id == conversation.id


async def test_typing_asks_once_it_rests(page: Page, mesh: Mesh) -> None:
    """Not for every letter."""
    told(mesh, "Zoo", "One bear.")
    await field(page).press_sequentially("bear", delay=10)
    await expect(found(page)).to_have_count(1)
    assert [request.query for request in mesh.hub.searches][-1] == "bear"
    assert len(mesh.hub.searches) < len("bear")


async def test_on_a_phone_the_search_is_in_the_drawer(
    chromium: Browser, gateway: Gateway, mesh: Mesh
) -> None:
    """Which closes when a result is opened, and opens on Ctrl+K."""
    told(mesh, "Zoo", "One bear.")
    async with visiting(chromium, gateway.url, **PHONE) as page:
        await sign_in(page)
        await page.get_by_role("button", name="Conversations").click()
        await look_for(page, "bear")
        await found(page).click()
        await expect(page.get_by_role("navigation")).to_be_hidden()
        await expect(page.locator("article.sought")).to_contain_text("One bear.")
        await page.keyboard.press("Control+K")
        await expect(field(page)).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_marked_words_can_be_read(
    chromium: Browser, gateway: Gateway, mesh: Mesh, scheme: str
) -> None:
    """A contrast of 4.5 to 1, as WCAG 2 asks for text."""
    told(mesh, "Zoo", "One bear.")
    async with visiting(chromium, gateway.url, color_scheme=scheme) as page:
        await sign_in(page)
        await look_for(page, "bear")
        colors = (
            await found(page)
            .locator("mark")
            .evaluate("it => [getComputedStyle(it).color, getComputedStyle(it).backgroundColor]")
        )
    assert contrast(*map(channels, colors)) >= 4.5


def channels(color: str) -> list[float]:
    """Of `rgb(1, 2, 3)`, as shares of light."""
    return [float(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]


def contrast(one: list[float], other: list[float]) -> float:
    """Relative luminance against each other, by WCAG 2."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
