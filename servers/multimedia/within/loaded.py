"""Imported by the zygote where text in pictures is read: every job has the models."""

from servers.multimedia.within import image, ocr, recording

__all__ = ["image", "recording"]

ocr.warm()
