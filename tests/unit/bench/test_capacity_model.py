"""The arithmetic of the capacity model, and that it speaks of the code as it is."""

import random
from pathlib import Path

import pytest
from django.conf import settings
from msgspec import structs

from accounts.sessions import authentication
from bench.model import activity, code, demand, fanout, followers, limits, network, partitions, sensitivity
from bench.model.costs import SOURCES, Costs, committed, from_results
from bench.model.followers import Followers
from bench.model.site import DESIGN
from bench.results import Figure, Result, Row, save
from config import environment
from fanout.delivery import fan_out, pushing
from fanout.timelines import materialised, tweet_cache
from storage.ids import snowflakes
from storage.ports import associations, outbox
from storage.redis import lasting_cache
from tweets.caches import counts

COSTS = committed()
ZIPF = DESIGN.followers


def test_numbers_of_the_code_are_those_of_the_code() -> None:
    assert (code.PAGE, code.PAGES_A_TASK) == (fan_out.PAGE, fan_out.PAGES_A_TASK)
    assert (code.IN_ONE_TRIP, code.PUSHED_AT_ONCE) == (pushing.IN_ONE_TRIP, pushing.PUSHED_AT_ONCE)
    assert code.SCRIPT_CHUNK == materialised.SCRIPT_CHUNK
    schedule = settings.CELERY_BEAT_SCHEDULE
    assert schedule["discard"]["schedule"] == code.DISCARD_SECONDS
    assert (code.EDGES_PER_BUCKET, code.MAX_LEVEL) == (associations.EDGES_PER_BUCKET, associations.MAX_LEVEL)
    assert (code.OUTBOX_SHARDS, code.OUTBOX_GRACE_SECONDS * 1e6) == (outbox.SHARDS, outbox.GRACE_US)
    assert code.MOST_SHARDS == environment.MOST_SHARDS
    assert code.WORKERS == snowflakes.WORKERS
    assert code.RENEWED_SECONDS == lasting_cache.RENEWED_SECONDS
    assert (code.TWEET_CACHE_SECONDS, code.COUNTS_SECONDS) == (tweet_cache.TTL_SECONDS, counts.TTL_SECONDS)
    assert authentication.SIGNED_IN.quota == code.REQUESTS_A_MINUTE
    assert (DESIGN.active_days, DESIGN.timeline_cap) == (settings.ACTIVE_DAYS, settings.TIMELINE_CAP)
    assert DESIGN.push_max_followers == settings.PUSH_MAX_FOLLOWERS


class TestFollowers:
    def test_the_mean_is_that_of_the_design_point(self) -> None:
        """500 million tweets of 60 deliveries each are the 30 billion a day."""
        pushed = ZIPF.mean(up_to=DESIGN.push_max_followers) * DESIGN.active_share
        assert pushed == pytest.approx(60, rel=1e-6)
        assert pushed * DESIGN.tweets == pytest.approx(30e9, rel=1e-6)

    def test_the_tail_is_a_power_and_ends_at_the_cut(self) -> None:
        assert ZIPF.share_above(0) == 1
        assert ZIPF.share_above(DESIGN.people) == 0
        assert ZIPF.share_above(1_000) / ZIPF.share_above(10_000) == pytest.approx(10, rel=1e-3)
        assert ZIPF.share_above(DESIGN.people / 2) > 0

    def test_with_exponent_two_every_power_of_ten_brings_the_same_deliveries(self) -> None:
        thousands, tenthousands = ZIPF.mean(above=1e3, up_to=1e4), ZIPF.mean(above=1e4, up_to=1e5)
        assert thousands == pytest.approx(tenthousands)

    @pytest.mark.parametrize("exponent", [1.5, 2.0, 2.276, 3.0])
    def test_drawn_authors_are_spread_as_the_formulas_say(self, exponent: float) -> None:
        spread = Followers(10, 100_000, exponent)
        dice = random.Random(1)
        drawn = [spread.draw(dice) for _ in range(50_000)]
        assert sum(drawn) / len(drawn) == pytest.approx(spread.mean(), rel=0.1)
        assert sum(each > 100 for each in drawn) / len(drawn) == pytest.approx(spread.share_above(100), rel=0.1)
        assert sorted(drawn)[25_000] == pytest.approx(spread.quantile(0.5), rel=0.05)
        assert 10 <= min(drawn) <= max(drawn) <= 100_000

    def test_bands_are_the_whole_and_have_the_mean(self) -> None:
        bands = fanout.bands(DESIGN)
        assert sum(share for share, _ in bands) == pytest.approx(1)
        assert sum(share * size for share, size in bands) == pytest.approx(ZIPF.mean(), rel=1e-6)

    @pytest.mark.parametrize("exponent", [1.75, 2.0, 2.25])
    def test_fitting_finds_the_mean_for_any_exponent(self, exponent: float) -> None:
        fitted = followers.fitted(mean_up_to=300, limit=5e5, largest=1e8, exponent=exponent)
        assert fitted.mean(up_to=5e5) == pytest.approx(300, rel=1e-6)


