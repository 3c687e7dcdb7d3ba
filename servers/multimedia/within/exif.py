"""What a picture says of itself, without where it was taken unless that is asked for."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from servers.multimedia.said import Value

LONGEST = 200
"""Characters of one word of it."""

# Named one by one: what is not here, such as makers' notes and XMP, may hold a place.
TOLD = {
    Base.Make: "make",
    Base.Model: "model",
    Base.LensModel: "lens",
    Base.DateTimeOriginal: "taken_at",
    Base.ExposureTime: "exposure_seconds",
    Base.FNumber: "f_number",
    Base.ISOSpeedRatings: "iso",
    Base.FocalLength: "focal_length_mm",
    Base.Software: "software",
    Base.Artist: "artist",
    Base.Copyright: "copyright",
    Base.ImageDescription: "description",
}


def facts_of(picture: Image.Image, *, location: bool) -> dict[str, Value]:
    """`camera`, `taken_at` and `exif`, where there are any; `location` if asked for."""
    exif = picture.getexif()
    tags = {**exif, **exif.get_ifd(IFD.Exif)}
    told = {name: v for tag, name in TOLD.items() if (v := _value(tags.get(tag))) is not None}
    facts: dict[str, Value] = {}
    camera = " ".join(str(told[name]) for name in ("make", "model") if name in told)
    if camera:
        facts["camera"] = camera
    if taken := told.pop("taken_at", None):
        facts["taken_at"] = _time(str(taken))
    if told:
        facts["exif"] = told
    if location and (place := _place(exif.get_ifd(IFD.GPSInfo))):
        facts["location"] = place
    return facts


def clean(text: str) -> str:
    """A text of a file as one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]


def _value(value: Any) -> str | float | None:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, tuple) and value:
        value = value[0]
    return _number(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return round(number, 6) if isfinite(number) else None


def _time(text: str) -> str:
    """`2026:11:28 10:00:00` as `2026-11-28T10:00:00`; anything else as it is."""
    day, _, time = text.partition(" ")
    parts = day.split(":")
    return f"{'-'.join(parts)}T{time}" if len(parts) == 3 and time else text


def _place(gps: Mapping[int, Any]) -> dict[str, float]:
    latitude = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef) == "S")
    longitude = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef) == "W")
    if latitude is None or longitude is None:
        return {}
    return {"latitude": latitude, "longitude": longitude}


def _degrees(value: Any, negative: bool) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    numbers = [number for each in value if (number := _number(each)) is not None]
    if len(numbers) != 3:
        return None
    degrees = numbers[0] + numbers[1] / 60 + numbers[2] / 3600
    return round(-degrees if negative else degrees, 6)
