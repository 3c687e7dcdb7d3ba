"""Text in pictures, by rapidocr on onnxruntime. It is loaded once, by the zygote, where text is
wanted at all: every job has it then."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from servers.multimedia.reading_order import paragraphs
from servers.multimedia.skew import Piece, straightened
from servers.multimedia.weights import DETECTOR, RECOGNIZER
from servers.runtime.weights import WeightsWrong, checked

if TYPE_CHECKING:
    from rapidocr import RapidOCR

SURE = 0.6
"""Least confidence of a line; rapidocr's own is 0.5, which lets noise through."""
LONGEST_SIDE = 2400
"""Pixels of a picture in which lines are read: 280 dots an inch of a letter."""
NOT_INSTALLED = "text in pictures is not read here: its models are not installed"
DETECTED_SIDE = 960
"""Pixels of the longest side in which lines are looked for: their number is what a page costs."""

SCREEN_SIDE = 1440
"""The same of a screen, which is wide and drawn: its text is smaller than that of pages."""
DRAWN = 0.6
"""Least share of pixels that are as light as the one beside them, in what no camera saw: it is 0.97
of screens, as JPEG too, 0.8 to 0.9 of drawn pages, and 0.1 to 0.4 of photographs of either."""
MARGIN = 32
"""Pixels of a screen that are kept around what is there."""
ON_ITS_SIDE = 1.5
"""Height of a piece, in widths, from which rapidocr reads it downward (`get_rotate_crop_image`)."""


@cache
def engine() -> "RapidOCR":
    """The engine with its models. WeightsWrong if they are not the ones that were tried."""
    import cv2
    import onnxruntime  # type: ignore[import-untyped]  # it has no types
    from rapidocr import RapidOCR

    onnxruntime.disable_telemetry_events()
    cv2.setNumThreads(1)
    found = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": SURE,
            "Global.max_side_len": LONGEST_SIDE,
            # It takes some upright lines for turned ones, and makes nonsense of them.
            "Global.use_cls": False,
            # A path, and nothing is downloaded.
            "Det.model_path": str(checked(DETECTOR)),
            "Rec.model_path": str(checked(RECOGNIZER)),
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTED_SIDE,
            # One line at a time: several share the width of the longest, which costs more.
            "Rec.rec_batch_num": 1,
            # Threads would not survive the fork of a job.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    found(np.full((64, 256, 3), 255, dtype=np.uint8))
    return found


def warm() -> None:
    """Loads the models, if they are there."""
    try:
        engine()
    except WeightsWrong:
        return  # `ListReaders` says why, and jobs leave the text out


def paragraphs_in(picture: Image.Image) -> list[str]:
    """What is written in a picture, in the order in which people read it."""
    return paragraphs(straightened(pieces_in(picture)))


def pieces_in(picture: Image.Image) -> list[Piece]:
    """The lines of a picture, or pieces of them, as they were found; in no order. Their places are
    those in a part of it, made smaller if it is large."""
    seen = picture.convert("RGB")
    seen.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    pixels = np.asarray(seen)[:, :, ::-1]
    screen, reader = _is_screen(pixels), engine()
    if reader.text_det is not None:
        reader.text_det.limit_side_len = SCREEN_SIDE if screen else DETECTED_SIDE
    found = reader(np.ascontiguousarray(_without_margins(pixels) if screen else pixels))
    lines, texts = getattr(found, "boxes", None), getattr(found, "txts", None)
    if lines is None or texts is None:
        return []
    return [_piece(corners, text) for corners, text in zip(lines, texts, strict=True)]


def _is_screen(pixels: NDArray[np.uint8]) -> bool:
    height, width, _ = pixels.shape
    return width > height and bool(np.mean(pixels[:, 1:, 1] == pixels[:, :-1, 1]) >= DRAWN)


def _without_margins(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Less of the plain colour around what is there: in so much of it small text is overlooked."""
    drawn = np.any(pixels != pixels[0, 0], axis=2)
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return pixels
    top, left = max(rows[0] - MARGIN, 0), max(columns[0] - MARGIN, 0)
    return pixels[top : rows[-1] + MARGIN, left : columns[-1] + MARGIN]


def _piece(corners: NDArray[np.float32], text: str) -> Piece:
    """Of corners as rapidocr gives them: from the upper left one of the picture, clockwise."""
    first, second, third, fourth = ((float(x), float(y)) for x, y in corners)
    piece = Piece((first, second, third, fourth), text)
    if piece.height < ON_ITS_SIDE * piece.length:
        return piece
    return Piece((second, third, fourth, first), text)


def looks(picture: Image.Image) -> str:
    """The same for pictures that look the same."""
    small = picture.convert("L").resize((32, 32))
    return hashlib.sha256(bytes(value >> 4 for value in small.tobytes())).hexdigest()
