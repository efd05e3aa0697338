"""What is kept of sessions beside Knox's tokens, as rows of SQL: changes to tell Redis of, and when each was used."""

from django.db import models

CLIENT_MAX = 60
"""Of the name of what signed in (sessions/clients.py)."""


class AccountChange(models.Model):
    """That an account has changed, or tokens of the person ended: the digests, parted by spaces.

    Written in the same transaction, for who tells Redis (account_cache/changes.py). No foreign key: the note is
    of what anybody may remember, whatever becomes of the person.
    """

    user_id = models.BigIntegerField()
    digests = models.TextField(blank=True, default="")
    at_us = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["at_us", "id"], name="account_changes_by_time")]


class TokenUse(models.Model):
    """Of a token: what signed in with it, and when it was used last (sessions/uses.py).

    Nobody asks for it to let anybody in, and it may outlive its token until its person signs in again: so it is bound
    to the token by no constraint, and deleting tokens costs no look at it.
    """

    token = models.OneToOneField(
        "knox.AuthToken", primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="use"
    )
    user_id = models.BigIntegerField(db_index=True)
    client = models.CharField(max_length=CLIENT_MAX, blank=True, default="")
    last_used_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
