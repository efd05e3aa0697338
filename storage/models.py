"""Tables of the embedded engine: associations, outbox, dead letters, leases, idempotency keys, notices, places.
The ports say what they promise."""

from django.db import models


class EmbeddedModel(models.Model):
    """A table of the embedded engine; the router (storage/embedded/router.py) keeps it in `store` and everything else
    out."""

    class Meta:
        abstract = True


class Edge(EmbeddedModel):
    """The truth of one association and, in one row, all its indexes. A removed edge stays, inactive."""

    source = models.BigIntegerField()
    kind = models.TextField()
    target = models.BigIntegerField()
    op = models.BigIntegerField()
    active = models.BooleanField()
    bucket = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind", "target"], name="edge_truth")]
        indexes = [
            models.Index(fields=["source", "kind", "op"], condition=models.Q(active=True), name="edge_out_by_time"),
            models.Index(fields=["target", "kind", "op"], condition=models.Q(active=True), name="edge_in_by_time"),
            models.Index(
                fields=["target", "kind", "bucket", "source"], condition=models.Q(active=True), name="edge_in_by_bucket"
            ),
        ]


class EdgeLevel(EmbeddedModel):
    target = models.BigIntegerField()
    kind = models.TextField()
    level = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "kind"], name="edge_level")]


class OutboxOrder(EmbeddedModel):
    """An order; one without a kind was marked done before it was written."""

    id = models.BigIntegerField(primary_key=True)
    kind = models.TextField(null=True)
    args = models.JSONField(default=list)
    done = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["id"], condition=models.Q(done=False), name="outbox_open")]


class OutboxPart(EmbeddedModel):
    order_id = models.BigIntegerField()
    part = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order_id", "part"], name="outbox_part")]


class OutboxAttempt(EmbeddedModel):
    """An attempt at an order; one that ended well has `begun_us` 0."""

    order_id = models.BigIntegerField()
    part = models.IntegerField()
    slot = models.IntegerField()
    begun_us = models.BigIntegerField()
    error = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order_id", "part", "slot"], name="outbox_attempt")]


class DeadLetterRow(EmbeddedModel):
    """An order that was given up; its id is the order's."""

    id = models.BigIntegerField(primary_key=True)
    kind = models.TextField()
    args = models.JSONField()
    error = models.TextField()
    attempts = models.IntegerField()
    died_us = models.BigIntegerField()


class WorkerLease(EmbeddedModel):
    worker = models.IntegerField(primary_key=True)
    owner = models.TextField()
    end_us = models.BigIntegerField()


class IdempotencyKey(EmbeddedModel):
    """A claim (storage/ports/idempotency.py); `answer` is encoded, `expires_us` when the key is free again."""

    user = models.BigIntegerField()
    key = models.TextField()
    fingerprint = models.BinaryField()
    op = models.BigIntegerField()
    holder = models.BigIntegerField()
    answer = models.BinaryField(null=True)
    expires_us = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key")]
        indexes = [models.Index(fields=["expires_us"], name="idempotency_expiry")]


class NoticeRow(EmbeddedModel):
    """A notice (storage/ports/notices.py), at the place that holds."""

    recipient = models.BigIntegerField()
    kind = models.TextField()
    subject = models.BigIntegerField()
    place = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "kind", "subject"], name="notice")]
        indexes = [models.Index(fields=["recipient", "kind", "place"], name="notice_by_time")]


class ReaderPlace(EmbeddedModel):
    """Up to where somebody who reads all orders has come."""

    reader = models.TextField(primary_key=True)
    place = models.BigIntegerField()


class NoticeRead(EmbeddedModel):
    """Up to where somebody has read."""

    recipient = models.BigIntegerField(primary_key=True)
    place = models.BigIntegerField()
