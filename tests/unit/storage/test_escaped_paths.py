"""Paths in links and log lines: the short ones are escaped once, and long ones, which clients choose, are not kept."""

import pytest

from storage.web.rest import LONGEST_KEPT, escaped_path


@pytest.mark.parametrize(("length", "kept"), [(2, True), (LONGEST_KEPT, True), (LONGEST_KEPT + 1, False)])
def test_a_path_is_kept_unless_it_is_long(length: int, kept: bool) -> None:
    path = "/é" + "x" * (length - 2)
    first, again = escaped_path(path), escaped_path(path)
    assert first == again == "/%C3%A9" + "x" * (length - 2)
    assert (first is again) == kept
