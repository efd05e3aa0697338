"""The benches: what each runs, and on which store."""

from bench.bench import Bench
from bench.stack import Size

BENCHES: dict[str, Bench] = {
    each.name: each
    for each in (
        Bench("fanout", "deliveries a second through Celery", Size(workers=2), stores=("cassandra",)),
        Bench(
            "interference",
            "home reads while a large fan-out runs",
            # Production has them on machines of their own.
            Size(web=2, workers=2, workers_nice=10),
            stores=("cassandra",),
        ),
        Bench(
            "visible",
            "from 201 to the last follower's page",
            # Whoever polls a page until it changes would soon be told to wait.
            Size(web=2, workers=2, beat=True, env={"RATE_LIMITS": "off"}),
            stores=("cassandra",),
        ),
        Bench("home", "the home timeline, warm", Size(web=2), stores=("cassandra",)),
        # Warm, none of them asks the store.
        Bench("graphql", "the same page through GraphQL", Size(web=2), stores=("embedded",)),
        Bench("sight", "what logs, metrics and traces cost", Size(web=2), stores=("embedded",)),
        Bench("cold", "the first read of who was away", Size(web=1)),
        # As in interference: production has workers on machines of their own.
        Bench("post", "posting", Size(web=2, workers=2, workers_nice=10)),
        Bench("memory", "bytes and resident sizes", Size(web=2, workers=2, beat=True), stores=("cassandra",)),
        Bench("mixed", "everything at once, at rising rates", Size(web=2, workers=2, beat=True), ("cassandra",)),
        Bench("costs", "processor time of each operation", Size(web=2, workers=2, beat=True), ("cassandra",)),
        Bench(
            "live",
            "frames, sockets, and how soon",
            # One client's 5,000 sockets.
            Size(web=1, workers=2, env={"RATE_LIMITS": "off"}),
            stores=("embedded",),
        ),
        Bench(
            "sweepers",
            "orders sent again by several side by side",
            Size(env={"SWEEP_AFTER_SECONDS": "0"}),
            stores=("embedded",),
        ),
        # Whoever likes so much, and reads one page so often, would soon be told to wait.
        Bench(
            "notify",
            "what notifications cost",
            Size(web=2, workers=2, beat=True, env={"RATE_LIMITS": "off"}),
        ),
        Bench("growth", "the same as there is more and more of it", Size(web=2), stores=("cassandra",)),
    )
}
