"""How files come onto the page in a headless Chromium, and what is seen of them."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.gateway.browser import NEEDS_CHROMIUM, attach, say
from tests.gateway.mesh import Mesh
from tests.multimedia.samples import drawn, saved

pytestmark = NEEDS_CHROMIUM

PNG = saved(drawn("A", size=(64, 48), height=12))
PASTE = """([kinds, target]) => {
  const clipboardData = new DataTransfer();
  const bytes = Uint8Array.from(atob(PNG), (letter) => letter.charCodeAt(0));
  clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
  for (const kind of kinds) clipboardData.items.add("a\\tb", kind);
  const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  return document.querySelector(target).dispatchEvent(paste);
}"""
DRAWN = """(picture) => picture.decode().then(() => picture.naturalWidth)"""


async def ready(page: Page) -> None:
    """Once the page is signed in."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()


async def drag(page: Page, kind: str, data: dict[str, Any], x: int = 640, y: int = 200) -> None:
    """One step of a drag, as the system has it; far from the composer unless told."""
    devtools = await page.context.new_cdp_session(page)
    step = {"type": kind, "x": x, "y": y, "data": {"dragOperationsMask": 1, "items": [], **data}}
    await devtools.send("Input.dispatchDragEvent", step)
    await devtools.detach()


async def test_a_file_is_dropped_anywhere(page: Page, mesh: Mesh, tmp_path: Path) -> None:
    """The page says so while it hovers, and stays; so do the files that it has."""
    await attach(page, "first.txt", b"first")
    mesh.hub.looked_at.set()
    dropped = tmp_path / "dropped.txt"
    dropped.write_bytes(b"dropped")
    files = {"files": [str(dropped)]}
    hint = page.get_by_text("Drop files to attach them")
    await expect(hint).to_be_hidden()
    for kind in ("dragEnter", "dragOver"):
        await drag(page, kind, files)
    await expect(hint).to_be_visible()
    await drag(page, "drop", files)
    await expect(hint).to_be_hidden()
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(2)
    assert sorted(file.name for file, _ in mesh.hub.files.values()) == ["dropped.txt", "first.txt"]
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()


async def test_a_drag_that_goes_away_leaves_no_hint(page: Page, tmp_path: Path) -> None:
    """Nor does one of something else begin one."""
    await ready(page)
    path = tmp_path / "dropped.txt"
    path.write_bytes(b"dropped")
    hint = page.get_by_text("Drop files to attach them")
    for kind in ("dragEnter", "dragOver"):
        await drag(page, kind, {"files": [str(path)]})
    await expect(hint).to_be_visible()
    await drag(page, "dragCancel", {"files": [str(path)]})
    await expect(hint).to_be_hidden()
    address = {"items": [{"mimeType": "text/uri-list", "data": "https://example.com/"}]}
    before = page.url
    for kind in ("dragEnter", "dragOver", "drop"):
        await drag(page, kind, address)
    await expect(hint).to_be_hidden()
    await expect(page.locator(".chip")).to_have_count(0)
    assert page.url == before


async def test_a_picture_of_the_page_is_no_new_file(page: Page, tmp_path: Path) -> None:
    """Dragged within it; what comes from elsewhere afterwards is."""
    await ready(page)
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    moved = "(kind) => document.body.dispatchEvent(new DragEvent(kind, { bubbles: true }))"
    for kind, count in (("dragstart", 0), ("dragend", 1)):
        await page.evaluate(moved, kind)
        for step in ("dragEnter", "dragOver", "drop"):
            await drag(page, step, {"files": [str(path)]})
        await expect(page.locator(".chip")).to_have_count(count)


async def test_folders_are_told(page: Page, mesh: Mesh, tmp_path: Path) -> None:
    """What browsers hand over of them is no file."""
    await ready(page)
    (tmp_path / "folder").mkdir()
    (tmp_path / "one.txt").write_bytes(b"one")
    files = {"files": [str(tmp_path / "folder"), str(tmp_path / "one.txt")]}
    for kind in ("dragEnter", "dragOver", "drop"):
        await drag(page, kind, files)
    await expect(page.locator(".chip-name")).to_have_text("one.txt")
    await expect(page.get_by_role("alert").filter(has_text="Folders")).to_be_visible()


async def test_nobody_drops_a_file_before_signing_in(page: Page, tmp_path: Path) -> None:
    """It is not taken, and not opened either."""
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    path = tmp_path / "dropped.txt"
    path.write_bytes(b"dropped")
    for kind in ("dragEnter", "dragOver", "drop"):
        await drag(page, kind, {"files": [str(path)]})
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    await expect(page.locator(".chip")).to_have_count(0)


@pytest.mark.parametrize("target", ["body", "#search-text", "#composer-text"])
async def test_a_picture_is_pasted_wherever_the_focus_is(
    page: Page, mesh: Mesh, target: str
) -> None:
    await ready(page)
    assert await paste(page, target) is False
    await expect(page.locator(".chip-name")).to_have_text("image.png")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()


async def test_a_table_is_pasted_as_text(page: Page) -> None:
    """Though what copied it gives a picture of it as well."""
    await ready(page)
    assert await paste(page, "#composer-text", "text/plain", "text/html") is True
    await expect(page.locator(".chip")).to_have_count(0)


