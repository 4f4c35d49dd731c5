"""How the console writes ages, prices and ratios, and the state of sending in its header."""

from datetime import datetime, timedelta
from typing import Any

from django import template

from notifications.services.fan_out import exclusion_words
from signals.selectors import sending_allowed

register = template.Library()

SIGNIFICANT_DIGITS = 6


@register.filter
def age(span: timedelta) -> str:
    """Two units at most: 12 s, 3 min, 2 h 5 min, 4 d 3 h."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


@register.filter
def age_since(start: datetime, end: datetime) -> str:
    return age(end - start)


@register.filter
def seconds(value: float | None) -> str:
    """0.04 s, 3.2 s; from two minutes on as an age. A dash where there is none."""
    if value is None:
        return "–"
    if value >= 120:
        return age(timedelta(seconds=value))
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


@register.filter
def seconds_since(start: datetime, end: datetime | None) -> str:
    return seconds(None if end is None else (end - start).total_seconds())


@register.filter
def percent(ratio: float) -> str:
    return f"{ratio:.0%}"


@register.filter
def price(value: float) -> str:
    """Six significant digits, never fewer than two decimals above 1: 67,123.40 but 0.00001234."""
    if value >= 1000:
        return f"{value:,.2f}"
    if value >= 1:
        return f"{value:.4f}".rstrip("0").ljust(len(f"{value:.2f}"), "0")
    return f"{value:.{SIGNIFICANT_DIGITS}g}" if value >= 0.0001 else f"{value:.10f}".rstrip("0")


@register.filter
def in_words(reason: str) -> str:
    """The sentence behind a delivery's reason."""
    return exclusion_words(reason)


@register.inclusion_tag("console/partials/sending.html", takes_context=True)
def sending_state(context: template.Context) -> dict[str, Any]:
    """Whether messages go out, and whether the person may open the switch."""
    user = context["request"].user
    return {"is_on": sending_allowed(), "may_see": user.has_perm("signals.view_killswitch")}
