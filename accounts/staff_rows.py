"""The log of what staff did, as rows of SQL that are written once (staff/log.py)."""

from typing import Any

from django.conf import settings
from django.db import models

from accounts.entities import USERNAME_MAX

REASON_MAX = 1_000


class StaffActions(models.QuerySet["StaffAction"]):
    """Entries to look at."""

    def update(self, **_: Any) -> int:
        raise TypeError("An entry of the log of staff is never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("An entry of the log of staff is never deleted.")


class StaffAction(models.Model):
    """One thing that a member of staff did (staff/log.py). It is written once, and never changed or deleted.

    It has no foreign key in SQL: nothing that happens to people later may touch it. The permissions of the desk that
    belong to no table of their own stand here (staff/roles.py).
    """

    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    by_name = models.CharField("who", max_length=USERNAME_MAX)
    action = models.CharField(max_length=50)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.BigIntegerField("id")
    about = models.BigIntegerField("concerns", null=True)
    """The person whom it was done to, or to whose tweet; None where it concerns nobody (staff/log.py)."""
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=REASON_MAX, blank=True, default="")
    request_id = models.CharField(max_length=128, blank=True, default="")
    at = models.DateTimeField("when", auto_now_add=True)

    objects = StaffActions.as_manager()

    class Meta:
        verbose_name = "action of staff"
        verbose_name_plural = "log of staff"
        default_permissions = ()
        permissions = [
            ("suspend_people", "Can suspend and restore people"),
            ("verify_people", "Can mark people as verified"),
            ("sign_out_people", "Can sign people out everywhere"),
            ("handle_reports", "Can read and decide reports"),
            ("view_tweets", "Can look tweets up"),
            ("delete_tweets", "Can delete anybody's tweets"),
            ("restore_tweets", "Can restore deleted tweets"),
            ("view_timelines", "Can see anybody's home timeline"),
            ("rebuild_timelines", "Can rebuild home timelines"),
            ("view_fanout", "Can see fan-out and dead letters"),
            ("replay_dead_letters", "Can replay dead letters"),
            ("drop_dead_letters", "Can drop dead letters"),
            ("view_staff_log", "Can read the log of staff"),
            ("hasten_leaving", "Can have the erasing of who has left go on at once"),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="staff_log_by_subject"),
            models.Index(fields=["by", "-id"], name="staff_log_by_person"),
            models.Index(fields=["subject_kind", "-id"], name="staff_log_by_kind"),
            models.Index(fields=["action", "-id"], name="staff_log_by_action"),
            models.Index(fields=["request_id"], name="staff_log_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_kind} {self.subject_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes a new one. Raises `TypeError` for one that is there."""
        if not self._state.adding:
            raise TypeError("An entry of the log of staff is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An entry of the log of staff is never deleted.")
