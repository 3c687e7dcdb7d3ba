"""Personal data is replaced, and what only looks like it is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.production_memory.vault.personal_data import passes_luhn, without_personal_data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail jo.doe+x@mail.example.co.uk.", "mail [email]."),
        ("jo@example.org, al@example.org", "[email], [email]"),
        ("write to <jo_1@sub-domain.example.museum>", "write to <[email]>"),
        ("müller@exämple.de", "[email]"),
        ("card 4111 1111 1111 1111 ok", "card [card] ok"),
        ("4111-1111-1111-1111", "[card]"),
        ("5555555555554444", "[card]"),
        ("amex 378282246310005", "amex [card]"),
        ("ssn 123-45-6789", "ssn [ssn]"),
        ("123 45 6789", "[ssn]"),
        ("SSN is 123456789", "SSN is [ssn]"),
        ("Ssn: 123456789, 123456780", "Ssn: [ssn], [ssn]"),
        ("my social security number is 123456789", "my social security number is [ssn]"),
        ("SSN 123.45.6789", "SSN [ssn]"),
        ("123\u201345\u20136789", "[ssn]"),
        ("tel 4155552671, 4155552672", "tel [phone], [phone]"),
        ("call +49 30 1234567", "call [phone]"),
        ("(415) 555-2671", "[phone]"),
        ("415-555-2671 or 415.555.2671", "[phone] or [phone]"),
        ("+1-202-555-0173", "[phone]"),
        ("call me at 0171 1234567", "call me at [phone]"),
        ("my phone is 030 1234567", "my phone is [phone]"),
        ("tel: 4155552671", "tel: [phone]"),
        ("+861391234 5678", "[phone]"),
    ],
)
def test_personal_data_becomes_a_placeholder(text: str, expected: str) -> None:
    assert without_personal_data(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "born on 1990-03-12",
        "12/03/1990 and 12.03.1990",
        "2026-11-25 14:30:00",
        "in 2021, 2022, 2023 and 2024",
        "from 1985-1990",
        "version 1.2.3 of 10.20.30.40",
        "192.168.100.200:8080",
        "order 4155552671",
        "order number is 2024-10-10",
        "invoice 1234567890123",
        "order 4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "ISBN 978-3-16-148410-0",
        "my number is 42",
        "3.14159265358979",
        "$1,000,000 or 1 000 000",
        "666-12-3456 and 000-12-3456 and 900-12-3456",
        "123-00-4567 and 123-45-0000",
        "room 12-345-678",
        "user@localhost",
        "@ada and #4242",
        "00:1B:44:11:3A:B7",
        "550e8400-e29b-41d4-a716-446655440000",
        "10 + 20 = 30",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert without_personal_data(text) == text


@pytest.mark.parametrize(
    ("digits", "valid"), [("4111111111111111", True), ("4111111111111112", False), ("0", True)]
)
def test_luhn_s_check(digits: str, valid: bool) -> None:
    assert passes_luhn(digits) is valid


@given(st.text(max_size=300))
def test_doing_it_again_changes_nothing(text: str) -> None:
    once = without_personal_data(text)
    assert without_personal_data(once) == once


@given(st.text("0123456789 -.()+abc@", max_size=80))
def test_digits_and_signs_are_no_trouble(text: str) -> None:
    once = without_personal_data(text)
    assert without_personal_data(once) == once
    assert not re.search(r"\b\w+@\w+\.[a-c]{2,}\b", once)
