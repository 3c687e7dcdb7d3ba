"""The page in a headless Chromium."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page

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
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"error {error}"))
    page.on("console", lambda said: complaints.append(f"{said.type} {said.text}"))
    await page.goto(url)
    yield page
    await context.close()
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
