"""Pages whose text is known, and what a camera makes of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SAID = (
    "the ferry leaves harbour at seven in morning and comes back evening with letters from island "
    "where people wait for news of their families who went away last spring because work was "
    "scarce and winters hard please confirm your address before Friday so that we can send invoice "
    "number 4711 together with receipt amount due 1,250.00 account holder telephone signature"
)
SOLD = (
    "Bread,Butter 250 g,Coffee beans,Apples,Oranges 2 kg,Milk,Washing powder,Paper towels,Cheese,"
    "Rice 1 kg,Tomatoes,Total"
)
WORDS, GOODS = SAID.split(), SOLD.split(",")
GREY, AROUND = 60, 80
"""What lies around a page, and how many pixels of it are seen."""


@dataclass(frozen=True, slots=True)
class Page:
    """A picture and its text: lines or cells in the order in which people read them."""

    picture: Image.Image
    pieces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Camera:
    """How a page is seen: turned clockwise; its right side smaller by so much of it, as from the
    left; blurred by so many pixels."""

    degrees: float = 0
    side: float = 0
    blur: float = 1


def letter(lines: int = 14, height: int = 26) -> Page:
    """Paragraphs of five lines."""
    words = random.Random(1)
    rows = (height * 8 // 5 * (line + line // 5) for line in range(lines))
    placed = [
        (100, 100 + row, _prose(words, 30 if line % 5 == 4 else 72))
        for line, row in enumerate(rows)
    ]
    return _page(1240, placed, height)


def columns() -> Page:
    """Two of prose."""
    words = random.Random(2)
    sides = [(left, 80 + 38 * line) for left in (100, 650) for line in range(12)]
    return _page(1240, [(left, top, _prose(words, 30)) for left, top in sides], 24)


def receipt() -> Page:
    """Names on the left, amounts on the right."""
    amounts, font = random.Random(3), ImageFont.load_default(28)
    placed = [(180, 50, "Corner Shop"), (120, 100, "12 High Street 28.11.2026")]
    for row, name in enumerate(GOODS):
        amount, top = f"{amounts.randint(100, 9999) / 100:.2f}", 170 + 41 * row
        placed += [(50, top, name), (590 - round(font.getlength(amount)), top, amount)]
    return _page(640, placed, 28)


def table() -> Page:
    """Short cells, far apart."""
    numbers, placed = random.Random(4), list[tuple[int, int, str]]()
    for row in range(12):
        cells = [numbers.choice(GOODS), *(str(numbers.randint(100, 9999)) for _ in range(4))]
        lefts = (100, 450, 650, 850, 1050)
        placed += [(left, 80 + 43 * row, cell) for left, cell in zip(lefts, cells, strict=True)]
    return _page(1240, placed, 26)


def screen(height: int, *, dark: bool = False) -> Page:
    """A screen of 1920 x 1080, bars above and below, with some text of so many pixels, black on
    white or light on dark."""
    words = random.Random(5)
    placed = [(300, 200 + height * 3 // 2 * line, _prose(words, 60)) for line in range(12)]
    paper = "#1e1e1e" if dark else "white"
    page = _page(1920, placed, height, paper)
    picture = Image.new("RGB", (1920, 1080), paper)
    picture.paste(page.picture)
    for top in (0, 1050):
        ImageDraw.Draw(picture).rectangle((0, top, 1920, top + 30), "#334")
    return Page(picture, page.pieces)


def photographed(page: Page, camera: Camera) -> Image.Image:
    """On something dark, in uneven light."""
    width, height = page.picture.size
    less = camera.side * height / 2
    seen = np.array([(0, 0), (width, less), (width, height - less), (0, height)])
    angle = np.radians(camera.degrees)
    c, s = np.cos(angle), np.sin(angle)
    seen = seen @ np.array([(c, s), (-s, c)])
    seen += AROUND - seen.min(axis=0)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    lens = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    size = (seen.max(axis=0) + AROUND).astype(int).tolist()
    found = cv2.warpPerspective(
        np.asarray(page.picture.convert("L")), lens, size, flags=cv2.INTER_AREA, borderValue=GREY
    )
    blurred = Image.fromarray(found).filter(ImageFilter.GaussianBlur(camera.blur))
    light = np.linspace(1, 0.6, size[0])[None, :] * np.linspace(1, 0.8, size[1])[:, None]
    grain = np.random.default_rng(0).normal(0, 4, (size[1], size[0]))
    return Image.fromarray((np.asarray(blurred) * light + grain).clip(0, 255).astype(np.uint8))


def _prose(words: random.Random, least: int) -> str:
    said = words.choice(WORDS)
    while len(said) < least:
        said += f" {words.choice(WORDS)}"
    return said


def _page(
    width: int, placed: Sequence[tuple[int, int, str]], height: int, paper: str = "white"
) -> Page:
    bottom = max(top for _, top, _ in placed) + height * 3
    picture, font = Image.new("RGB", (width, bottom), paper), ImageFont.load_default(height)
    draw, ink = ImageDraw.Draw(picture), "black" if paper == "white" else "#d4d4d4"
    for left, top, text in placed:
        draw.text((left, top), text, ink, font)
    return Page(picture, [text for _, _, text in placed])
