"""Figures of the public record as a trader reads them; a dash where nothing is known."""

from django import template

register = template.Library()


@register.filter
def percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.0%}"


@register.filter
def in_r(result: float | None) -> str:
    return "–" if result is None else f"{result:+.2f} R"
