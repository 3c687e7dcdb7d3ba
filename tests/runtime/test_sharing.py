"""Shares of a room: pure, so no event loop."""

from hypothesis import given
from hypothesis import strategies as st

from servers.runtime.sharing import water_level


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(0, 5000))
def test_shares_fill_the_room_and_no_more(sizes: list[int], room: int) -> None:
    """What fits is given whole; of what does not, one more would be too much."""
    level = water_level(sizes, room)
    used = sum(min(size, level) for size in sizes)
    assert used <= room
    if sum(sizes) <= room:
        assert used == sum(sizes)
    else:
        assert sum(min(size, level + 1) for size in sizes) > room