async def paste(page: Page, target: str, *kinds: str) -> bool:
    """Pastes a picture; whether the browser goes on with it."""
    encoded = base64.b64encode(PNG).decode()
    script = PASTE.replace("PNG", f'"{encoded}"', 1)
    went_on: bool = await page.evaluate(script, [list(kinds), target])
    return went_on


async def test_pictures_are_seen(page: Page, mesh: Mesh) -> None:
    """Before they are sent, with the message, and after a reload; other files are links."""
    mesh.hub.looked_at.set()
    await attach(page, "map.png", PNG, "image/png")
    await attach(page, "notes.txt", b"notes")
    preview = page.locator(".chip-picture")
    await expect(preview).to_have_count(1)
    assert await preview.evaluate(DRAWN) == 64
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(2)
    await say(page, "echo seen")
    picture = page.locator("article.user").get_by_role("img", name="map.png")
    assert await picture.evaluate(DRAWN) == 64
    await expect(page.locator("article.user .files a").nth(1)).to_have_text("notes.txt")
    await expect(page.locator("article.live")).to_have_count(0)
    await page.reload()
    assert await picture.evaluate(DRAWN) == 64
    link = page.get_by_role("link", name="map.png")
    assert "conversation_id=conv_" in (await link.get_attribute("href") or "")


async def test_a_picture_that_is_none_is_a_link(page: Page, mesh: Mesh) -> None:
    mesh.hub.looked_at.set()
    await attach(page, "map.png", b"no picture", "image/png")
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(1)
    await expect(page.locator(".chip-picture")).to_be_hidden()
    await say(page, "echo seen")
    await expect(page.locator("article.user .files a")).to_have_text("map.png")


async def test_a_message_may_have_files_and_no_words(page: Page, mesh: Mesh) -> None:
    """It goes by its button and by its key, and says the names of its files to whoever reads it."""
    send = page.get_by_role("button", name="Send")
    await ready(page)
    await expect(send).to_be_disabled()
    await attach(page, "one.txt", b"one")
    await attach(page, "two.txt", b"two")
    await expect(send).to_be_disabled()
    mesh.hub.looked_at.set()
    await expect(send).to_be_enabled()
    await page.get_by_label("Message", exact=True).press("Enter")
    links = page.locator("article.user .files a")
    await expect(links).to_have_text(["one.txt", "two.txt"])
    await expect(page.locator("article.user .prose")).to_be_hidden()
    await expect(send).to_be_disabled()
    await expect(page.locator("article.live")).to_have_count(0)
    (message,) = [m for ms in mesh.hub.messages.values() for m in ms if m.file_ids]
    assert message.content == "one.txt, two.txt"
    await page.reload()
    await expect(links).to_have_text(["one.txt", "two.txt"])
    await expect(page.locator("article.user .prose")).to_be_hidden()


async def test_a_form_goes_on_after_a_cut(page: Page, mesh: Mesh) -> None:
    """None of what has come is sent again."""
    await ready(page)
    mesh.hub.cut_at, data = 1_500_000, b"0123456789" * 400_000
    await page.get_by_label("Remove metadata").check()
    await attach(page, "form.txt", data)
    await expect(page.locator(".chip-state")).to_contain_text("was cut off")
    mesh.hub.looked_at.set()
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(1)
    (upload,) = mesh.hub.uploads.values()
    assert (bytes(upload.data), upload.start.strip_metadata) == (data, True)
    assert len(mesh.hub.files) == 1
    await page.get_by_role("button", name="Remove form.txt").click()
    await expect(page.locator(".chip")).to_have_count(0)


async def test_an_upload_that_failed_is_tried_again(page: Page, mesh: Mesh) -> None:
    """By its button, with the keyboard: it goes on where it stopped."""
    await ready(page)
    await page.clock.install()
    mesh.hub.cut_at, mesh.hub.stays_away, data = 1_500_000, True, b"0123456789" * 400_000
    await attach(page, "form.txt", data)
    again = page.get_by_role("button", name="Try again: form.txt")
    async with asyncio.timeout(30):
        while not await again.is_visible():
            await page.clock.run_for(15_000)
    await expect(page.locator("#attachments-said")).to_contain_text("form.txt: ")
    mesh.hub.stays_away = False
    mesh.hub.looked_at.set()
    await again.press("Enter")
    await expect(page.get_by_role("button", name="Remove form.txt")).to_be_focused()
    await expect(again).to_be_hidden()
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(1)
    (upload,) = mesh.hub.uploads.values()
    assert bytes(upload.data) == data


async def test_a_form_that_was_cut_and_is_taken_off_leaves_nothing(page: Page, mesh: Mesh) -> None:
    await ready(page)
    mesh.hub.cut_at = 1_500_000
    await attach(page, "form.txt", b"0123456789" * 400_000)
    await expect(page.locator(".chip-state")).to_contain_text("was cut off")
    await page.get_by_role("button", name="Remove form.txt").click()
    async with asyncio.timeout(10):
        while mesh.hub.uploads:
            await asyncio.sleep(0.02)
    assert mesh.hub.files == {}
