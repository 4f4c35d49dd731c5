"""What a header says of a volume: in which currency, or that it is something else."""

from enum import StrEnum

VOLUMES = frozenset(
    {"volume", "vol", "volumefrom", "volumeto", "tickvol", "turnover", "volccy", "volccyquote", "v"}
)
# Words that make something else of a volume: an indicator over it, or a part of it.
NO_VOLUME = frozenset(
    {
        "ma", "sma", "ema", "wma", "vwma", "avg", "average", "mean", "median", "std", "delta", "change", "percent",
        "pct", "profile", "oscillator", "osc", "weighted", "price", "taker", "buy", "sell", "up", "down", "ratio",
        "rsi",        "signal", "trend", "relative", "count", "number", "prev", "previous", "histogram", "usd_value",
    }
)  # fmt: skip
BASE = frozenset({"base", "from", "volumefrom", "volccy", "crypto", "asset"})
QUOTE = frozenset({"quote", "to", "volumeto", "turnover", "currency", "volccyquote", "money", "value"})
CONTRACTS = frozenset({"contracts", "contract", "lots"})
TICKS = frozenset({"tick", "ticks", "tickvol"})
QUIET = frozenset({"real", "asset", "24h", "ccy"})


class VolumeKind(StrEnum):
    BASE = "base"
    PLAIN = "plain"
    TICKS = "ticks"
    QUOTE = "quote"
    CONTRACTS = "contracts"


def volume_kind(name: str, base: str, quote: str) -> VolumeKind | None:
    """None for a column that is no volume. `base` and `quote` are currencies in small letters, "" where unknown.

    `volume_btc` and `btc_volume` are told by the symbol, and only by a whole word: `volume_ma` is no volume of MANA.
    """
    words = name.split("_")
    rest = [word for word in words if word not in ("volume", "vol", "v")]
    if not set(words) & VOLUMES:
        return None
    currency = "_".join(word for word in rest if word not in QUIET)
    if currency and currency in _names_of(base):
        return VolumeKind.BASE
    if currency and currency in _names_of(quote):
        return VolumeKind.QUOTE
    if set(words) & NO_VOLUME:
        return None
    for kind, marks in (
        (VolumeKind.QUOTE, QUOTE),
        (VolumeKind.CONTRACTS, CONTRACTS),
        (VolumeKind.TICKS, TICKS),
        (VolumeKind.BASE, BASE),
    ):
        if set(words) & marks:
            return kind
    return VolumeKind.PLAIN if not currency or not (base or quote) else None


def _names_of(currency: str) -> tuple[str, ...]:
    """A currency's other names in headers: Kraken's XBT, and the dollar for its coins."""
    if currency in ("btc", "xbt"):
        return ("btc", "xbt")
    if currency in ("usdt", "usdc", "busd"):
        return (currency, "usd")
    return (currency,) if currency else ()


def currencies(symbol: str | None, names: list[str]) -> tuple[str, str]:
    """Base and quote in small letters. A symbol without a separator is cut where a header's currency ends."""
    text = (symbol or "").lower().split(":")[0]
    for separator in "/-_":
        if separator in text:
            base, _, quote = text.partition(separator)
            return ("", "") if quote == "perp" else (base, quote.split("_")[0])
    for name in names:
        words = [word for word in name.split("_") if word not in VOLUMES]
        if len(words) == 1 and words[0] and len(words[0]) > 2:
            if text.startswith(words[0]) and text != words[0]:
                return words[0], text.removeprefix(words[0])
            if text.endswith(words[0]) and text != words[0]:
                return text.removesuffix(words[0]), words[0]
    return "", ""
