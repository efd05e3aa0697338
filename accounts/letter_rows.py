"""Letters to send, as rows of SQL: they stand until they were handed over, or given up (people/letters.py)."""

from django.db import models

ADDRESS_MAX = 254
"""RFC 5321's longest path, less the angle brackets."""


class LetterRow(models.Model):
    """A letter to an address. Without an address it is nobody's: written, and looked at, as any other."""

    email = models.CharField(max_length=ADDRESS_MAX)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
    """When it is to be tried, or tried again."""
    refusals = models.SmallIntegerField(default=0, db_default=0)
    """How often its mailbox has not taken it."""

    class Meta:
        abstract = True
        default_permissions = ()
        indexes = [models.Index(fields=["asked_at"], name="%(class)s_asked")]


class PasswordReset(LetterRow):
    """That somebody has forgotten the password of the account with this address, if there is one (people/resets.py)."""

    class Meta(LetterRow.Meta):
        pass


class AddressLetter(LetterRow):
    """What an address is told of the account of `user_id`: see `Kind` (people/confirming.py)."""

    class Kind(models.TextChoices):
        CONFIRM = "confirm"
        """It is the account's, and whoever reads its letters is asked to say so."""
        CHANGED = "changed"
        """It was the account's until now, and confirmed."""
        LET_GO = "let_go"
        """It stood in the account until now, and nobody knows whether it was theirs."""

    user_id = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)

    class Meta(LetterRow.Meta):
        pass
