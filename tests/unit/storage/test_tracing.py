"""Units, spans, and in which trace they end."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings
from pytest_django.fixtures import Settings

from storage import spans as spans_module
from storage import tracing
from storage.spans import Finished, Kind, ids_of, is_sampled, link_of, trace_of
from tests.ids import new_id


@pytest.fixture
def ended(settings: Settings) -> Iterator[list[Finished]]:
    """Every span that would be exported."""
    settings.TRACES_ENDPOINT, settings.TRACES_RATIO = "http://127.0.0.1:1", 1.0
    spans: list[Finished] = []
    with patch.object(tracing, "_sinks", [spans.extend]):
        yield spans


def kept_and_not(ratio: float) -> tuple[int, int]:
    """An order whose trace is sampled, and one whose trace is not."""
    ids = [new_id() for _ in range(100)]
    with override_settings(TRACES_RATIO=ratio):
        kept = [each for each in ids if is_sampled(ids_of(each)[0])]
    return kept[0], next(each for each in ids if each not in kept)


def test_an_order_s_trace_follows_from_its_id_and_nothing_else() -> None:
    """The figures are those of every release that runs beside this one."""
    assert ids_of(90) == (0xA4B631F7AB2B90B0AF1DE1CA4930733B, 0xE7F4436FD669637C)
    assert len({trace_of(each) for each in range(1_000)}) == 1_000
    assert trace_of(90) == "a4b631f7ab2b90b0af1de1ca4930733b"


def test_a_request_has_the_trace_of_the_order_that_it_sends_with_all_that_came_before(ended: list[Finished]) -> None:
    order = new_id()
    with tracing.unit("POST", Kind.SERVER, may_adopt=True) as unit:
        before = unit.trace_id
        with tracing.span("token"):
            pass
        tracing.adopt(order)
        with tracing.span("cache"):
            pass
    trace_id, root_id = ids_of(order)
    root, token, cache = ended
    assert {span.trace_id for span in ended} == {trace_id}
    assert (root.name, root.span_id, root.parent_id) == ("POST", root_id, None)
    assert (token.parent_id, cache.parent_id) == (root_id, root_id)
    assert root.attributes["feed.trace_before"] == f"{before:032x}"


def test_whoever_works_on_an_order_is_below_the_request_that_sent_it(ended: list[Finished]) -> None:
    order = new_id()
    with tracing.work_of(order, "first", Kind.CONSUMER, {}), tracing.span("inner"):
        pass
    with tracing.work_of(order, "again", Kind.CONSUMER, {}):
        pass
    first, inner, again = ended
    assert {span.trace_id for span in ended} == {ids_of(order)[0]}
    assert first.parent_id == again.parent_id == ids_of(order)[1]
    assert inner.parent_id == first.span_id
    assert len({first.span_id, again.span_id, ids_of(order)[1]}) == 3


def test_what_was_done_together_is_a_span_of_each_order_which_leads_to_the_work(ended: list[Finished]) -> None:
    orders = [new_id(), new_id()]
    with tracing.unit("orders.work", Kind.CONSUMER) as work:
        for order in orders:
            tracing.record_order(order, "order.work", Kind.CONSUMER, {}, began_ns=7, failure="Unavailable")
    first, second, _ = ended
    assert [span.trace_id for span in (first, second)] == [ids_of(order)[0] for order in orders]
    assert [span.parent_id for span in (first, second)] == [ids_of(order)[1] for order in orders]
    assert first.links == second.links == ((work.trace_id, work.root.span_id),)
    assert (first.started_ns, first.failure, first.attributes["feed.order"]) == (7, "Unavailable", str(orders[0]))


def test_work_within_work_on_the_same_order_is_a_span_of_it_and_on_another_is_not(ended: list[Finished]) -> None:
    order, other = new_id(), new_id()
    with tracing.work_of(order, "work", Kind.CONSUMER, {}):
        with tracing.work_of(order, "send part", Kind.PRODUCER, {}):
            pass
        with tracing.work_of(other, "send", Kind.PRODUCER, {}):
            pass
    other_send, work, part = ended
    assert part.parent_id == work.span_id
    assert (other_send.trace_id, other_send.parent_id) == ids_of(other)


def test_each_further_order_of_a_request_has_a_root_of_its_own_that_points_to_it(ended: list[Finished]) -> None:
    one, two = new_id(), new_id()
    with tracing.unit("POST", may_adopt=True):
        for each in (one, two, one):
            tracing.adopt(each)
    first, second = ended
    assert ((first.trace_id, first.span_id), first.links) == (ids_of(one), ())
    assert ((second.trace_id, second.span_id), second.links) == (ids_of(two), (ids_of(one),))


def test_an_order_that_another_one_s_work_sends_has_a_root_which_points_there(ended: list[Finished]) -> None:
    order, further = new_id(), new_id()
    with tracing.work_of(order, "work", Kind.CONSUMER, {}):
        tracing.adopt(order)
        tracing.adopt(further)
    work, root = ended
    assert work.trace_id == ids_of(order)[0]
    assert ((root.trace_id, root.span_id), root.parent_id) == (ids_of(further), None)
    assert root.links == ((work.trace_id, work.span_id),)


def test_whether_it_is_kept_follows_from_the_order_and_what_is_not_is_not_recorded(
    ended: list[Finished], settings: Settings
) -> None:
    settings.TRACES_RATIO = 0.5
    kept, dropped = kept_and_not(0.5)
    for order in (kept, dropped):
        with tracing.unit("POST", may_adopt=True), tracing.span("token"):
            tracing.adopt(order)
        with tracing.work_of(order, "work", Kind.CONSUMER, {}), tracing.span("inner"):
            assert tracing.is_recording() is (order == kept)
    assert [span.name for span in ended] == ["POST", "token", "work", "inner"]
    assert {span.trace_id for span in ended} == {ids_of(kept)[0]}

    ended.clear()
    with tracing.unit("POST", may_adopt=True):
        tracing.adopt(dropped)
        tracing.adopt(kept)
    assert [(span.trace_id, span.span_id) for span in ended] == [ids_of(kept)], "of two, the one that is kept"


def test_as_many_are_kept_as_the_ratio_says(settings: Settings) -> None:
    traces = [ids_of(new_id())[0] for _ in range(4_000)]
    for ratio, least, most in ((0.0, 0, 0), (0.1, 300, 500), (1.0, 4_000, 4_000)):
        settings.TRACES_RATIO = ratio
        assert least <= sum(map(is_sampled, traces)) <= most


def test_an_error_is_told_by_its_type_and_not_in_its_words(ended: list[Finished]) -> None:
    with pytest.raises(ValueError, match="canary"), tracing.unit("POST"), tracing.span("write"):
        raise ValueError("canary")
    assert [span.failure for span in ended] == ["ValueError", "ValueError"]
    assert "canary" not in repr(ended)


def test_nothing_is_recorded_behind_the_end_and_no_line_is_given_to_it(ended: list[Finished]) -> None:
    with tracing.unit("live"):
        outlives = copy_context()
        assert outlives.run(tracing.log_fields, None, "", {}).keys() == {"trace_id", "span_id"}

    def late() -> None:
        assert not tracing.is_recording()
        with tracing.span("late"):
            pass

    outlives.run(late)
    assert [span.name for span in ended] == ["live"]
    assert outlives.run(tracing.log_fields, None, "", {}) == {}


def test_a_unit_holds_so_many_spans_and_says_how_many_it_has_left_out(ended: list[Finished]) -> None:
    with patch.object(spans_module, "MOST_SPANS", 3), tracing.unit("job"):
        for _ in range(5):
            with tracing.span("read"):
                pass
    assert [span.name for span in ended] == ["job", "read", "read", "read"]
    assert ended[0].attributes == {"feed.spans_left_out": 2}


def test_lines_have_the_trace_of_the_order_as_soon_as_there_is_one(ended: list[Finished]) -> None:
    order = new_id()
    assert tracing.log_fields(None, "", {}) == {}
    with tracing.unit("POST", may_adopt=True):
        tracing.adopt(order)
        line = tracing.log_fields(None, "", {"event": "request"})
    trace_id, root_id = ids_of(order)
    assert line == {"event": "request", "trace_id": f"{trace_id:032x}", "span_id": f"{root_id:016x}"}


def test_decorated_functions_and_coroutines_are_spans_with_what_describes_them(ended: list[Finished]) -> None:
    def described(number: int) -> dict[str, Any]:
        return {"number": number}

    order = new_id()

    @tracing.traced("plain", Kind.CLIENT, described)
    def plain(number: int) -> int:
        return number + 1

    @tracing.order_work("awaited", lambda number: order, describe=described)
    async def awaited(number: int) -> int:
        return await asyncio.to_thread(plain, number)

    assert plain(1) == 2
    assert ended == [], "without a unit there is no span"
    assert asyncio.run(awaited(3)) == 4
    unit, span = ended
    assert (unit.name, unit.attributes) == ("awaited", {"feed.order": str(order), "number": 3})
    assert (span.name, span.attributes, span.parent_id) == ("plain", {"number": 3}, unit.span_id)


def test_what_is_not_recorded_is_not_described(ended: list[Finished], settings: Settings) -> None:
    asked: list[int] = []

    def described(number: int) -> dict[str, Any]:
        asked.append(number)
        return {}

    @tracing.traced("plain", describe=described)
    def plain(number: int) -> int:
        return number

    settings.TRACES_RATIO = 0.0
    with tracing.unit("GET"):
        assert [plain(1), plain(2)] == [1, 2]
    assert (asked, ended) == ([], [])
    settings.TRACES_RATIO = 1.0
    with tracing.unit("GET"):
        plain(3)
    assert asked == [3]


def test_a_thread_without_the_context_records_nothing(ended: list[Finished]) -> None:
    @tracing.traced("elsewhere")
    def elsewhere() -> None:
        """Does nothing."""

    with tracing.unit("POST"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert [span.name for span in ended] == ["POST"]


def test_while_it_is_off_a_decorated_function_is_itself(settings: Settings) -> None:
    settings.TRACES_ENDPOINT = ""

    def function() -> None:
        """Does nothing."""

    some = tracing.traced("x"), tracing.begins("x"), tracing.order_work("x", lambda: 1), tracing.adopts(lambda: 1)
    for decorate in some:
        assert decorate(function) is function


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
def test_what_is_no_traceparent_is_left_alone(sent: str) -> None:
    assert link_of(sent) is None


def test_a_traceparent_is_a_link() -> None:
    link = link_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert link == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)


def test_a_sink_that_raises_costs_nobody_what_was_done_and_is_given_no_more(ended: list[Finished]) -> None:
    given: list[int] = []

    def broken(spans: Sequence[Finished]) -> None:
        given.append(len(spans))
        raise ValueError("no such size")

    with patch.object(tracing, "_sinks", [broken, ended.extend]):
        for _ in range(2):
            with tracing.unit("POST", Kind.SERVER):
                pass
    assert (given, len(ended)) == ([1], 2)
