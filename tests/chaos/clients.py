"""The people: they do what the stream says, each one thing at a time, and repeat what got no answer.

Every write carries an Idempotency-Key and is repeated under it, at another web process, until it
is acknowledged or refused for good. So a request that a hung process carries out much later
finds the key claimed, and does nothing a second time. Some answers are lost on purpose: faults
alone hit few requests just between the write and its answer.
"""

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.doors import TIMEOUT_SECONDS, Answer, Doors
from tests.chaos.journal import Journal
from tests.chaos.oracle import Item, Reading
from tests.chaos.record import REQUEST, Outcome, Record, pair
from tests.chaos.requests import PASSWORD, request_of, text_of, username
from tests.chaos.stream import ABOUT_A_TWEET, ANSWERS, BETWEEN_TWO, WRITING, Action, Kind

THREADS = 8
PAGE = 40
WALK_SECONDS = 3.0
"""A page for which was looked so long, as while a backend hangs, goes out with what was found."""
PAUSE_SECONDS = 0.3
"""Before a request is repeated; less than Retry-After asks for, so that a backend's return is noticed soon."""
LOOK_SECONDS = 0.02
LOST_SHARE = 0.05
LOST_AFTER_SECONDS = (0.002, 0.03)
"""Of so many writes the first answer is lost: the client hangs up after so long, while the server is at work."""
TOWARDS_SOMEBODY = BETWEEN_TWO | {Kind.MUTE, Kind.UNMUTE, Kind.MENTION}
SUCCESS = {
    Kind.JOIN: (200, 201),
    Kind.DELETE: (204,),
    Kind.UNRETWEET: (200, 204),
    Kind.UNLIKE: (200, 204),
    Kind.LEAVE: (202,),
    **dict.fromkeys(WRITING, (201,)),
}


@dataclass(order=True, slots=True)
class Task:
    """An action under way; `sent` counts the requests that somebody may have acted on.

    `certain`: of an answer to who asks, that they certainly asked when it was begun.
    """

    due: float
    action: Action = field(compare=False)
    begun: float = field(default=0.0, compare=False)
    tries: int = field(default=0, compare=False)
    sent: int = field(default=0, compare=False)
    certain: bool = field(default=False, compare=False)


