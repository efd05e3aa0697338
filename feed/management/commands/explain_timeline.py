"""`manage.py explain_timeline`: why is this tweet (not) in that home timeline?"""

import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.people.selectors import find_account
from feed.operations.explain import Verdict, explain
from storage import tracing
from storage.errors import NotFound, Unavailable
from storage.ids.snowflakes import MAX_ID
from storage.spans import ids_of, is_sampled, trace_of

CANNOT_EXPLAIN = 2


class Command(BaseCommand):
    help = (
        "Says in plain words why a tweet is, or is not, in somebody's home timeline now. Exit status 0 when rules and "
        "orders explain it, 1 when it is a fault, 2 when it could not look. Changes nothing."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="NAME", help="whose home timeline")
        parser.add_argument("--tweet", required=True, metavar="ID", help="the tweet, quote or retweet, by its id")

    def handle(self, *, user: str, tweet: str, **options: object) -> None:
        if not tweet.isdecimal() or not 0 < int(tweet) <= MAX_ID:
            raise CommandError(f"{tweet} is not the id of a tweet.", returncode=CANNOT_EXPLAIN)
        try:
            explanation = explain(find_account(user.removeprefix("@")), int(tweet))
        except (NotFound, Unavailable) as error:
            raise CommandError(error.message, returncode=CANNOT_EXPLAIN) from error
        self.stdout.write(f"Tweet {tweet} for @{user.removeprefix('@')}: {explanation.verdict}.")
        for reason in explanation.reasons:
            self.stdout.write(f"  {reason}")
        if tracing.is_on():
            kept = "kept" if is_sampled(ids_of(int(tweet))[0]) else "not kept"
            self.stdout.write(f"  Its trace is {trace_of(int(tweet))} ({kept}).")
        if explanation.verdict is Verdict.FAULT:
            sys.exit(1)
