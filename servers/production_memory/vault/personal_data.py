"""Personal data is replaced by placeholders before anything is stored: e-mail addresses, payment
cards, US social-security numbers and phone numbers. Pure.

Phone numbers are found by `phonenumbers`, the Python port of Google's libphonenumber. What is
written without a country code is taken for a number of the United States, or for one of anywhere if
a word such as "phone" stands before it; digits without any separator need that word, for order
numbers look the same.
"""

import re
from collections.abc import Callable

from phonenumbers import Leniency, PhoneNumberMatcher

HOME_REGION = "US"

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}",
)

_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])(?!\.\d)")

_HYPHENS = "-\u2010\u2011\u2012\u2013"
"""What word processors and telephones make of a hyphen."""
_SSN = re.compile(
    rf"(?<![{_HYPHENS}\w])(?!000|666|9\d\d)\d{{3}}([{_HYPHENS} ])(?!00)\d{{2}}\1(?!0000)\d{{4}}"
    rf"(?![{_HYPHENS}\w])"
)
"""Area 000, 666 and from 900 on, group 00 and serial 0000 are never given out (Social Security
Administration)."""
_CUED_SSN = re.compile(
    r"(?P<cue>\b(?:ssn|social[ -]security(?: number| no\.?)?)\b[^\d\n]{0,20})"
    rf"\d{{3}}[{_HYPHENS} .]?\d{{2}}[{_HYPHENS} .]?\d{{4}}\b",
    re.IGNORECASE,
)
"""Without separators, or with full stops, it is one only after the word."""

_CUED_PHONE = re.compile(
    r"(?P<cue>\b(?:phone|telephone|tel|mobile|cell|fax|whatsapp|call me (?:at|on)|text me (?:at|on)"
    r"|(?:phone |mobile |cell )?number is)\b[^\d+\n]{0,20})(?P<number>\+?\(?\d[\d ()/.-]{5,20}\d)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d\d")
_LEAST_PHONE_DIGITS, _MOST_PHONE_DIGITS = 7, 15
"""E.164 allows 15; numbers of fewer than 7 are extensions."""


def without_personal_data(text: str) -> str:
    """The text with `[email]`, `[card]`, `[ssn]` and `[phone]` in the places of what it replaces.
    Doing it again changes nothing."""
    text = _EMAIL.sub("[email]", text)
    text = _CARD.sub(_card, text)
    text = _every(_CUED_SSN, r"\g<cue>[ssn]", _SSN.sub("[ssn]", text))
    return _without_phones(_every(_CUED_PHONE, _cued_phone, text))


def passes_luhn(digits: str) -> bool:
    """Whether the last digit checks the others as on payment cards (ISO/IEC 7812-1, Luhn's)."""
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _every(
    cued: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], text: str
) -> str:
    """With all numbers replaced that follow one cue: one of them is found at a time."""
    while (replaced := cued.sub(replacement, text)) != text:
        text = replaced
    return text


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    return "[card]" if passes_luhn(digits) and len(set(digits)) > 1 else found[0]


def _cued_phone(found: re.Match[str]) -> str:
    number = found["number"]
    digits = len(re.sub(r"\D", "", number))
    if _DATE.fullmatch(number) or not _LEAST_PHONE_DIGITS <= digits <= _MOST_PHONE_DIGITS:
        return found[0]
    return f"{found['cue']}[phone]"


def _without_phones(text: str) -> str:
    """Numbers with a country code only have to be possible ones; others have to be given out."""
    parts, end = list[str](), 0
    spans = _phones(text, None, Leniency.POSSIBLE) + _phones(text, HOME_REGION, Leniency.VALID)
    for start, stop in sorted(spans):
        if start >= end:
            parts += (text[end:start], "[phone]")
            end = stop
    return "".join([*parts, text[end:]])


def _phones(text: str, region: str | None, leniency: int) -> list[tuple[int, int]]:
    return [
        (match.start, match.end)
        for match in PhoneNumberMatcher(text, region, leniency=leniency)
        if not match.raw_string.isdigit() and not _DATE.search(match.raw_string)
    ]