class Crowd:
    """Threads that act for the people. `admit` gives them work, `stop` ends it."""

    def __init__(self, doors: Doors, record: Record, journal: Journal, *, people: int, seed: int) -> None:
        self.tokens: dict[int, str] = {}
        self._doors = doors
        self._record = record
        self._journal = journal
        self._seed = seed
        self._numbers = {username(person): person for person in range(people)}
        self._queues: dict[int, deque[Action]] = {person: deque() for person in range(people)}
        self._busy: set[int] = set()
        self._pairs: set[frozenset[int]] = set()
        self._again: list[Task] = []
        self._changed = threading.Condition(record.lock)
        self._ends = float("inf")
        self._threads = [threading.Thread(target=self._work, name=f"client.{n}", daemon=True) for n in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def admit(self, actions: Iterable[Action]) -> None:
        """These are due now."""
        with self._changed:
            for action in actions:
                self._queues[action.person].append(action)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        with self._changed:
            return not self._busy and not any(self._queues.values())

    def stop(self, grace_seconds: float) -> int:
        """Begins nothing more, and goes on repeating for so long; how many actions are then still unanswered."""
        with self._changed:
            for queue in self._queues.values():
                queue.clear()
            self._ends = time.time() + grace_seconds
        for thread in self._threads:
            thread.join()
        for task in self._again:
            self._end(task, Outcome.UNCERTAIN, time.time())
        return len(self._again)

    def perform(self, action: Action, ends: float) -> bool:
        """Does one action here and now, until that time at most; whether it was acknowledged."""
        task = Task(0.0, action)
        with self._changed:
            self._record.begin(action)
        while time.time() < ends:
            outcome, answer = self._attempt(task)
            if outcome is not None:
                self._end(task, outcome, answer.ended, answer.body)
                return outcome is Outcome.ACKNOWLEDGED
            time.sleep(PAUSE_SECONDS / 3)
        self._end(task, Outcome.UNCERTAIN, time.time())
        return False

    def page(self, person: int, *, turn: int, path: str = f"/feed/home?limit={PAGE}") -> Answer:
        return self._doors.ask("GET", path, turn=turn, token=self.tokens[person])

    def _work(self) -> None:
        while True:
            with self._changed:
                task = self._next()
                if task is None:
                    if self._over():
                        return
                    self._changed.wait(LOOK_SECONDS)
                    continue
            outcome, answer = self._attempt(task)
            if outcome is not None:
                self._end(task, outcome, answer.ended, answer.body)
            self._put_back(task, again=outcome is None)

    def _over(self) -> bool:
        return time.time() > self._ends or (self._ends < float("inf") and not self._busy)

    def _next(self) -> Task | None:
        """Repetitions first, then the oldest action of somebody who does nothing else."""
        if self._again and self._again[0].due <= time.time():
            return heapq.heappop(self._again)
        free = [queue[0] for person, queue in self._queues.items() if queue and person not in self._busy]
        for action in sorted(free, key=lambda each: each.number):
            if pair(action) in self._pairs:
                continue
            self._queues[action.person].popleft()
            if not self._possible(action):
                self._journal.note("passed over", action=action.number)
                continue
            self._busy.add(action.person)
            self._pairs |= {pair(action)} - {frozenset()}
            asks = (REQUEST, action.target, action.person)
            task = Task(0.0, action, certain=self._record.surely(asks, since=time.time(), is_=True))
            self._record.begin(action)
            return task
        return None

    def _possible(self, action: Action) -> bool:
        """Whether the person is there, and whatever it is about."""
        if action.kind is Kind.JOIN:
            return True
        if action.person not in self.tokens:
            return False
        if action.kind in TOWARDS_SOMEBODY:
            return action.target in self.tokens
        return action.target < 0 or self._known(action.target)

    def _known(self, number: int) -> bool:
        tweet = self._record.tweets.get(number)
        return tweet is not None and tweet.id is not None

    def _put_back(self, task: Task, *, again: bool) -> None:
        with self._changed:
            if again:
                task.due = time.time() + PAUSE_SECONDS
                heapq.heappush(self._again, task)
                return
            self._busy.discard(task.action.person)
            self._pairs.discard(pair(task.action))
            self._changed.notify()

    def _attempt(self, task: Task) -> tuple[Outcome | None, Answer]:
        """One request. The outcome is None when it has to be repeated."""
        action = task.action
        answer = self._read(action) if action.kind is Kind.READ else self._write(task)
        task.begun = task.begun or answer.begun
        task.tries += 1
        outcome = self._judge(task, answer)
        task.sent += answer.sent and answer.status != 409
        self._log(task, answer, outcome)
        return outcome, answer

    def _log(self, task: Task, answer: Answer, outcome: Outcome | None) -> None:
        action = task.action
        self._journal.note(
            "request",
            action=action.number,
            person=action.person,
            kind=action.kind,
            target=action.target,
            web=answer.web,
            status=answer.status or answer.error,
            ms=round(1000 * (answer.ended - answer.begun)),
            outcome=outcome or "again",
        )

    def _write(self, task: Task) -> Answer:
        action, token = task.action, self.tokens.get(task.action.person)
        method, path, body = request_of(action, self._record, self._seed)
        marks = {"Idempotency-Key": f"chaos-{action.number}", "X-Request-ID": f"chaos-{action.number}-{task.tries}"}
        turn = action.number + task.tries
        wait = self._patience(task)
        answer = self._doors.ask(method, path, turn=turn, token=token, body=body, headers=marks, wait=wait)
        if action.kind is Kind.JOIN and answer.status == 422 and task.sent:
            # An earlier request did sign up; its answer was lost.
            credentials = {"username": username(action.person), "password": PASSWORD}
            answer = self._doors.ask("POST", "/auth/token", turn=turn, body=credentials, headers=marks)
        return answer

    def _patience(self, task: Task) -> float:
        dice = random.Random(f"{self._seed}:lost:{task.action.number}")
        lost = task.tries == 0 and dice.random() < LOST_SHARE
        return dice.uniform(*LOST_AFTER_SECONDS) if lost else TIMEOUT_SECONDS

    def _judge(self, task: Task, answer: Answer) -> Outcome | None:
        """What the answer means; what it may not be is a finding."""
        action, status = task.action, answer.status
        if action.kind is Kind.READ:
            return self._judge_page(action, answer)
        if status in SUCCESS.get(action.kind, (200,)):
            self._check_text(action, answer)
            return Outcome.ACKNOWLEDGED
        if answer.refused:
            if status >= 500 and (status != 503 or answer.retry_after is None):
                self._find(task, answer, "must be a 503 with Retry-After")
            return None
        if task.sent and (action.kind, status) in ((Kind.DELETE, 404), (Kind.LEAVE, 401)):
            return Outcome.ACKNOWLEDGED
        if status in (403, 404, 422) and self._justified(task):
            return Outcome.UNCERTAIN if task.sent else Outcome.REFUSED
        self._find(task, answer, "is unexpected")
        return Outcome.UNCERTAIN

    def _justified(self, task: Task) -> bool:
        """Whether the action may be refused: for a block, for who has left, for a tweet that is gone, hidden or was not
        certainly there, and for a request that was not."""
        action, since = task.action, task.begun
        with self._changed:
            if action.kind in TOWARDS_SOMEBODY and self._record.left(action.target):
                return True
            if action.kind in ANSWERS:
                return not task.certain
            if action.kind is Kind.FOLLOW:
                blocks = [(Kind.BLOCK, action.person, action.target), (Kind.BLOCK, action.target, action.person)]
                return not all(self._record.surely(key, since=since, is_=False) for key in blocks)
            if action.kind in ABOUT_A_TWEET - {Kind.DELETE}:
                shares = action.kind in (Kind.QUOTE, Kind.RETWEET)
                visible = self._record.visible(action.person, action.target, since=since)
                return not visible or (shares and not self._record.shared(action.target, since=since))
        return False

    def _check_text(self, action: Action, answer: Answer) -> None:
        if action.kind in WRITING and answer.body["data"]["text"] != text_of(action, self._seed):
            self._journal.find(f"action {action.number} posted another text than it sent", body=answer.body)

    def _find(self, task: Task, answer: Answer, what: str) -> None:
        text = f"{task.action.kind} (action {task.action.number}) was answered {answer.status}, which {what}"
        self._journal.find(text, web=answer.web, tries=task.tries, sent=task.sent, body=answer.body)

    def _end(self, task: Task, outcome: Outcome, ended: float, body: Any = None) -> None:
        action = task.action
        acknowledged = outcome is Outcome.ACKNOWLEDGED
        with self._changed:
            if acknowledged and action.kind is Kind.JOIN:
                self.tokens[action.person] = body["data"]["token"]
            if acknowledged and action.kind is Kind.LEAVE:
                del self.tokens[action.person]
            tweet_id = int(body["data"]["id"]) if acknowledged and action.kind in WRITING else None
            requested = acknowledged and action.kind is Kind.FOLLOW and body["data"]["requested"]
            self._record.end(
                action, outcome, begun=task.begun, ended=ended, tweet_id=tweet_id, requested=bool(requested)
            )

    def _read(self, action: Action) -> Answer:
        return self.page(action.person, turn=action.number)

    def _judge_page(self, action: Action, answer: Answer) -> Outcome:
        """A page is asked for once; what it shows has to be right."""
        if answer.status == 200:
            self.check_page(action.person, answer)
            return Outcome.ACKNOWLEDGED
        if not answer.refused or (answer.status >= 500 and answer.status != 503):
            self._journal.find(f"home of person {action.person} was answered {answer.status}", body=answer.body)
        return Outcome.REFUSED

    def check_page(self, person: int, answer: Answer) -> None:
        """Notes whatever the first page of that home shows that it must not, and lacks that it must have."""
        items = [Item.read(tweet) for tweet in answer.body["data"]]
        last = answer.body["meta"]["next_cursor"] is None
        with self._changed:
            faults = Reading(self._record, self._numbers, person, answer.begun).faults(items, last=last)
        if is_short(len(items), last=last, seconds=answer.ended - answer.begun):
            faults.append(f"is short: {len(items)} entries, and more below")
        for fault in faults:
            self._journal.find(f"home of person {person} {fault}", web=answer.web, begun=answer.begun)


def is_short(entries: int, *, last: bool, seconds: float) -> bool:
    """Whether a page, for which `seconds` were taken, holds less than it must."""
    return not last and entries < PAGE and seconds < WALK_SECONDS
