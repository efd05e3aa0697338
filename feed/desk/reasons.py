"""The form behind what staff do to people: why, and for a suspension until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from accounts.staff_rows import REASON_MAX

LONGEST = timedelta(days=3_650)


class ReasonForm(forms.Form):
    """Why, which the log keeps. What has a NUL character in it is refused by Django's own field."""

    reason = forms.CharField(
        max_length=REASON_MAX, widget=forms.Textarea(attrs={"rows": 3}), help_text="The log of staff keeps it."
    )


class SuspensionForm(ReasonForm):
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="It ends by itself then; left empty, when somebody restores them.",
    )

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        now = datetime.now(UTC)
        if until is not None and not now < until < now + LONGEST:
            raise forms.ValidationError("That is over already, or further off than ten years.")
        return until


def errors_of(form: forms.Form) -> str:
    """Returns what is wrong in one line, for a message."""
    told: dict[str, Any] = form.errors.get_json_data()
    return " ".join(f"{field.capitalize()}: {fault['message']}" for field, faults in told.items() for fault in faults)
