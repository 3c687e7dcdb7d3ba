"""Only the one who started a turn is admitted unasked, and not for long."""

from servers.chat_hub.admitted import KEPT_SECONDS, Admitted
from servers.runtime.call import Principal

ADA = Principal("user_ada", "acme", frozenset())


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_is_known_to_its_user_alone() -> None:
    admitted = Admitted()
    admitted.add(ADA, "turn_1")
    assert admitted.has(ADA, "turn_1")
    assert not admitted.has(ADA, "turn_2")
    assert not admitted.has(Principal("user_bob", "acme", frozenset()), "turn_1")
    assert not admitted.has(Principal("user_ada", "other", frozenset()), "turn_1")


def test_after_a_while_it_is_asked_for_again() -> None:
    clock = Clock()
    admitted = Admitted(clock=clock)
    admitted.add(ADA, "turn_1")
    clock.now = KEPT_SECONDS
    assert not admitted.has(ADA, "turn_1")


def test_the_oldest_are_forgotten_first() -> None:
    admitted = Admitted(most=2)
    for number in (1, 2, 3):
        admitted.add(ADA, f"turn_{number}")
    assert [admitted.has(ADA, f"turn_{number}") for number in (1, 2, 3)] == [False, True, True]
