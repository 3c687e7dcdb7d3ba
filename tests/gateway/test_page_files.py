"""Files on the page in a headless Chromium, against the scripted hub."""

from playwright.async_api import Page, expect

from tests.gateway.browser import NEEDS_CHROMIUM, say
from tests.gateway.mesh import Mesh

pytestmark = NEEDS_CHROMIUM


async def attach(page: Page, name: str, data: bytes) -> None:
    """Chooses a file, as by the dialog, once the page is signed in."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    file = {"name": name, "mimeType": "text/plain", "buffer": data}
    await page.locator("#file-input").set_input_files(file)  # type: ignore[arg-type]


async def test_a_file_goes_with_a_message(page: Page, mesh: Mesh) -> None:
    """Once it was looked at; it stands with the message, after a reload as well."""
    await attach(page, "notes.txt", b"a few words")
    chip = page.locator(".chip")
    await expect(chip).to_contain_text("is being checked")
    await page.get_by_label("Message", exact=True).fill("echo here it is")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    mesh.hub.looked_at.set()
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await page.keyboard.press("Enter")
    await expect(chip).to_have_count(0)
    link = page.locator("article.user .files a")
    await expect(link).to_have_text("notes.txt")
    await expect(page.locator("article.live")).to_have_count(0)
    await page.reload()
    await expect(link).to_have_text("notes.txt")
    ((file, _),) = mesh.hub.files.values()
    assert file.id in (await link.get_attribute("href") or "")


async def test_a_refused_file_says_why_and_does_not_go(page: Page, mesh: Mesh) -> None:
    """The message goes without it."""
    mesh.hub.looked_at.set()
    await attach(page, "virus.txt", b"virus")
    await expect(page.locator(".chip")).to_contain_text("it is a virus")
    await say(page, "echo without")
    await expect(page.locator("article.user")).to_contain_text("echo without")
    await expect(page.locator("article.user .files")).to_have_count(0)


async def test_a_file_can_be_taken_off(page: Page, mesh: Mesh) -> None:
    """Before it is ready, too."""
    await attach(page, "<b>bold</b>.txt", b"x")
    await expect(page.locator(".chip-name")).to_have_text("<b>bold</b>.txt")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.locator(".chip")).to_have_count(0)
    await say(page, "echo nothing")
    await expect(page.locator("article.assistant .prose")).to_have_text("nothing")
