"""Tools on the page in a headless Chromium, against the scripted hub."""

from playwright.async_api import Locator, Page, expect

from tests.gateway.browser import NEEDS_CHROMIUM, say
from tests.gateway.mesh import Mesh
from tests.gateway.scripted_tools import Questions

pytestmark = NEEDS_CHROMIUM


def answer_of(page: Page) -> Locator:
    """The answer's article."""
    return page.locator("article.assistant")


async def test_a_tool_that_ran_stands_above_the_answer(page: Page) -> None:
    """With its arguments and its result, for whoever opens it."""
    await say(page, "tool 2")
    tool = answer_of(page).locator(".tool")
    await expect(tool).to_contain_text("Calculator")
    await expect(tool).to_have_attribute("data-state", "done")
    await expect(tool.locator("pre").first).to_be_hidden()
    await tool.locator("summary").click()
    await expect(tool.locator("pre").first).to_contain_text('"expression": "6*7"')
    await expect(tool.locator("pre").last).to_contain_text('"value": 42')
    await expect(answer_of(page).locator(".prose")).to_have_text("Words arrive")


async def test_a_tool_that_asks_runs_when_it_is_allowed(page: Page) -> None:
    """The answer waits for the user."""
    await say(page, "ask 2")
    tool = answer_of(page).locator(".tool")
    await expect(tool).to_contain_text("Sends a letter to somebody.")
    await expect(tool.locator("pre")).to_contain_text("<b>Bob</b>")
    await tool.get_by_role("button", name="Allow", exact=True).click()
    await expect(tool).to_have_attribute("data-state", "done")
    await expect(tool.get_by_role("button", name="Allow", exact=True)).to_have_count(0)
    await expect(answer_of(page).locator(".prose")).to_have_text("Words arrive")


async def test_a_question_shows_exactly_what_is_allowed(page: Page) -> None:
    """To the end, no number rounded, and no mark of direction followed."""
    await say(page, "ask 2")
    shown = answer_of(page).locator(".tool").locator("pre")
    await expect(shown).to_contain_text('12345678901234567891,"text":"xxx')
    await expect(shown).to_contain_text("the end")
    await expect(shown).to_contain_text("<b>Bob</b>\\u202e")


async def test_a_tool_that_is_not_allowed_does_not_run(page: Page) -> None:
    """The answer is written without it."""
    await say(page, "ask 2")
    tool = answer_of(page).locator(".tool")
    await tool.get_by_role("button", name="Don").click()
    await expect(tool).to_have_attribute("data-state", "failed")
    await expect(tool).to_contain_text("You did not allow it.")
    await expect(answer_of(page).locator(".prose")).to_have_text("Words arrive")


async def test_a_question_is_there_again_after_a_reload(page: Page) -> None:
    """However often the page is closed meanwhile."""
    await say(page, "ask 2")
    await expect(answer_of(page).locator(".tool-question")).to_be_visible()
    await page.reload()
    await answer_of(page).get_by_role("button", name="Allow", exact=True).click()
    await expect(answer_of(page).locator(".prose")).to_have_text("Words arrive")


async def test_a_question_that_is_over_says_so(page: Page, mesh: Mesh) -> None:
    """It was answered elsewhere, or its turn has ended."""
    await say(page, "ask 2")
    question = answer_of(page).locator(".tool-question")
    await expect(question).to_be_visible()
    mesh.hub.questions = Questions()
    await question.get_by_role("button", name="Allow", exact=True).click()
    await expect(question).to_contain_text("Nobody waits for this answer any more.")


async def test_whose_answer_came_second_is_told_which_one_holds(page: Page, mesh: Mesh) -> None:
    """It was refused elsewhere."""
    await say(page, "ask 2")
    tool = answer_of(page).locator(".tool")
    await expect(tool.locator(".tool-question")).to_be_visible()
    mesh.hub.questions.answered_before = False
    await tool.get_by_role("button", name="Allow", exact=True).click()
    await expect(tool).to_contain_text("It was answered before: it is not allowed.")
    await expect(tool).to_have_attribute("data-state", "failed")
