"""Files of a conversation as a Chromium opens them: what plays, and what does nothing."""

import pytest
from playwright.async_api import Error, Page, expect

from gateway.app import Gateway
from tests.gateway.browser import NEEDS_CHROMIUM
from tests.gateway.mesh import Mesh
from tests.multimedia.samples import filmed, recorded

pytestmark = NEEDS_CHROMIUM

ACTIVE = b"""<html xmlns="http://www.w3.org/1999/xhtml"><body onload="document.title = 'ran'">
<script>document.title = "ran"; fetch("/v1/auth/logout", {method: "POST"})</script></body></html>"""
PLAYED = """async () => {
  const media = document.querySelector("video, audio");
  if (!media.error && media.readyState < 1) {
    await new Promise((done) => (media.onloadedmetadata = media.onerror = done));
  }
  return [media.readyState > 0, Math.round(media.duration), media.error && media.error.code];
}"""


async def opened(page: Page, gateway: Gateway, mesh: Mesh, data: bytes, kind: str) -> Page:
    """A file in a tab of its own, once Ada is signed in."""
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()
    file = mesh.hub.keep("a.bin", data, kind)
    tab = await page.context.new_page()
    await tab.goto(f"{gateway.url}/v1/files/{file.id}/content")
    return tab


@pytest.mark.parametrize("kind", ["audio/x-wav", "audio/flac", "video/webm"])
async def test_sounds_and_videos_play(page: Page, gateway: Gateway, mesh: Mesh, kind: str) -> None:
    """In the page that the browser makes around them, which has no scripts."""
    if kind == "video/webm":
        data = filmed(("A", "B"), 1.0, kind="webm", codec="libvpx")
    else:
        codec = "flac" if kind == "audio/flac" else "pcm_s16le"
        data = recorded(2.0, kind.rpartition("/")[2].removeprefix("x-"), codec)
    tab = await opened(page, gateway, mesh, data, kind)
    assert await tab.evaluate(PLAYED) == [True, 2, None]


@pytest.mark.parametrize("kind", ["video/mp4", "audio/x-wav", "text/plain", "image/png"])
async def test_what_says_it_is_harmless_runs_nothing(
    page: Page, gateway: Gateway, mesh: Mesh, kind: str
) -> None:
    """A page in the clothes of something that is shown is not taken for one."""
    tab = await opened(page, gateway, mesh, ACTIVE, kind)
    assert "ran" not in await tab.title()
    await page.reload()
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf", "text/xml"])
async def test_what_could_run_is_a_download(
    page: Page, gateway: Gateway, mesh: Mesh, kind: str
) -> None:
    with pytest.raises(Error, match="Download is starting"):
        await opened(page, gateway, mesh, ACTIVE, kind)
