"""People in Django admin: find, add and change them, set passwords. The log of what staff did is admin_log.py's.

Whatever changes here is in force for the API once the page has answered, as through any
other door. Nobody is deleted here: what they wrote would be left without an author.

**Staff are superusers' business.** Who has power in the admin, or has groups or permissions of their own
(`accounts.models.privileged`), is neither listed, found nor shown to a moderator, with whatever permissions, and not
changed: else whoever may set passwords would sign in as somebody stronger. So it is with groups, of which power is
made. It includes the moderator, who has the page "Change password" for their own, and the API for the rest.

Django's forms and its UserAdmin are generic in their stubs only, so they stand unparametrised.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken

from accounts.admin_lists import ENDS, LISTED, ChosenByIds, LongList, operator_of
from accounts.admin_log import StaffLog
from accounts.models import User, privileged
from accounts.people import confirming, rules, services
from accounts.staff import log
from accounts.staff.roles import may_touch
from accounts.staff_rows import StaffAction
from storage.errors import Forbidden
from storage.ids.snowflakes import id_in

admin.site.unregister(AuthToken)
"""Knox lists digests; deleting one there would leave it in the cache."""
admin.site.unregister(Group)
admin.site.unregister(TOTPDevice)
admin.site.unregister(StaticDevice)
"""They hold secrets; setting up and forgetting are accounts/staff/two_step.py's."""
admin.site.register(StaffAction, StaffLog)

NAMES = ("username", "display_name")
PROFILE = ("display_name", "email", "email_confirmed", "bio", "avatar_url", "verified", "protected_at")
PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")


class EmailRule(forms.ModelForm):  # type: ignore[type-arg]
    """The rule that every other door keeps."""

    def clean_email(self) -> str:
        email = rules.clean_email(self.cleaned_data["email"])
        rules.check_email(email)
        return email


