"""Reports by people about tweets and people, for those who moderate; and what else of `feed` is rows of SQL."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models

from storage import stores
from storage.ids.snowflakes import id_time

COMMENT_MAX = 1_000
NOTE_MAX = 2_000
LEAVING_ERROR_MAX = 500
MUTED_WORD_MAX = 100
"""Code points of a muted word or phrase, folded."""


class Reason(models.TextChoices):
    SPAM = "spam"
    ABUSE = "abuse"
    HARASSMENT = "harassment"
    VIOLENCE = "violence"
    SENSITIVE = "sensitive"
    OTHER = "other"


class Status(models.TextChoices):
    OPEN = "open"
    CLOSED = "closed"


class FigureSample(models.Model):
    """What the figures were in one slot of ten seconds (operations/figures.py); `slot` counts from the Unix epoch."""

    slot = models.BigIntegerField(primary_key=True)
    figures = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.slot)


class Leaving(models.Model):
    """How far erasing somebody who has left has come (leaving/saga.py): a row a person, from the first piece on.

    `step` is the name of what is erased now, and `place` where in it. It is worked on by whoever has the `claim`, until
    `claimed_until`. `tries` have failed since the last piece that was done, the last one with `error`.
    """

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="leaving"
    )
    step = models.CharField(max_length=30, blank=True, default="")
    place = models.BigIntegerField(default=0)
    rounds = models.IntegerField(default=0)
    """How often the proof has found something, and erasing began again there."""
    erased = models.JSONField(default=dict)
    """How many things of each step have gone."""
    traces = models.IntegerField(null=True)
    """In how many steps the last proof has found something."""
    moved_at = models.DateTimeField()
    """When it came nearer to the end: before the first proof, a piece further; after it, fewer traces."""
    removed_at = models.DateTimeField(null=True)
    """When a piece removed anything last: it may have written orders, which are worked off before the proof."""
    worked_at = models.DateTimeField(null=True)
    """When a run worked on it last; whom nobody has worked on for longest is next."""
    due_at = models.DateTimeField(null=True)
    """When what failed, or has to wait, is tried again."""
    tries = models.IntegerField(default=0)
    error = models.CharField(max_length=LEAVING_ERROR_MAX, blank=True, default="")
    claim = models.CharField(max_length=32, blank=True, default="")
    claimed_until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.step or 'begun'} at {self.place}"


class MutedWord(models.Model):
    """A word, phrase or hashtag that somebody has muted (notifications/muted_words.py), as it is shown, and the `key`
    that those have in common which match the same."""

    id = models.BigIntegerField(primary_key=True, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    word = models.CharField(max_length=MUTED_WORD_MAX)
    key = models.CharField(max_length=4 * MUTED_WORD_MAX)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["person", "key"], name="one_muting_of_a_word")]
        indexes = [models.Index(fields=["person", "-id"], name="muted_words_by_person")]

    def __str__(self) -> str:
        return self.word


class Kind(models.TextChoices):
    """What a report, and so a claim and a decision, can be about."""

    TWEET = "tweet"
    PERSON = "person"


class Verdict(models.TextChoices):
    DISMISS = "dismiss", "Nothing is wrong with it"
    WARN = "warn", "Warn its author"
    DELETE = "delete", "Delete the tweet"
    SUSPEND = "suspend", "Suspend its author"


class Decision(models.Model):
    """What was decided about everything that was reported of one target; `person` is whom it concerns in both cases.

    A warning is written down here, counts when the next report comes, and nobody is told of it yet: there are no
    notifications. It is kept when people go, as the log of staff is.
    """

    kind = models.CharField(max_length=10, choices=Kind.choices)
    target_id = models.BigIntegerField()
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    note = models.CharField(max_length=NOTE_MAX)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["person", "-id"], name="decisions_by_person")]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.kind} {self.target_id}"


class Claim(models.Model):
    """That somebody works on what was reported of one target, until `expires_at`; one at a time.

    Its `token` decides, once: the decision takes it, and it is empty while what was decided is carried out.
    """

    kind = models.CharField(max_length=10, choices=Kind.choices)
    target_id = models.BigIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=32)
    expires_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "target_id"], name="one_claim_of_a_target")]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"


class Report(models.Model):
    """One person's report about one tweet or one person; `person` is whom it is about in both cases. `reporter` is None
    once they have left (moderation/reports.py).

    The tweet stays in the other store, so its id alone is here. Who reports the same again
    while it is open adds no row: the two constraints keep that also when it happens at once.
    """

    id = models.BigIntegerField(primary_key=True, editable=False)
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    tweet_id = models.BigIntegerField("tweet", null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    comment = models.CharField(max_length=COMMENT_MAX, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    note = models.TextField(max_length=NOTE_MAX, blank=True, default="", help_text="What was found and done.")
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    decision = models.ForeignKey(
        Decision, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="reports"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reporter", "tweet_id"],
                condition=models.Q(status="open", tweet_id__isnull=False),
                name="one_open_report_of_a_tweet",
            ),
            models.UniqueConstraint(
                fields=["reporter", "person"],
                condition=models.Q(status="open", tweet_id=None),
                name="one_open_report_of_a_person",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="reports_by_status"),
            models.Index(fields=["person", "-id"], name="reports_by_person"),
            models.Index(fields=["reporter", "-id"], name="reports_by_reporter"),
            models.Index(fields=["tweet_id"], name="reports_by_tweet"),
        ]

    def __str__(self) -> str:
        return f"{self.reason}: {self.target}"

    @property
    def made_at(self) -> datetime:
        return id_time(self.id)

    @property
    def target(self) -> str:
        """Says what it is about, for people."""
        return f"tweet {self.tweet_id}" if self.tweet_id is not None else "a person"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Gives a new report its snowflake, whose time is when it was made. Raises `Unavailable`."""
        if not self.pk:
            self.id = stores.ids.next()
            kwargs["force_insert"] = True
        super().save(*args, **kwargs)
