"""Words and numbers in a message, cut to what Telegram takes."""

import re
from collections.abc import Sequence
from decimal import Decimal
from html import unescape

from signals.engine.session import TradingSession

# All in UTF-16 units of the text that is read, without its tags.
LONGEST_NAME = 40
LONGEST_REASON = 300


def one_line(text: str, longest: int) -> str:
    """Printable characters in one line: nothing may pretend to be another line, or turn the writing round."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return cut(" ".join(printable.split()), longest)


def tidy(text: str) -> str:
    """What a template leaves behind: spaces at the ends of lines, more than one empty line."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines)


def utf16_length(text: str) -> int:
    """How Telegram counts: characters beyond the basic plane are two."""
    return len(text.encode("utf-16-le")) // 2


def visible_length(html: str) -> int:
    """UTF-16 units of what is read of a text of ours, in which each "<" begins a tag of a template."""
    return utf16_length(unescape(re.sub(r"<[^>]*>", "", html)))


def cut(text: str, longest: int) -> str:
    """At most `longest` UTF-16 units of plain text, ending in an ellipsis where something was cut."""
    if utf16_length(text) <= longest:
        return text
    return text.encode("utf-16-le")[: (longest - 1) * 2].decode("utf-16-le", errors="ignore") + "…"


def session_words(names: Sequence[str]) -> str:
    """London, New York."""
    return ", ".join(TradingSession(name).label for name in names)


def age_words(seconds: float) -> str:
    """45 s, 15 min, 2 h 5 min."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{max(int(seconds), 0)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def kinds_text(longs: int, shorts: int) -> str:
    """2 long, 1 short."""
    return ", ".join(f"{number} {kind}" for number, kind in ((longs, "long"), (shorts, "short")) if number)


def percent_text(price: Decimal, entry: Decimal) -> str:
    return f"{(price / entry - 1) * 100:+.2f} %"


def quantity_text(quantity: Decimal) -> str:
    rounded = Decimal(f"{quantity:.6g}")
    return f"{rounded:,f}"


def amount_text(amount: Decimal) -> str:
    """Money to the cent; an amount below one unit, as in BTC, with four significant digits."""
    return f"{amount:,.2f}" if amount >= 1 or amount == 0 else f"{Decimal(f'{amount:.4g}'):f}"