class PersonCreationForm(EmailRule, BaseUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("username", "email")

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        rules.check_username(username)
        return username

    def save(self, commit: bool = True) -> User:
        self.instance.display_name = self.cleaned_data["username"]
        person: User = super().save(commit=commit)
        return person


class PersonChangeForm(EmailRule, UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"

    def clean_display_name(self) -> str:
        return rules.clean_display_name(self.cleaned_data["display_name"]) or self.instance.username

    def clean_bio(self) -> str:
        return rules.clean_bio(self.cleaned_data["bio"])


class SuspendedFilter(admin.SimpleListFilter):
    title = "suspended"
    parameter_name = "suspended"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[User]") -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset if self.value() is None else queryset.filter(suspended_at__isnull=self.value() == "no")


@admin.register(User)
class PersonAdmin(LongList, ChosenByIds, UserAdmin):  # type: ignore[type-arg]
    form = PersonChangeForm
    add_form = PersonCreationForm
    list_display = ("username", "display_name", "email", "created_at", "verified", "is_staff", "suspended_at")
    list_filter = (SuspendedFilter, "is_staff", "verified")
    search_fields = ("username",)
    search_help_text = f"The beginning of a username or of a name, an e-mail address or an id. {ENDS}"
    ordering = LongList.ordering
    readonly_fields = (
        "id",
        "username",
        "created_at",
        "last_login",
        "email_confirmed",
        "protected_at",
        "left_at",
        "suspended_at",
        "suspended_until",
        "suspended_by",
    )
    fieldsets = (
        (None, {"fields": ("id", "username", "password", "created_at", "last_login")}),
        ("Profile", {"fields": PROFILE}),
        ("Suspension", {"fields": ("suspended_at", "suspended_until", "suspended_by", "left_at")}),
        ("Privileges", {"fields": PRIVILEGES}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "password1", "password2")}),)

    @admin.display(description="email confirmed at")
    def email_confirmed(self, obj: User) -> datetime | None:
        return obj.confirmed_since

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Leaves privileges to superusers: a moderator must not make themselves one."""
        if obj is None:
            return ()
        return self.readonly_fields if operator_of(request).is_superuser else (*self.readonly_fields, *PRIVILEGES)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuses it of who has left: nothing of them is to come back, and no password to be set."""
        has_left = obj is not None and obj.left_at is not None
        return not has_left and _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_touch(request, obj) and super().has_view_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Leaves out whom the operator may not touch: from lists, searches, autocompletion and actions."""
        people: QuerySet[User] = super().get_queryset(request)
        return people if operator_of(request).is_superuser else people.exclude(privileged())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Returns the person, None for nobody; refuses whom the operator may not touch, on whatever page."""
        person: User | None = super().get_object(request, object_id, from_field)
        user_id = id_in(object_id)
        if person is None and user_id is not None and User.objects.filter(privileged(), pk=user_id).exists():
            raise PermissionDenied
        return person

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Lets nobody guess at a stamp by filtering, as Django's own does of passwords."""
        return not lookup.startswith("security_stamp") and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Finds by index alone: of names the first LISTED that begin so, whatever the list is narrowed to."""
        term = search_term.strip().lower().removeprefix("@")
        if not term:
            return queryset, False
        named = {each for field in NAMES for each in User.objects.ids_beginning_with(field, term, limit=LISTED)}
        keyed = queryset.alias(email_key=Lower("email"))
        wanted = Q(pk__in=named) | Q(email_key=term)
        if (user_id := id_in(term)) is not None:
            wanted |= Q(pk=user_id)
        return keyed.filter(wanted), False

    def save_model(self, request: HttpRequest, obj: User, form: "ModelForm[User]", change: bool) -> None:
        """Writes what was changed here and nothing else: what others change meanwhile stands, a suspension too."""
        if not change:
            with confirming.telling(obj) as tell:
                super().save_model(request, obj, form, change)
                tell()
            log.record(by=operator_of(request), action="add", subject=log.person(obj.pk), after={"username": str(obj)})
            return
        _lock_who_is_here(obj.pk)
        columns = {field.name for field in obj._meta.concrete_fields}
        fields = columns.intersection(form.changed_data)
        if "email" in fields:
            # As it stands in the locked row: the page may be older.
            before = confirming.address_of(User.objects.get(pk=obj.pk))
            with confirming.telling(obj, before) as tell:
                obj.save(update_fields=fields.union(confirming.unconfirm(obj, before)))
                tell()
        else:
            obj.save(update_fields=fields)
        services.announce(obj, form.changed_data)
        if form.changed_data:
            log.record(
                by=operator_of(request),
                action="change",
                subject=log.person(obj.pk),
                before={name: _told(form.initial.get(name)) for name in form.changed_data},
                after={name: _told(form.cleaned_data.get(name)) for name in form.changed_data},
            )

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Sets a password, which the log tells and does not hold. One's own takes the old one, on a page of its own."""
        person_id = id_in(id)
        if person_id == operator_of(request).pk:
            return HttpResponseRedirect(reverse("admin:password_change"))
        if person_id is not None:
            _lock_who_is_here(person_id)
        answer: HttpResponse = super().user_change_password(request, id, form_url)
        if request.method == "POST" and answer.status_code == 302 and person_id is not None:
            log.record(by=operator_of(request), action="set a password", subject=log.person(person_id))
        return answer


@admin.register(Group)
class SuperusersGroupAdmin(ChosenByIds, GroupAdmin):
    """Groups, which superusers alone see and change: who changes the rights of their own group changes their own."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return operator_of(request).is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return operator_of(request).is_superuser

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return operator_of(request).is_superuser

    def log_addition(self, request: HttpRequest, obj: Group, message: Any) -> LogEntry:
        self._record(request, obj, "add a group")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Group, message: Any) -> LogEntry:
        self._record(request, obj, "change a group")
        return super().log_change(request, obj, message)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        self._record(request, obj, "delete a group")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        for group in queryset:
            self._record(request, group, "delete a group")
        super().delete_queryset(request, queryset)

    def _record(self, request: HttpRequest, group: Group, action: str) -> None:
        rights = sorted(group.permissions.values_list("codename", flat=True))
        after: dict[str, object] = {"name": group.name, "rights": rights}
        log.record(by=operator_of(request), action=action, subject=log.Subject("group", group.pk), after=after)


def _lock_who_is_here(person_id: int) -> None:
    """In a transaction, as all pages of the admin that write; raises `PermissionDenied` for who has left."""
    try:
        services.lock_who_is_here(person_id)
    except Forbidden as error:
        raise PermissionDenied from error


def _may_touch(request: HttpRequest, person: User | None) -> bool:
    """Whether the operator may touch this person; of nobody in particular, whether they may touch anybody."""
    return person is None or may_touch(operator_of(request), person)


def _told(value: object) -> object:
    """A field's value as the log has it: rights and groups by their names."""
    if value is None or isinstance(value, bool | str):
        return value
    return sorted(map(str, value)) if isinstance(value, Iterable) else str(value)