class TestActivity:
    def test_the_shares_are_those_it_was_fitted_to(self) -> None:
        often = DESIGN.activity
        assert often.share(1) == pytest.approx(0.1)
        assert often.share(30) == pytest.approx(0.2)
        assert often.share(0) == 0

    def test_as_many_come_back_as_leave(self) -> None:
        """The rate of returns after d days is the slope of the share that is active within d."""
        often, step = activity.fitted((1, 0.1), (30, 0.2)), 1e-4
        for days in (1.0, 7.0, 30.0):
            slope = (often.share(days + step) - often.share(days - step)) / (2 * step)
            assert often.returns_a_day(days) == pytest.approx(slope, rel=1e-4)
        assert often.returns_a_day(0) == often.visits_a_day

    def test_simulated_people_are_as_active_as_the_formulas_say(self) -> None:
        often, dice = activity.fitted((1, 0.3), (30, 0.6)), random.Random(1)
        rates = [dice.gammavariate(often.shape, 1 / often.scale_days) for _ in range(20_000)]
        since = [dice.expovariate(rate) if rate > 0 else float("inf") for rate in rates]
        for days in (1, 30):
            assert sum(each <= days for each in since) / len(since) == pytest.approx(often.share(days), abs=0.015)


class TestDemand:
    def test_twice_the_people_and_tweets_take_twice_of_everything(self) -> None:
        """But for merging: the largest authors become larger as well."""
        costs = structs.replace(COSTS, merged_web=0.0, merged_redis=0.0)
        one, two = (demand.machines(site, costs) for site in (DESIGN, DESIGN.times(2)))
        for field in demand.Machines.__struct_fields__:
            assert getattr(two, field) == pytest.approx(2 * getattr(one, field), rel=0.02), field

    def test_twice_the_tweets_take_twice_the_workers_and_no_more_timelines(self) -> None:
        more = structs.replace(DESIGN, tweets=2 * DESIGN.tweets)
        one, two = (demand.machines(site, COSTS) for site in (DESIGN, more))
        assert two.workers == pytest.approx(2 * one.workers)
        assert demand.memory(more, COSTS)["timelines"] == demand.memory(DESIGN, COSTS)["timelines"]

    def test_the_peak_is_what_is_paid_for(self) -> None:
        flat = structs.replace(DESIGN, peak=1)
        assert demand.machines(DESIGN, COSTS).workers == pytest.approx(3 * demand.machines(flat, COSTS).workers)
        assert demand.storage_a_year(DESIGN, COSTS) == demand.storage_a_year(flat, COSTS)

    def test_work_that_costs_nothing_leaves_the_round_trips(self) -> None:
        free = Costs(**dict.fromkeys(Costs.__struct_fields__, 0.0))
        work = fanout.work(DESIGN, free, 100)
        assert work.worker_seconds == pytest.approx(6 * fanout.STORE_TRIP + 2 * fanout.REDIS_TRIP)
        assert demand.total(demand.loads(DESIGN, free)).redis == 0

    def test_deliveries_are_paid_for_one_by_one(self) -> None:
        only = Costs(**(dict.fromkeys(Costs.__struct_fields__, 0.0) | {"delivery_redis": 1e-6}))
        redis = demand.total(demand.loads(DESIGN, only)).redis
        assert redis == pytest.approx(30e9 * 3 / 86_400 * 1e-6, rel=0.01)

    def test_timelines_are_of_the_active_only(self) -> None:
        fewer = structs.replace(DESIGN, active_days=1.0)
        assert fewer.active == pytest.approx(10e6)
        ratio = demand.memory(fewer, COSTS)["timelines"] / demand.memory(DESIGN, COSTS)["timelines"]
        assert ratio == pytest.approx(0.5)

    def test_a_visitor_who_asks_all_the_time_is_in_the_cache(self) -> None:
        assert demand.token_miss(structs.replace(DESIGN, visit_seconds=0.1)) < 1e-4, "renewed once an hour"
        assert demand.token_miss(structs.replace(DESIGN, visit_seconds=1e9)) == pytest.approx(1, rel=1e-4)
        assert 0 < demand.card_miss(DESIGN) < 1

    def test_a_reader_who_follows_nobody_large_merges_nothing(self) -> None:
        everybody = structs.replace(DESIGN, push_max_followers=0.0)
        assert everybody.merged_of_a_reader == 0
        assert demand.merging(everybody, COSTS) == (0, 0)
        assert demand.merging(DESIGN, COSTS)[1] > 0

    def test_gigabits_are_bytes_times_eight(self) -> None:
        pages = (6 + 3) * DESIGN.tweets_a_second * network.PAGE_BYTES
        assert network.gigabits(DESIGN, COSTS)["pages to clients"] == pytest.approx(pages * 8 / 1e9)


