"""`--shuffled SEED`."""

from types import SimpleNamespace
from typing import cast

import pytest

from tests.order import shuffled


def item(nodeid: str, server: str | None = None) -> pytest.Item:
    parameters = {} if server is None else {"server": server}
    return cast(pytest.Item, SimpleNamespace(nodeid=nodeid, callspec=SimpleNamespace(params=parameters)))


ITEMS = [item(f"tests/{file}.py::{number}") for file in "abcde" for number in range(5)]


def test_a_seed_means_one_order_of_the_same_tests() -> None:
    once, again, other = (shuffled(ITEMS, seed) for seed in (1, 1, 2))
    assert once == again
    assert other not in (once, ITEMS)
    assert {id(each) for each in once} == {id(each) for each in ITEMS}


def test_files_stay_together() -> None:
    files = [each.nodeid.split("::")[0] for each in shuffled(ITEMS, 3)]
    assert len([file for file, before in zip(files, ["", *files], strict=False) if file != before]) == 5


def test_a_product_is_started_once_for_each_store() -> None:
    shared = [item(f"tests/{file}.py::{store}", store) for file in "abc" for store in ("embedded", "cassandra")]
    stores = [cast(SimpleNamespace, each).callspec.params["server"] for each in shuffled(shared, 4)]
    assert stores in (["embedded"] * 3 + ["cassandra"] * 3, ["cassandra"] * 3 + ["embedded"] * 3)
