"""Who follows whom in the benches."""

from pathlib import Path

import pytest

from bench.graphs import friendships, power_law
from deploy.errors import CannotStart


def test_friends_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "edges"
    path.write_text("# a comment\n0 1\n0 2\n2 2\n")
    found = friendships(path)
    assert found.people == 3
    assert sorted(found.pairs) == [(0, 1), (0, 2), (1, 0), (2, 0)]
    assert [sorted(each) for each in found.followees()] == [[1, 2], [0], [0]]
    assert found.most_followed() == 2


@pytest.mark.parametrize("text", ["", "one two\n", "0\n", "0 0\n"])
def test_a_file_that_is_no_edge_list_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edges"
    path.write_text(text)
    with pytest.raises(CannotStart, match="GRAPH="):
        friendships(path)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be read"):
        friendships(tmp_path / "nowhere")


def test_in_a_power_law_few_are_followed_by_many() -> None:
    found = power_law(500)
    assert found.people == 500
    assert found == power_law(500)
    assert found.most_followed() > 50
    assert sum(map(len, found.followees())) == len(found.pairs)
