"""Searching on the page, in a headless Chromium, against the scripted hub."""

from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page, expect

from gateway.app import Gateway
from kari.conversation_models.v1.degradation_pb2 import Degradation, Feature
from kari.conversation_models.v1.file_pb2 import Anchor, TextChunk
from kari.conversation_models.v1.search_pb2 import FileResult, Highlight, SummaryResult
from kari.conversation_models.v1.summary_pb2 import ConversationSummary, MessageRange
from tests.gateway.browser import NEEDS_CHROMIUM, PHONE, sign_in, visiting
from tests.gateway.conftest import Serve
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_identity import ADA, BOB
from tests.running import free_block

pytestmark = NEEDS_CHROMIUM


async def look_for(page: Page, query: str) -> None:
    await page.keyboard.press("Control+k")
    await expect(field_of(page)).to_be_focused()
    await page.keyboard.press("Control+a")
    await page.keyboard.type(query)


def field_of(page: Page) -> Locator:
    return page.get_by_role("search").get_by_role("combobox", name="Search what was said")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="What was found").get_by_role("option")


async def signed_in(page: Page) -> None:
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()


async def test_what_was_said_is_found_and_opened(page: Page, mesh: Mesh) -> None:
    """By the keyboard alone: its words are marked, and so is the message in its conversation."""
    mesh.hub.past(ADA.id, "where is the zeppelin", "The Zeppelin is in Friedrichshafen.")
    await signed_in(page)
    await look_for(page, "zeppelin")
    await expect(options(page)).to_have_count(2)
    first = options(page).first
    await expect(first).to_contain_text("Kari")
    await expect(first).to_contain_text("Notes")
    await expect(first.locator("mark")).to_have_text("Zeppelin")
    await page.keyboard.press("ArrowDown")
    await expect(options(page).nth(1)).to_have_attribute("aria-selected", "true")
    await expect(field_of(page)).to_have_attribute("aria-activedescendant", "found-1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Notes")).to_be_visible()
    sought = page.locator("article.sought")
    await expect(sought).to_contain_text("where is the zeppelin")
    await expect(sought).to_be_focused()


async def test_a_message_far_back_is_gone_to(page: Page, mesh: Mesh) -> None:
    """However many pages of history there are before it; and another one of the same place."""
    texts = [f"message {n}." for n in range(1, 501)]
    texts[2], texts[498] = "a needle", "a second needle"
    mesh.hub.past(ADA.id, *texts)
    await signed_in(page)
    await look_for(page, "needle")
    await options(page).last.click()
    sought = page.locator("article.sought")
    await expect(sought).to_contain_text("a needle")
    await expect(sought).to_be_in_viewport()
    await options(page).first.click()
    await expect(sought).to_contain_text("a second needle")
    await expect(sought).to_be_in_viewport()
    await expect(sought).to_have_count(1)


async def test_a_message_that_is_gone_is_told(page: Page, mesh: Mesh) -> None:
    """Instead of a search without end."""
    conversation_id = mesh.hub.past(ADA.id, "one", "a needle", "three")
    await signed_in(page)
    await look_for(page, "needle")
    await expect(options(page)).to_have_count(1)
    del mesh.hub.messages[conversation_id][1]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That message is no longer there.")


async def test_what_was_found_comes_in_pages(page: Page, mesh: Mesh) -> None:
    """By the button, and by going on behind the last one."""
    mesh.hub.past(ADA.id, *(f"apple {n}" for n in range(1, 46)))
    await signed_in(page)
    await look_for(page, "apple")
    await expect(options(page)).to_have_count(20)
    await expect(page.locator("#found-status")).to_have_text("The best 20")
    await page.get_by_role("button", name="More", exact=True).click()
    await expect(options(page)).to_have_count(40)
    await expect(options(page).nth(20)).to_have_attribute("aria-selected", "true")
    await field_of(page).focus()
    for _ in range(20):
        await page.keyboard.press("ArrowDown")
    await expect(options(page)).to_have_count(45)
    await expect(options(page).nth(40)).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#found-status")).to_have_text("45 found")
    await expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


