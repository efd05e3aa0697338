"""Preludes of Lua scripts: a script is joined with what it needs of them, and with nothing else."""

from pathlib import Path

from storage.redis.node import Script
from storage.redis.preludes import joined

PRELUDE = """-- What this is.

local FIRST, SECOND = 1, 2

local function used() return FIRST end

-- Says more.
local function through(a)
    local inner = used()
    return a + inner
end

local function unused() return through(3) end
"""


def test_a_script_that_needs_nothing_stays_as_it_is() -> None:
    assert joined(PRELUDE, "return 1\n") == "return 1\n"


def test_what_a_script_names_comes_with_what_that_names_in_the_order_of_the_prelude() -> None:
    source = joined(PRELUDE, "return through(1)\n")
    places = [source.index(each) for each in ("local FIRST", "function used", "-- Says more", "return through(1)")]
    assert places == sorted(places)
    assert "unused" not in source
    assert "What this is" not in source


def test_one_name_of_several_and_whole_names_only() -> None:
    assert joined(PRELUDE, "return SECOND\n").startswith("local FIRST, SECOND = 1, 2\n")
    assert joined(PRELUDE, "return used_up, SECONDS, inner\n") == "return used_up, SECONDS, inner\n"


def test_a_prelude_may_need_an_earlier_one_and_the_whole_source_is_hashed(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("script.lua", "layout.lua", "more.lua")]
    for path, source in zip(
        paths, ["return more()\n", PRELUDE, "local function more() return used() end\n"], strict=True
    ):
        path.write_text(source)
    script = Script(paths[0], paths[1], paths[2])
    assert script.source.split("\n\n") == [
        "local FIRST, SECOND = 1, 2",
        "local function used() return FIRST end",
        "local function more() return used() end",
        "return more()\n",
    ]
    paths[1].write_text(PRELUDE.replace("FIRST end", "SECOND end"))
    assert Script(*paths).sha != script.sha
