"""What was computed of a short text is not computed again."""

from servers.runtime.remembering import MOST_CHARACTERS, remembered


def test_short_texts_are_computed_once_and_long_ones_each_time() -> None:
    computed: list[str] = []

    @remembered
    def length(text: str, factor: int = 1) -> int:
        computed.append(text)
        return len(text) * factor

    long = "x" * (MOST_CHARACTERS + 1)
    assert [length("ab"), length("ab"), length("ab", 2)] == [2, 2, 4]
    assert length(long) == length(long)
    assert computed == ["ab", "ab", long, long]
