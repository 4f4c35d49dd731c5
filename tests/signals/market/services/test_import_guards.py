"""What the importer does not do without being asked: mix two worlds, or change what is stored."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from signals.engine.candle import OHLCV
from signals.engine.timeframe import Timeframe
from signals.market.models import Candle, CandleChunk, DataQualityIssue, Exchange, Instrument
from signals.market.providers.candle_file import FileRefusedError
from signals.market.services.importing import ImportOptions, import_candles
from signals.market.services.worlds import (
    MarketInUseError,
    exchange_with_candles,
    reason_against_real_candles,
    remove_market,
)
from signals.models import Evaluation
from tests.factories import make_instrument, make_series, store

pytestmark = pytest.mark.django_db
START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
SERIES = make_series(bars=300, start=START)


def written(folder: Path, candles: OHLCV) -> Path:
    names = ("open_time", "open", "high", "low", "close", "volume")
    rows = zip(*(getattr(candles, name).tolist() for name in names), strict=True)
    path = folder / "x_1h.csv"
    path.write_text("\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows)]))
    return path


def imported(path: Path, *, exchange: str = "gemini", force: bool = False) -> int:
    options = ImportOptions(exchange_code=exchange, symbol="BTC/USD", force=force)
    return len(import_candles(path=path, options=options, as_of=AS_OF).stored)


def with_other_closes(rows: int) -> OHLCV:
    close = SERIES.close.copy()
    close[:rows] = (SERIES.high + SERIES.low)[:rows] / 2
    return OHLCV(SERIES.open_time, SERIES.open, SERIES.high, SERIES.low, close, SERIES.volume)


def test_an_exchange_of_the_sandbox_takes_no_file(tmp_path: Path) -> None:
    make_instrument()  # of the sandbox's binance
    with pytest.raises(FileRefusedError, match=r"binance is the sandbox's here.*SANDBOX=false"):
        imported(written(tmp_path, SERIES), exchange="binance")
    assert not Candle.objects.exists()
    assert Instrument.objects.count() == 1


def test_a_database_with_simulated_candles_takes_no_real_ones(tmp_path: Path) -> None:
    store(make_instrument(), Timeframe.H1, SERIES)
    with pytest.raises(
        FileRefusedError, match=r"a sandbox's database, with simulated candles of binance.*gemini"
    ):
        imported(written(tmp_path, SERIES))
    assert Exchange.objects.get().code == "binance"  # the next start finds nothing of the other world


def test_a_sandboxes_exchange_without_candles_makes_no_sandbox(tmp_path: Path) -> None:
    make_instrument()
    assert imported(written(tmp_path, SERIES)) == 300
    assert not Exchange.objects.get(code="gemini").is_simulated


def test_an_unknown_exchange_is_a_new_and_real_one(tmp_path: Path) -> None:
    assert imported(written(tmp_path, SERIES), exchange="nowhere") == 300
    assert not Exchange.objects.get(code="nowhere").is_simulated


@pytest.mark.parametrize(("changed", "asks"), [(0, False), (1, False), (3, False), (4, True), (300, True)])
def test_more_than_a_small_share_of_changed_candles_is_asked_for(
    tmp_path: Path, changed: int, asks: bool
) -> None:
    imported(written(tmp_path, SERIES))
    path = written(tmp_path, with_other_closes(changed))
    if not asks:
        assert imported(path) == changed
        return
    before = list(Candle.objects.order_by("open_time").values_list())
    with pytest.raises(
        FileRefusedError, match=rf"{changed} of the 300 candles.*the first at 2024-01-01 00:00, close"
    ):
        imported(path)
    assert list(Candle.objects.order_by("open_time").values_list()) == before
    assert imported(path, force=True) == changed


def test_the_noise_of_a_float_is_no_change(tmp_path: Path) -> None:
    imported(written(tmp_path, SERIES))
    close = np.nextafter(SERIES.close, SERIES.low)
    other = OHLCV(SERIES.open_time, SERIES.open, SERIES.high, SERIES.low, close, SERIES.volume)
    imported(written(tmp_path, other))  # does not ask


def test_the_command_asks_for_force_and_takes_it(tmp_path: Path) -> None:
    asked = ("--exchange", "gemini", "--symbol", "BTC/USD")
    out = StringIO()
    call_command("import_candles", str(written(tmp_path, SERIES)), *asked, stdout=out)
    path = str(written(tmp_path, with_other_closes(300)))
    with pytest.raises(CommandError, match="Give --force to replace them"):
        call_command("import_candles", path, *asked, stdout=out)
    call_command("import_candles", path, *asked, "--force", stdout=out)
    assert "0 new, 300 corrected" in out.getvalue()


def test_an_import_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    import_candles(
        path=written(tmp_path, SERIES),
        options=ImportOptions(exchange_code="gemini", symbol="BTC/USD"),
        as_of=AS_OF,
        progress=lambda *progress: told.append(progress),
    )
    assert [step[:2] for step in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[-1][2] == "x_1h.csv: 300 candles new or corrected"


def test_very_many_holes_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    every_other = OHLCV(
        *(getattr(make_series(bars=4_000, start=START), name)[::2] for name in OHLCV.__dataclass_fields__)
    )
    path = written(tmp_path, every_other)
    options = ImportOptions(exchange_code="gemini", symbol="BTC/USD", timeframe=Timeframe.H1)
    report = import_candles(path=path, options=options, as_of=AS_OF)
    gaps = DataQualityIssue.objects.filter(kind="gap").order_by("open_time")
    assert gaps.count() == 500
    assert report.flagged["gap"] == int((np.diff(every_other.open_time) > Timeframe.H1.milliseconds).sum())
    assert f"and {report.flagged['gap'] - 500} more of this kind" in gaps[499].detail


def test_the_world_of_a_database_is_known_by_its_candles() -> None:
    simulated = make_instrument()
    real = make_instrument(exchange=Exchange.objects.create(code="gemini", name="Gemini"))
    assert exchange_with_candles(is_simulated=True) is None
    assert reason_against_real_candles(real.exchange) is None
    store(real, Timeframe.H1, SERIES)
    assert exchange_with_candles(is_simulated=True) is None
    store(simulated, Timeframe.H1, SERIES)
    assert exchange_with_candles(is_simulated=True) == simulated.exchange
    assert exchange_with_candles(is_simulated=False) == real.exchange


def test_the_other_market_is_removed_whole_and_only_it(tmp_path: Path) -> None:
    imported(written(tmp_path, SERIES))
    simulated = make_instrument()
    store(simulated, Timeframe.H1, SERIES)
    assert remove_market(is_simulated=False) == ["gemini BTC/USD with 300 candles", "exchange gemini"]
    assert set(Candle.objects.values_list("instrument", flat=True)) == {simulated.pk}
    assert not CandleChunk.objects.exists()
    assert Exchange.objects.get() == simulated.exchange


def test_a_market_that_was_worked_with_is_kept(tmp_path: Path) -> None:
    imported(written(tmp_path, SERIES))
    gemini = Instrument.objects.get()
    Evaluation.objects.create(
        instrument=gemini,
        timeframe="1h",
        candle_open_time=START,
        source="hybrid",
        outcome="none",
        reason="quiet",
        as_of=AS_OF,
        evaluated_at=AS_OF,
    )
    with pytest.raises(MarketInUseError, match="Evaluation"):
        remove_market(is_simulated=False)
    assert Candle.objects.count() == 300
    assert CandleChunk.objects.exists()