async def test_a_search_waits_until_nothing_is_typed(page: Page, mesh: Mesh) -> None:
    """One question for a word, not one for each of its letters; the last one counts."""
    mesh.hub.past(ADA.id, "a zeppelin", "an apple")
    await signed_in(page)
    await look_for(page, "zeppelin")
    await expect(options(page)).to_contain_text(["a zeppelin"])
    await look_for(page, "apple")
    await expect(options(page)).to_contain_text(["an apple"])
    queries = [request.query for request in mesh.hub.searches]
    assert (queries[0], queries[-1]) != ("z", "a")
    assert len(queries) < len("zeppelin" + "apple")


async def test_escape_leads_back_to_the_conversations(page: Page, mesh: Mesh) -> None:
    """And to the message field."""
    mesh.hub.past(ADA.id, "a zeppelin")
    await signed_in(page)
    await page.reload()
    await signed_in(page)
    await look_for(page, "zeppelin")
    await expect(options(page)).to_have_count(1)
    await expect(page.locator("#conversations")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("region", name="Found")).to_be_hidden()
    await expect(page.locator("#conversations")).to_be_visible()
    await expect(field_of(page)).to_have_value("")
    await signed_in(page)


async def test_nothing_found_is_said(page: Page, mesh: Mesh) -> None:
    """What others said is nothing, too."""
    mesh.hub.past(BOB.id, "a zeppelin of mine")
    await signed_in(page)
    await look_for(page, "zeppelin")
    await expect(page.get_by_role("status").get_by_text("Nothing was found.")).to_be_visible()
    await expect(options(page)).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Found")).to_be_visible()


async def test_summaries_stand_above_the_messages(page: Page, mesh: Mesh) -> None:
    """In a group of their own; one is opened where what it covers begins."""
    conversation_id = mesh.hub.past(ADA.id, "first", "of apples", "and pears", title="Fruit")
    first = mesh.hub.messages[conversation_id][1]
    summary = ConversationSummary(
        conversation_id=conversation_id,
        summary="They spoke of fruit.",
        key_topics=["apples", "pears"],
        message_range=MessageRange(first_message_id=first.id, first_sequence=2),
    )
    mesh.hub.summaries.append(SummaryResult(summary=summary))
    await signed_in(page)
    await look_for(page, "pears")
    await expect(page.get_by_role("group", name="Messages").get_by_role("option")).to_have_count(1)
    summaries = page.get_by_role("group", name="Summaries")
    await expect(summaries.get_by_role("option")).to_contain_text(["They spoke of fruit."])
    await expect(options(page).first).to_contain_text("apples · pears")
    await summaries.get_by_role("option").click()
    await expect(page.locator("article.sought")).to_contain_text("of apples")


async def test_files_stand_in_a_group_of_their_own(page: Page, mesh: Mesh) -> None:
    """With name and place; one opens the conversation in which it is used."""
    conversation_id = mesh.hub.past(ADA.id, "see the lease", title="Flat")
    mesh.hub.found_files.append(
        FileResult(
            file_id="file_1",
            name="lease.pdf",
            conversation_id=conversation_id,
            chunk=TextChunk(text="Pets are allowed.", anchor=Anchor(page=3)),
            highlights=[Highlight(start=0, end=4)],
        )
    )
    await signed_in(page)
    await look_for(page, "lease")
    found = page.get_by_role("group", name="Files").get_by_role("option")
    await expect(found).to_contain_text(["lease.pdfpage 3Pets are allowed."])
    await expect(found.locator("mark")).to_have_text("Pets")
    await found.click()
    await expect(page.locator("article").first).to_contain_text("see the lease")


async def test_it_is_said_when_words_alone_decided(page: Page, mesh: Mesh) -> None:
    """For as long as it is so."""
    mesh.hub.past(ADA.id, "a zeppelin")
    missing = Degradation(feature=Feature.FEATURE_SEMANTIC_RECALL, cause="milvus")
    mesh.hub.missing.append(missing)
    await signed_in(page)
    await look_for(page, "zeppelin")
    note = page.get_by_text("Found by words alone, not by meaning.")
    await expect(note).to_be_visible()
    mesh.hub.missing.clear()
    await look_for(page, "a zep")
    await expect(note).to_be_hidden()


async def test_a_search_that_fails_says_so_and_can_be_repeated(page: Page, mesh: Mesh) -> None:
    """By Enter."""
    await signed_in(page)
    await look_for(page, "down")
    said = page.locator("#found-status")
    await expect(said).to_contain_text("does not answer right now")
    asked = len(mesh.hub.searches)
    await page.keyboard.press("Enter")
    await expect(said).to_contain_text("does not answer right now")
    assert len(mesh.hub.searches) == asked + 1


