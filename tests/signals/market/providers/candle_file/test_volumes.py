"""Which of a file's columns is the volume in the base currency."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from signals.market.providers.candle_file import CandleFile, FileRefusedError
from signals.market.providers.candle_file.volume_names import VolumeKind, currencies, volume_kind
from tests.signals.market.providers.candle_file.made import Bar, bars, read, table

Columns = dict[str, Callable[[Bar], float]]


def base(bar: Bar) -> float:
    return bar.volume


def quote(bar: Bar) -> float:
    return round(bar.volume * (bar.high + bar.low) / 2, 4)


def contracts(bar: Bar) -> float:
    return round(bar.volume * bar.close / 100)


def other(bar: Bar) -> float:
    return round(500 + bar.close / 40, 2)


def written(
    folder: Path, names: list[str], cells: list[Callable[[Bar], float]], symbol: str | None
) -> CandleFile:
    found = bars()
    lines = table(found, time=datetime.isoformat).splitlines()
    rows = [line.rsplit(",", 1)[0] for line in lines]
    text = [",".join([rows[0], *names])]
    text += [
        ",".join([row, *(repr(cell(bar)) for cell in cells)])
        for row, bar in zip(rows[1:], found, strict=True)
    ]
    return read(folder / "x.csv", "\n".join(text), symbol=symbol)


def volumes(file: CandleFile) -> list[float]:
    return file.candles.volume.tolist()


TRUE = [bar.volume for bar in bars()]
NONE = [0.0] * len(TRUE)


@pytest.mark.parametrize(
    ("names", "cells", "symbol"),
    [
        (["Volume"], [base], "BTC/USDT"),
        (["Vol."], [base], "BTC/USDT"),
        (["Volume BTC", "Volume USDT"], [base, quote], "BTC/USDT"),
        (["Volume USDT", "Volume BTC"], [quote, base], "BTC/USDT"),
        (["Volume USD", "Volume BTC"], [quote, base], "BTC/USDT"),
        (["Volume_(BTC)", "Volume_(Currency)"], [base, quote], "BTC/USD"),
        (["btc_volume", "usd_volume"], [base, quote], "BTC/USD"),
        (["Volume XBT", "Volume USD"], [base, quote], "BTC/USD"),
        (["volume", "quote_volume"], [base, quote], "BTC/USDT"),
        (["volume", "quote_asset_volume", "taker_buy_base_asset_volume"], [base, quote, other], "BTC/USDT"),
        (["volumefrom", "volumeto"], [base, quote], "BTC/USDT"),
        (["volume", "turnover"], [base, quote], None),
        (["quote_volume", "base_volume"], [quote, base], None),
        (["volume_btc", "volume"], [base, quote], "BTC/USD"),
        (["Volume BTC", "Volume USDT"], [base, quote], None),
        (["Volume BTC", "Volume USDT"], [base, quote], "BTCUSDT"),
        (["Volume", "Volume MA"], [base, other], "MANA/USDT"),
        (["Volume", "Volume MA", "Volume SMA 20"], [base, other, other], "BTC/USDT"),
        (["Volume", "Volume"], [base, quote], "BTC/USDT"),
        (["Volume", "Volume"], [quote, base], "BTC/USDT"),
        (["Volume", "Volume"], [base, base], "BTC/USDT"),
        (["volume_a", "volume_b"], [quote, base], None),
        (["volume", "quote_volume"], [contracts, base], "BTC/USD:BTC"),
        (["volume", "base_volume"], [contracts, base], "BTC/USD:BTC"),
        (["vol", "volCcy", "volCcyQuote"], [contracts, base, quote], "BTC/USDT:USDT"),
        (["real_volume", "tick_volume"], [base, other], None),
        (["tickvol", "vol"], [other, base], None),
        (["MA Volume", "Volume"], [other, base], "MA/USD"),
    ],
)  # fmt: skip
def test_the_bases_volume_is_stored_wherever_it_stands(
    tmp_path: Path, names: list[str], cells: list[Callable[[Bar], float]], symbol: str | None
) -> None:
    if symbol == "MA/USD":  # there the first column is the currency's
        cells = [base, other]
    file = written(tmp_path, names, cells, symbol)
    assert volumes(file) == TRUE
    assert not file.swapped.any()


@pytest.mark.parametrize(
    ("names", "cells", "note"),
    [
        ([], [], "no volume column: stored as 0"),
        (["Volume MA"], [other], "no volume column: stored as 0"),
        (["Volume USDT"], [quote], "only volume_usdt, not in the base currency: stored as 0"),
        (["turnover"], [quote], "only turnover, not in the base currency: stored as 0"),
        (["contracts_volume"], [contracts], "only contracts_volume, not in the base currency: stored as 0"),
    ],
)
def test_what_is_not_the_bases_volume_is_not_stored_as_such(
    tmp_path: Path, names: list[str], cells: list[Callable[[Bar], float]], note: str
) -> None:
    file = written(tmp_path, names, cells, "BTC/USDT")
    assert volumes(file) == NONE
    assert note in file.notes


def test_ticks_are_stored_with_a_word(tmp_path: Path) -> None:
    file = written(tmp_path, ["TICKVOL", "VOL"], [base, lambda bar: 0], "XAU/USD")
    assert volumes(file) == TRUE
    assert "volume in ticks, not in the base currency" in file.notes


def test_contracts_are_named_with_their_value(tmp_path: Path) -> None:
    file = written(tmp_path, ["volume", "quote_volume"], [contracts, base], "BTC/USD:BTC")
    assert "volume counts contracts of 100: the amount in the base is quote_volume" in file.notes


def test_two_columns_of_one_name_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FileRefusedError, match="two columns are named volume, and their ratio is not the price"
    ):
        written(tmp_path, ["Volume", "Volume"], [base, other], "BTC/USDT")


def test_a_ratio_that_is_no_price_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, ["volume", "quote_volume"], [base, other], "BTC/USDT")
    assert volumes(file) == TRUE
    assert "volume taken for the base's volume: its ratio to quote_volume is not the price" in file.notes


def test_rows_whose_columns_are_swapped_are_put_right_and_marked(tmp_path: Path) -> None:
    change = bars()[100].opened

    def first(bar: Bar) -> float:
        return base(bar) if bar.opened < change else quote(bar)

    def second(bar: Bar) -> float:
        return quote(bar) if bar.opened < change else base(bar)

    file = written(tmp_path, ["Volume BTC", "Volume USD"], [first, second], "BTC/USD")
    assert volumes(file) == TRUE
    assert file.swapped.tolist() == [False] * 100 + [True] * 140


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("volume", VolumeKind.PLAIN),
        ("volume_mana", VolumeKind.BASE),
        ("volume_ma", None),
        ("volume_usd", VolumeKind.QUOTE),
        ("volume_usdt", VolumeKind.QUOTE),
        ("volume_eth", None),
        ("vwap", None),
        ("trade_count", None),
        ("volume_ratio", None),
        ("tick_volume", VolumeKind.TICKS),
        ("volume_24h", VolumeKind.PLAIN),
    ],
)
def test_a_column_is_a_currencys_by_the_whole_word_only(name: str, kind: VolumeKind | None) -> None:
    assert volume_kind(name, "mana", "usdt") is kind


@pytest.mark.parametrize(
    ("symbol", "names", "found"),
    [
        ("BTC/USDT", [], ("btc", "usdt")),
        ("BTC/USD:BTC", [], ("btc", "usd")),
        ("BTC-USD", [], ("btc", "usd")),
        ("BTCUSD_PERP", [], ("", "")),
        ("BTCUSDT", ["volume_btc"], ("btc", "usdt")),
        ("BTCUSDT", ["volume_usdt"], ("btc", "usdt")),
        ("BTCUSDT", ["volume"], ("", "")),
        (None, ["volume_btc"], ("", "")),
    ],
)
def test_a_symbols_currencies(symbol: str | None, names: list[str], found: tuple[str, str]) -> None:
    assert currencies(symbol, names) == found
