"""The main job on real input: 200 people, 1,000 varied tweets, and every home timeline as computed here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Server
from tests.e2e.main_job import Job

pytestmark = pytest.mark.e2e


Starter = Callable[[int], Job]


@pytest.fixture
def job_with(server: Server) -> Iterator[Starter]:
    """Makes jobs by their seed, and hangs up for all of their people."""
    jobs: list[Job] = []

    def make(seed: int) -> Job:
        jobs.append(Job(server.url, seed))
        return jobs[-1]

    yield make
    for person in (person for job in jobs for person in job.people):
        person.client.close()


@pytest.mark.timeout(600)
def test_every_home_timeline_holds_what_it_must(job_with: Starter) -> None:
    job = job_with(1)
    assert job.run(people=200, tweets=1_000) == []
    assert (len(job.people), len(job.posted), len(job.deleted)) == (200, 1_000, 33)
    assert sum(len(person.follows) for person in job.people) > 200


@pytest.mark.parametrize("server", ["embedded"], indirect=True)
def test_the_job_finds_what_is_wrong(job_with: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_with(2)
    assert job.run(people=10, tweets=40) == []
    monkeypatch.setattr("tests.e2e.main_job.SETTLE_SECONDS", 0.0)

    reader = max(job.people, key=lambda person: len(person.follows))
    shown = [tweet for tweet in job.posted.values() if tweet.in_home and tweet.author in reader.follows]
    lost, unexpected = shown[0], shown[1]
    job.deleted.add(unexpected.id)
    job.posted[1] = type(lost)(1, lost.author, True)
    found: list[Any] = [line for line in job._compare() if line.startswith(f"{reader.username}:")]
    assert found == [f"{reader.username}: lacks [1], has too much [{unexpected.id}]"]