async def test_a_search_that_was_cut_off_is_asked_again(
    chromium: Browser, serve: Serve, mesh: Mesh
) -> None:
    """As soon as the connection is back."""
    mesh.hub.past(ADA.id, "a zeppelin")
    first = serve(http_port=free_block(1))
    gateway = await first.__aenter__()
    async with visiting(chromium, gateway.url) as page:
        await sign_in(page)
        await signed_in(page)
        await first.__aexit__(None, None, None)
        await expect(page.locator("#banner")).to_contain_text("The connection was lost.")
        await look_for(page, "zeppelin")
        await expect(page.locator("#found-status")).to_contain_text("not connected")
        async with serve(http_port=urlsplit(gateway.url).port):
            await expect(options(page)).to_have_count(1)


async def test_markup_in_what_was_found_stays_text(page: Page, mesh: Mesh) -> None:
    """Characters outside of the basic plane do not shift what is marked."""
    hostile = "🎈🎈 <img src=x onerror=alert(1)> <mark>needle</mark> & more"
    mesh.hub.past(ADA.id, hostile, title="<b>bold</b>")
    await signed_in(page)
    await look_for(page, "needle")
    await expect(options(page).locator(".said")).to_have_text(hostile)
    await expect(options(page).locator("mark")).to_have_text("needle")
    await expect(options(page)).to_contain_text("<b>bold</b>")
    assert await page.locator("#found-list :is(img, b, script)").count() == 0


async def test_what_was_found_is_forgotten_with_the_session(page: Page, mesh: Mesh) -> None:
    """Whoever signs in next sees nothing of it."""
    mesh.hub.past(ADA.id, "a zeppelin")
    await signed_in(page)
    await look_for(page, "zeppelin")
    await expect(options(page)).to_have_count(1)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await page.locator("#found-list").inner_text() == ""
    assert await page.locator("#search-text").input_value() == ""


async def test_on_a_phone_the_drawer_closes_behind_what_is_opened(
    chromium: Browser, gateway: Gateway, mesh: Mesh
) -> None:
    """And nothing is wider than the screen."""
    mesh.hub.past(ADA.id, "a zeppelin " + "x" * 300, title="A title that is rather long " * 3)
    async with visiting(chromium, gateway.url, **PHONE) as page:
        await sign_in(page)
        await page.get_by_role("button", name="Conversations").tap()
        await field_of(page).tap()
        await field_of(page).fill("zeppelin")
        await expect(options(page)).to_have_count(1)
        wide = "it => it.scrollWidth > it.clientWidth"
        assert not await page.locator("#sidebar").evaluate(wide)
        await options(page).tap()
        await expect(page.get_by_role("navigation")).to_be_hidden()
        await expect(page.locator("article.sought")).to_be_in_viewport()


async def test_the_shortcut_opens_the_drawer_of_a_narrow_window(
    chromium: Browser, gateway: Gateway
) -> None:
    """So that there is a field to type into."""
    size = {"width": 500, "height": 700}
    async with visiting(chromium, gateway.url, viewport=size) as page:
        await sign_in(page)
        await signed_in(page)
        await page.keyboard.press("Control+k")
        await expect(field_of(page)).to_be_focused()
        await expect(field_of(page)).to_be_in_viewport()


async def test_an_excerpt_begins_a_little_before_the_first_word(page: Page) -> None:
    """At the beginning of a word, and counts characters as the server does."""
    script = "([text, marks]) => import('/excerpt.js').then(it => it.excerpt(text, marks))"
    long = "🎈 " + "word " * 30 + "needle at the end"
    at = long.index("needle")
    pieces = await page.evaluate(script, [long, [{"start": at, "end": at + 6}]])
    assert [piece["text"] for piece in pieces] == ["…", "word " * 7, "needle", " at the end"]
    assert await page.evaluate(script, ["needle", [{"end": 6}]]) == [
        {"text": "needle", "marked": True}
    ]
    assert await page.evaluate(script, ["", []]) == []
    odd = [{"start": 2, "end": 4}, {"start": 3, "end": 99}]
    assert "".join(p["text"] for p in await page.evaluate(script, ["abcdef", odd])) == "abcdef"
