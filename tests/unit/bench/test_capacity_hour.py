"""The simulated peak hour, and the page that shows the model."""

import re
from itertools import pairwise

import pytest
from msgspec import structs

from bench import capacity
from bench.model import demand, fanout, peak_hour
from bench.model.costs import committed
from bench.model.peak_hour import EVENT_AT, HOUR, SMALL, Hour, simulate
from bench.model.site import DESIGN
from bench.model.tables import table, tables
from bench.results import percentile

COSTS = committed()
SCALE = 2_000
"""So that a simulation takes a tenth of a second."""


def hour(*, workers: float | None = None, seed: int = 1) -> Hour:
    needed = demand.machines(DESIGN, COSTS).workers
    return simulate(DESIGN, COSTS, workers=needed if workers is None else workers, scale=SCALE, seed=seed)


class TestTheHour:
    def test_what_arrived_is_done_or_unfinished(self) -> None:
        for each in (hour(), hour(workers=SCALE), hour(workers=20 * SCALE)):
            assert each.arrived == len(each.done) + each.unfinished
            assert each.arrived > 20_000

    def test_with_too_few_workers_much_is_left(self) -> None:
        slow = structs.replace(COSTS, post_worker=1.0)
        overloaded = simulate(DESIGN, slow, workers=2 * SCALE, scale=SCALE)
        assert overloaded.unfinished > overloaded.arrived / 2
        assert overloaded.busy > 0.95
        assert overloaded.queues[-1][1] == pytest.approx(overloaded.unfinished, rel=0.01)

    def test_the_same_seed_gives_the_same_hour_and_another_one_another(self) -> None:
        assert hour() == hour()
        assert hour().done != hour(seed=2).done

    def test_orders_arrive_at_the_rate_of_the_time(self) -> None:
        found = hour()
        expected = sum(peak_hour.rate(DESIGN, second) for second in range(int(HOUR))) / SCALE
        assert found.arrived == pytest.approx(expected, rel=0.02)
        before, event = (
            sum(begin <= each.arrived < begin + 60 for each in found.done) for begin in (EVENT_AT - 60, EVENT_AT)
        )
        assert event == pytest.approx(2 * before, rel=0.2)

    def test_the_rate_swells_to_the_peak_and_ebbs(self) -> None:
        assert peak_hour.rate(DESIGN, HOUR / 2) == pytest.approx(DESIGN.tweets_a_second)
        assert peak_hour.rate(DESIGN, 0) == pytest.approx(DESIGN.tweets_a_second * 2 / 3)
        assert peak_hour.rate(DESIGN, EVENT_AT) > DESIGN.tweets_a_second

    def test_workers_are_as_busy_as_the_orders_are_long(self) -> None:
        found = hour()
        seconds = sum(fanout.work(DESIGN, COSTS, each.followers).worker_seconds for each in found.done)
        assert found.busy == pytest.approx(seconds / HOUR / found.workers, rel=0.01)

    def test_nobody_is_faster_than_the_work_takes(self) -> None:
        for each in hour().done:
            work = fanout.work(DESIGN, COSTS, each.followers)
            assert each.lag >= work.task_seconds + work.tasks_a_part * work.part_task_seconds - 1e-6

    def test_small_orders_do_not_wait_for_the_whole_of_large_ones(self) -> None:
        """A crowd of large orders: a small one waits for a task at most, as half of the workers takes it first."""
        site = structs.replace(DESIGN, tweets=DESIGN.tweets / 100)
        large = fanout.work(site, COSTS, 400_000)
        arrivals = [(0.0, 400_000.0)] * 10 + [(0.1, 10.0)]
        found = peak_hour._Simulation(site, COSTS, 2, 1).run(iter(arrivals))
        [small] = found.lags(0, SMALL)
        assert small < 2 * large.part_task_seconds + 10 * large.task_seconds
        assert min(found.lags(SMALL, 1e9)) > large.worker_seconds / 2

    def test_large_orders_do_not_wait_for_small_ones_for_ever(self) -> None:
        """More small orders than both workers can do: the one that takes bulk first goes on with it."""
        arrivals = sorted([(0.0, 400_000.0)] + [(number / 1_000, 10.0) for number in range(20_000)])
        found = peak_hour._Simulation(DESIGN, COSTS, 2, 1).run(iter(arrivals))
        [large] = found.lags(SMALL, 1e9)
        assert large < 2 * fanout.work(DESIGN, COSTS, 400_000).worker_seconds < 20

    def test_queues_are_looked_at_each_second_of_the_hour(self) -> None:
        seconds = [second for second, _, _ in hour().queues]
        assert all(later - earlier == 1 for earlier, later in pairwise(seconds))
        assert len(seconds) >= HOUR - 1


class TestThePage:
    def test_its_tables_are_what_the_program_prints(self) -> None:
        """`python -m bench.capacity --write` writes them anew."""
        text = capacity.DOCUMENT.read_text()
        found = tables(DESIGN, COSTS, capacity.simulated(DESIGN, COSTS))
        shown = re.findall(r"<!-- table: (\w+) -->", text)
        assert sorted(shown) == sorted(found)
        assert capacity.filled(text, found) == text

    def test_its_plots_are_those_that_are_drawn(self) -> None:
        small = hour()
        names = {f"{graph.name}.svg" for graph in capacity.graphs(DESIGN, COSTS, small)}
        assert {path.name for path in capacity.PLOTS.glob("*.svg")} == names
        assert {*re.findall(r"\]\(capacity/(\w+\.svg)\)", capacity.DOCUMENT.read_text())} == names

    def test_every_table_has_as_many_cells_in_every_line(self) -> None:
        for name, text in tables(DESIGN, COSTS, hour()).items():
            assert len({line.count("|") for line in text.splitlines()}) == 1, name

    def test_a_place_is_filled_and_nothing_else_changes(self) -> None:
        text = "before\n<!-- table: one -->\nold\n<!-- end -->\nafter"
        assert capacity.filled(text, {"one": table(("a",), [("b",)])}) == (
            "before\n<!-- table: one -->\n| a |\n| --- |\n| b |\n<!-- end -->\nafter"
        )
        with pytest.raises(KeyError):
            capacity.filled(text, {})

    def test_lags_are_in_order_and_percentiles_of_them_are_shown(self) -> None:
        lags = hour().lags(0, SMALL)
        assert lags == sorted(lags)
        assert 0 < percentile(lags, 50) <= percentile(lags, 99)
