"""Our search in Milvus Lite gives what its own gives, in every state of a collection."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from milvus_lite.db import MilvusLite
from milvus_lite.engine import collection as engine
from milvus_lite.schema.types import CollectionSchema, DataType, FieldSchema

from embedded import milvus_search
from embedded.milvus_search import Search

WIDTH = 16
OWN = engine.execute_search_with_index
MANY = 50_000_000

SCHEMA = CollectionSchema(
    [
        FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=64),
        FieldSchema("tenant", DataType.VARCHAR, is_partition_key=True, max_length=64),
        FieldSchema("at", DataType.INT64),
        FieldSchema("vector", DataType.FLOAT_VECTOR, dim=WIDTH),
    ]
)


class Both:
    """A collection, and a search of it in both ways."""

    def __init__(self, collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.collection = collection
        self._monkeypatch = monkeypatch
        self._chance = np.random.default_rng(4)
        self._ours = Search(self._refuse)
        self.refused = 0

    def _refuse(self, **given: Any) -> Any:
        self.refused += 1
        return OWN(**given)

    def vectors(self, count: int) -> Any:
        return self._chance.normal(size=(count, WIDTH)).astype(np.float32)

    def write(self, numbers: range) -> None:
        """Rows by number; writing one again gives it another vector."""
        rows = zip(numbers, self.vectors(len(numbers)), strict=True)
        self.collection.upsert(
            [
                {"id": f"{n}", "tenant": f"t{n % 3}", "at": n, "vector": vector.tolist()}
                for n, vector in rows
            ]
        )

    def flush(self) -> None:
        """What was written becomes a segment, with an index."""
        self.collection.flush()
        self.collection._wait_for_bg()

    def searched(self, search: Any, query: Any, **given: Any) -> list[Any]:
        self._monkeypatch.setattr(engine, "execute_search_with_index", search)
        given = {"top_k": 10, "output_fields": ["id", "at"], **given}
        (hits,) = self.collection.search([query.tolist()], search_params={"ef": 400}, **given)
        return list(hits)

    def agree(self, queries: int = 20, **given: Any) -> list[str]:
        """Compares some searches; the ids of the last."""
        for query in self.vectors(queries):
            own = self.searched(OWN, query, **given)
            ours = self.searched(self._ours, query, **given)
            assert {hit["id"]: hit["entity"] for hit in ours} == {h["id"]: h["entity"] for h in own}
            cosines = [hit["distance"] for hit in ours]
            assert cosines == sorted(cosines, reverse=True)
            assert cosines == pytest.approx([hit["distance"] for hit in own], abs=1e-5)
        return [hit["id"] for hit in own]


@pytest.fixture(params=[0, MANY], ids=["graph", "one by one"])
def both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Both]:
    """A collection in which few or all rows are compared one by one."""
    monkeypatch.setattr(milvus_search, "FEW", request.param)
    database = MilvusLite(str(tmp_path))
    collection = database.create_collection("messages", SCHEMA)
    spec = {"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16}}
    collection.create_index("vector", spec)
    collection.load()
    yield Both(collection, monkeypatch)
    database.close()


FILTERS = (
    None,
    'tenant == "t1"',
    'tenant in ["t0", "t2"] and at >= 20 and at < 90',
    "at < 0",
)


def agree_on_everything(both: Both) -> None:
    for filter_ in FILTERS:
        both.agree(expr=filter_)
    # Each compares all rows that there are.
    both.agree(queries=4, top_k=1000)


def test_an_empty_collection(both: Both) -> None:
    agree_on_everything(both)


def test_rows_that_are_in_no_segment_yet(both: Both) -> None:
    both.write(range(100))
    agree_on_everything(both)


def test_rows_in_segments_and_in_none(both: Both) -> None:
    for first in (0, 100, 200):
        both.write(range(first, first + 100))
        both.flush()
        agree_on_everything(both)
    both.write(range(300, 350))
    agree_on_everything(both)


def test_rows_that_were_written_again(both: Both) -> None:
    """In other segments, and in none yet."""
    both.write(range(200))
    both.flush()
    both.write(range(50, 150))
    agree_on_everything(both)
    both.flush()
    agree_on_everything(both)
    both.write(range(100, 120))
    agree_on_everything(both)


def test_rows_that_were_deleted(both: Both) -> None:
    """Before and after the deletion is written down, and written again after it."""
    both.write(range(200))
    both.flush()
    both.collection.delete([f"{n}" for n in range(0, 200, 2)])
    agree_on_everything(both)
    both.flush()
    agree_on_everything(both)
    both.write(range(0, 100, 4))
    agree_on_everything(both)
    both.flush()
    agree_on_everything(both)
    assert "2" not in both.agree(top_k=1000)
    assert "4" in both.agree(top_k=1000)


def test_segments_that_were_merged(both: Both) -> None:
    for first in range(0, 600, 50):
        both.write(range(first, first + 60))
        both.flush()
        agree_on_everything(both)


def test_nothing_of_this_was_left_to_the_other_one(both: Both) -> None:
    both.write(range(10))
    agree_on_everything(both)
    assert both.refused == 0


@pytest.mark.parametrize(
    "given",
    [{"output_fields": None}, {"output_fields": ["vector"]}, {"partition_names": ["_pk_1"]}],
)
def test_what_is_asked_otherwise_goes_to_milvus_lite_s_own(
    both: Both, given: dict[str, Any]
) -> None:
    both.write(range(10))
    both.agree(**given)
    assert both.refused
