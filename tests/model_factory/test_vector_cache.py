"""What was computed once is known by its text."""

import struct

from servers.model_factory.vector_cache import VectorCache

FLOAT32 = struct.unpack("f", struct.pack("f", 0.1))[0]


def test_a_vector_is_found_by_its_text_bit_for_bit() -> None:
    cache = VectorCache()
    cache.put("ships", [FLOAT32, -1.0])
    assert cache.get("ships") == [FLOAT32, -1.0]
    assert cache.get("boats") is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = VectorCache(most=2)
    cache.put("one", [1.0])
    cache.put("two", [2.0])
    assert cache.get("one") == [1.0]
    cache.put("three", [3.0])
    assert cache.get("two") is None
    assert cache.get("one") == [1.0]


def test_the_cache_hands_out_copies() -> None:
    cache = VectorCache()
    cache.put("ships", [1.0])
    found = cache.get("ships")
    assert found is not None
    found.append(2.0)
    assert cache.get("ships") == [1.0]
