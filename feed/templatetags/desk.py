"""What the desk's templates need besides Django's own."""

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import escape, format_html

register = template.Library()


@register.simple_tag
def desk_link(name: str, argument: object, text: object) -> str:
    """Returns a link to the page of that name with its one argument; the text alone where there is no such page."""
    try:
        return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}", args=[argument]), text)
    except NoReverseMatch:
        return escape(text)
