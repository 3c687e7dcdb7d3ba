"""Imported by the zygote where text in pictures is read: every job has the models."""

from servers.multimedia.within import image, ocr, pages, recording

__all__ = ["image", "pages", "recording"]

ocr.warm()
