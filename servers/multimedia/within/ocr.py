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
DETECTED_SIDE = 960
"""Pixels of the longest side in which lines are looked for: their number is what a page costs."""

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
    """The lines of a picture, or pieces of them, as they were found; in no order."""
    seen = picture.convert("RGB")
    seen.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    found = engine()(np.ascontiguousarray(np.asarray(seen)[:, :, ::-1]))
    lines, texts = getattr(found, "boxes", None), getattr(found, "txts", None)
    if lines is None or texts is None:
        return []
    return [_piece(corners, text) for corners, text in zip(lines, texts, strict=True)]


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
