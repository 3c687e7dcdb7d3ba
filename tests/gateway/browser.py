"""The page in a headless Chromium."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect

from tests.gateway.scripted_identity import PASSWORD

CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = ("--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
AWAY = ("WebSocket", "ERR_CONNECTION_REFUSED", "503 (Service Unavailable)")
"""What the browser itself says of a gateway that is away."""
NEEDS_CHROMIUM = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium on PATH")


@asynccontextmanager
async def visiting(chromium: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A fresh browser profile on the page; whatever the page complains of fails the test."""
    context = await chromium.new_context(**options)
    async with complaining(await context.new_page()) as page:
        await page.goto(url)
        yield page
        await context.close()


@asynccontextmanager
async def revisiting(context: BrowserContext, url: str) -> AsyncIterator[Page]:
    """The same in a profile that was used, from which everything that a page leaves was cleared: a
    fresh one is another process, and half of a test's time."""
    page = await context.new_page() if not context.pages else context.pages[0]
    devtools = await context.new_cdp_session(page)
    everything = {"origin": url, "storageTypes": "all"}
    await devtools.send("Storage.clearDataForOrigin", everything)
    await devtools.detach()
    await context.clear_cookies()
    async with complaining(page):
        await page.goto(url)
        yield page
        await page.goto("about:blank")
    for other in context.pages[1:]:
        await other.close()


@asynccontextmanager
async def complaining(page: Page) -> AsyncIterator[Page]:
    """Inside the block nothing may go wrong in the page."""
    complaints: list[str] = []

    def failed(error: Error) -> None:
        complaints.append(f"error {error}")

    def said(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type} {message.text}")

    page.on("pageerror", failed)
    page.on("console", said)
    yield page
    page.remove_listener("pageerror", failed)
    page.remove_listener("console", said)
    errors = [c for c in complaints if c.startswith("error") and not any(c.count(w) for w in AWAY)]
    assert errors == [], errors


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    """As Ada, by the form."""
    await page.get_by_label("Name").fill("ada")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def say(page: Page, text: str) -> None:
    """Writes a message and sends it."""
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def attach(page: Page, name: str, data: bytes, kind: str = "text/plain") -> None:
    """Chooses a file, as by the dialog, once the page is signed in."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    file = {"name": name, "mimeType": kind, "buffer": data}
    await page.locator("#file-input").set_input_files(file)  # type: ignore[arg-type]
