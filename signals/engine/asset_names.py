"""What people call an asset in the news, besides its ticker."""

from collections.abc import Mapping

ASSET_NAMES: Mapping[str, tuple[str, ...]] = {
    "BTC": ("bitcoin", "XBT"),
    "ETH": ("ethereum", "ether"),
    "SOL": ("solana",),
    "XRP": ("ripple",),
    "BNB": ("binance coin",),
    "ADA": ("cardano",),
    "DOGE": ("dogecoin",),
    "AVAX": ("avalanche",),
    "DOT": ("polkadot",),
    "LINK": ("chainlink",),
    "LTC": ("litecoin",),
    "BCH": ("bitcoin cash",),
    "TRX": ("tron",),
    "TON": ("toncoin",),
    "XLM": ("stellar",),
    "XMR": ("monero",),
    "UNI": ("uniswap",),
    "ATOM": ("cosmos",),
    "XAU": ("gold",),
    "XAG": ("silver",),
    "EUR": ("euro",),
    "GBP": ("sterling", "British pound"),
    "JPY": ("yen",),
    "CHF": ("Swiss franc",),
    "AUD": ("Australian dollar", "aussie"),
    "CAD": ("Canadian dollar", "loonie"),
    "NZD": ("New Zealand dollar", "kiwi"),
}


def names_of(base: str) -> tuple[str, ...]:
    """Ticker first."""
    return base.upper(), *ASSET_NAMES.get(base.upper(), ())
