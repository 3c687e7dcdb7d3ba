"""Files on the page in a headless Chromium, against the scripted hub."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import Page, expect

from kari.conversation_models.v1.file_pb2 import HookReport, HookVerdict
from tests.gateway.browser import NEEDS_CHROMIUM, attach, say
from tests.gateway.mesh import Mesh

pytestmark = NEEDS_CHROMIUM


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


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
    async with page.expect_popup() as opened:
        await link.click()
    await expect((await opened.value).locator("body")).to_have_text("a few words")


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


async def test_what_is_taken_off_is_deleted(page: Page, mesh: Mesh) -> None:
    """A file that was never sent stays nowhere; the focus goes on to the next one."""
    await attach(page, "one.txt", b"one")
    await attach(page, "two.txt", b"two")
    mesh.hub.looked_at.set()
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(2)
    await page.get_by_role("button", name="Remove one.txt").click()
    await expect(page.get_by_role("button", name="Remove two.txt")).to_be_focused()
    await eventually(lambda: [file.name for file, _ in mesh.hub.files.values()] == ["two.txt"])
    await say(page, "echo two")
    await expect(page.locator("article.user .files a")).to_have_text("two.txt")
    await page.goto("about:blank")
    assert [file.name for file, _ in mesh.hub.files.values()] == ["two.txt"]


async def test_a_page_that_goes_away_leaves_nothing_unsent(page: Page, mesh: Mesh) -> None:
    """Such as by closing the tab."""
    mesh.hub.looked_at.set()
    await attach(page, "one.txt", b"one")
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(1)
    await page.goto("about:blank")
    await eventually(lambda: not mesh.hub.files)


async def test_files_that_are_too_many_are_told(page: Page, mesh: Mesh) -> None:
    """Twenty go with a message."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    files = [
        {"name": f"{n}.txt", "mimeType": "text/plain", "buffer": b"x%d" % n} for n in range(22)
    ]
    await page.locator("#file-input").set_input_files(files)  # type: ignore[arg-type]
    await expect(page.locator(".chip")).to_have_count(20)
    told = "At most 20 files go with a message; 2 files were left out."
    await expect(page.get_by_role("alert").filter(has_text="At most")).to_have_text(told)


async def test_what_hooks_say_is_shown(page: Page, mesh: Mesh) -> None:
    """Which one runs, then what each said, and what was left out."""
    passed = HookReport(hook="scan", verdict=HookVerdict.HOOK_VERDICT_PASSED)
    running = HookReport(hook="archives", verdict=HookVerdict.HOOK_VERDICT_RUNNING)
    left_out = "pages 3 to 9 were left out"
    partial = HookReport(
        hook="text", verdict=HookVerdict.HOOK_VERDICT_PARTIAL, explanation=left_out
    )
    own = HookReport(hook="invoices", verdict=HookVerdict.HOOK_VERDICT_SKIPPED)
    mesh.hub.under_way, mesh.hub.said = [passed, running], [passed, partial, own]
    await attach(page, "notes.txt", b"a few words")
    chip = page.get_by_role("listitem").filter(has_text="notes.txt")
    await expect(chip).to_contain_text("is looked into")
    await page.get_by_text("Checks", exact=True).click()
    lines = page.get_by_role("list", name="What was looked at in notes.txt").get_by_role("listitem")
    await expect(lines).to_have_text(["Malwaredone", "Archiveunder way"])
    mesh.hub.looked_at.set()
    await expect(lines).to_have_text(
        ["Malwaredone", f"Textin part: {left_out}", "invoicesnot needed"]
    )
    await expect(page.locator(".chip-state")).to_have_text(left_out)
    await expect(page.locator("#attachments-said")).to_have_text(f"notes.txt: is ready. {left_out}")


async def test_metadata_is_taken_out_where_that_is_wanted(page: Page, mesh: Mesh) -> None:
    """The switch stays as it was left."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    await page.get_by_label("Remove metadata").check()
    await attach(page, "one.txt", b"one")
    await eventually(lambda: len(mesh.hub.files) == 1)
    (upload,) = mesh.hub.uploads.values()
    assert (upload.start.name, upload.start.strip_metadata) == ("one.txt", True)
    await page.reload()
    await expect(page.get_by_label("Remove metadata")).to_be_checked()


async def test_a_large_file_goes_on_after_a_cut(page: Page, mesh: Mesh, tmp_path: Path) -> None:
    """By tus: none of what has come is sent again."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    await page.get_by_label("Remove metadata").check()
    large = tmp_path / "Ä.bin"
    with large.open("wb") as file:
        file.truncate(60_000_000)
    mesh.hub.cut_at = 30_000_000
    await page.locator("#file-input").set_input_files(large)
    await expect(page.get_by_role("progressbar", name="Upload of Ä.bin")).to_be_visible()
    mesh.hub.looked_at.set()
    await expect(page.locator(".chip[data-state=ready]")).to_have_count(1, timeout=30_000)
    (upload,) = mesh.hub.uploads.values()
    assert (upload.start.name, upload.start.strip_metadata) == ("Ä.bin", True)
    assert (mesh.hub.cut_at, len(upload.data)) == (0, 60_000_000)


async def test_a_large_file_that_is_taken_off_leaves_nothing(
    page: Page, mesh: Mesh, tmp_path: Path
) -> None:
    """What has come of it is erased; a file behind it in the row goes up."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(60_000_000)
    # It waits, to go on where it was cut.
    mesh.hub.cut_at = 1_000_000
    await page.locator("#file-input").set_input_files(large)
    await eventually(lambda: mesh.hub.cut_at == 0)
    await page.get_by_role("button", name="Remove large.bin").click()
    await expect(page.get_by_role("button", name="Attach files")).to_be_focused()
    await eventually(lambda: not mesh.hub.uploads)
    await attach(page, "small.txt", b"small")
    await eventually(lambda: [f.name for f, _ in mesh.hub.files.values()] == ["small.txt"])
