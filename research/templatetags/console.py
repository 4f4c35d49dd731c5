"""How the console writes ages, prices and ratios, and the state of sending in its header."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite, isnan
from typing import Any

from django import template

from notifications.services.fan_out import exclusion_words
from signals.engine.digits import price_text
from signals.selectors import sending_allowed

register = template.Library()


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
def percent(ratio: float | None) -> str:
    return "–" if ratio is None or isnan(ratio) else f"{ratio:.0%}"


@register.filter
def percent_or_nothing(ratio: float) -> str:
    """For an interval's end, which is left out where there is no interval."""
    return "" if isnan(ratio) else percent(ratio)


@register.filter
def signed(value: float | None) -> str:
    """+1.94; for columns whose head names the unit."""
    return "–" if value is None or not isfinite(value) else f"{value:+.2f}"


@register.filter
def in_r(result: float | None) -> str:
    """+1.94 R: a result in units of the planned risk."""
    return "–" if result is None or isnan(result) else f"{signed(result)} R"


@register.filter
def r_or_nothing(result: float) -> str:
    """As `percent_or_nothing`, of a result."""
    return "" if isnan(result) else in_r(result)


@register.filter
def measured(value: float | None, form: str) -> str:
    """A measure's value in its form: percent, R or a plain number."""
    if value is None or isnan(value):
        return ""
    if form == "percent":
        return f"{value:.1%}"
    return in_r(value) if form == "R" else f"{value:,.2f}"


@register.filter
def words(name: str) -> str:
    """A strategy's name as words: rsi, moving average."""
    return name.replace("_", " ")


@register.filter
def tone(result: float | None) -> str:
    """The tone of a gain or a loss."""
    if result is None or isnan(result) or result == 0:
        return ""
    return "good" if result > 0 else "bad"


@register.filter
def price(value: float | None, tick_size: Decimal | None = None) -> str:
    """In the instrument's own step where it is given and known."""
    return "–" if value is None else price_text(value, tick_size)


@register.filter
def in_words(reason: str) -> str:
    """The sentence behind a delivery's reason."""
    return exclusion_words(reason)


@register.inclusion_tag("console/partials/sending.html", takes_context=True)
def sending_state(context: template.Context) -> dict[str, Any]:
    """Whether messages go out, and whether the person may open the switch."""
    user = context["request"].user
    return {"is_on": sending_allowed(), "may_see": user.has_perm("signals.view_killswitch")}
