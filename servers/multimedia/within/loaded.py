"""Imported by the zygote: what every job has without loading it."""

from servers.multimedia.within import image, ocr, recording

__all__ = ["image", "recording"]

ocr.warm()