class TestFanOut:
    @pytest.mark.parametrize(
        ("count", "parts", "tasks"),
        [
            (1, 0, 0),
            (12_500, 0, 0),
            (12_501, 1, 1),
            (25_000, 1, 1),
            (25_001, 1, 2),
            (50_000, 1, 3),
            (50_001, 2, 3),
            (400_000, 8, 4),
            (500_001, 0, 0),
        ],
    )
    def test_an_order_is_cut_as_delivery_cuts_it(self, count: int, parts: int, tasks: int) -> None:
        work = fanout.work(DESIGN, COSTS, count)
        assert (work.parts, work.tasks_a_part) == (parts, tasks)

    def test_a_follower_costs_about_the_same_in_one_task_and_in_parts(self) -> None:
        """In pages of about the same size: what a call of a script costs is shared by all followers of its shard."""
        small = fanout.work(DESIGN, COSTS, 12_000).redis_seconds / 12_000
        large = fanout.work(DESIGN, COSTS, 400_000).redis_seconds / 400_000
        assert large == pytest.approx(small, rel=0.05)

    def test_a_merged_author_is_put_into_one_list_a_shard(self) -> None:
        work = fanout.work(DESIGN, COSTS, 100e6)
        assert work.redis_seconds == pytest.approx(DESIGN.shards * COSTS.shard_redis)

    def test_few_followers_touch_few_shards_and_many_all(self) -> None:
        assert fanout.shards_touched(DESIGN, 1) == pytest.approx(1)
        assert fanout.shards_touched(DESIGN, 2) == pytest.approx(2, rel=0.01)
        assert fanout.shards_touched(DESIGN, 100_000) == pytest.approx(DESIGN.shards)


class TestSensitivity:
    def test_a_longer_life_keeps_more_and_is_left_less_often(self) -> None:
        found = sensitivity.by_days(DESIGN, COSTS)
        assert [each.active for each in found] == sorted(each.active for each in found)
        returns = [each.returns_a_day for each in found]
        assert returns == sorted(returns, reverse=True)

    def test_a_higher_limit_pushes_more_and_merges_less(self) -> None:
        found = sensitivity.by_limit(DESIGN, COSTS)
        deliveries = [each.deliveries_a_day for each in found]
        merging = [each.merging_cores for each in found]
        assert deliveries == sorted(deliveries)
        assert merging == sorted(merging, reverse=True)
        assert deliveries[-1] == pytest.approx(DESIGN.tweets * ZIPF.mean() * 0.2)

    def test_more_shards_take_more_calls(self) -> None:
        found = sensitivity.by_shards(DESIGN, COSTS)
        calls = [each.calls_a_tweet for each in found]
        assert calls == sorted(calls)
        assert all(each.calls_a_tweet <= each.shards for each in found)


class TestLimits:
    def test_what_has_least_room_comes_first(self) -> None:
        rooms = [limit.room for limit in limits.limits(DESIGN, COSTS)]
        assert rooms == sorted(rooms)

    def test_at_ten_times_everything_has_a_tenth_of_the_room(self) -> None:
        one, ten = (
            {limit.name: limit.room for limit in limits.limits(site, COSTS)} for site in (DESIGN, DESIGN.times(10))
        )
        assert one.keys() == ten.keys()
        for name, room in one.items():
            assert ten[name] == pytest.approx(room / 10, rel=0.2), name

    def test_a_minute_without_workers_leaves_a_minute_of_orders(self) -> None:
        [minute, *_] = limits.recoveries(DESIGN)
        assert minute.open_orders == pytest.approx(60 * DESIGN.tweets_a_second)
        assert minute.sweepers * limits.SENT_BY_A_SWEEPER == pytest.approx(minute.open_orders / minute.worked_seconds)


def test_the_outbox_has_a_partition_a_minute_and_shard() -> None:
    outbox_rows = partitions.partitions(DESIGN)[0]
    assert outbox_rows.a_day == 8 * 1_440
    assert outbox_rows.rows * 8 == pytest.approx(60 * DESIGN.tweets_a_second)
    assert partitions.outbox_rows_kept(DESIGN) == pytest.approx(210 * DESIGN.tweets_a_second)


class TestCosts:
    def test_every_cost_is_a_constant_and_has_its_source(self) -> None:
        assert {*SOURCES} == {*Costs.__struct_fields__}

    def test_what_the_benches_found_takes_the_place_of_what_is_committed(self, tmp_path: Path) -> None:
        home = Row("a home read", Figure("in all", "ms", [2.0]), beside=[Figure("web", "ms", [1.0, 3.0, 2.0])])
        look_up = Row("a look-up", Figure("in all", "µs", [0]), beside=[Figure("cassandra", "µs", [-0.1])])
        save(Result("costs", "cassandra", [home, look_up]), tmp_path)
        found, missing = from_results(tmp_path)
        assert found.home_web == pytest.approx(2e-3)
        assert found.lookup_cassandra == 0
        assert found.timeline_bytes == COSTS.timeline_bytes
        assert len(missing) == len(SOURCES) - 2
        assert "home_redis (costs, “a home read”, timeline)" in missing

    def test_without_results_all_are_committed_ones_and_named(self, tmp_path: Path) -> None:
        found, missing = from_results(tmp_path / "nowhere")
        assert found == COSTS
        assert len(missing) == len(SOURCES)
