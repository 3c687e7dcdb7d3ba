"""Tests, in the shape of the code: `tests/<name>/` mirrors `servers/<name>/`."""
