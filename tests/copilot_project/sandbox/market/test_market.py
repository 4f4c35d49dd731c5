import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from copilot_project.sandbox.config import SandboxConfig, SandboxError
from copilot_project.sandbox.exchange.opening import candidate_days, open_venue
from copilot_project.sandbox.exchange.timeline import Timeline
from copilot_project.sandbox.market.bars import DAY_MS, HOUR_MS, INTERVALS, bars_at, resample
from copilot_project.sandbox.market.recorded import RecordedMarket
from copilot_project.sandbox.market.shift import choose_shift, try_shift
from copilot_project.sandbox.market.simulated import SimulatedMarket
from tests.copilot_project.sandbox.served import SIMULATED, Served, configured, serving

START = 1_735_689_600_000  # 2025-01-01T00:00Z
OUTAGE = 1_679_662_800_000  # 2023-03-24T13:00Z, when Binance stood still


@pytest.fixture(scope="session")
def finom(shared_data: Path) -> RecordedMarket:
    return RecordedMarket(shared_data / "ohlcv" / "binance_spot_finom")


def test_simulated_candles_depend_on_nothing_but_seed_symbol_and_time() -> None:
    whole = SIMULATED.bars("BTCUSDT", "1h", START, START + 90 * DAY_MS)
    fresh = SimulatedMarket(seed=7).bars("BTCUSDT", "1h", START + 40 * DAY_MS, START + 41 * DAY_MS)
    other = SimulatedMarket(seed=8).bars("BTCUSDT", "1h", START + 40 * DAY_MS, START + 41 * DAY_MS)
    assert np.array_equal(fresh.close, whole.close[40 * 24 : 41 * 24])
    assert not np.array_equal(fresh.close, other.close)


@pytest.mark.parametrize("interval", ["5m", "15m", "1h", "4h", "1d"])
def test_simulated_intervals_agree_with_the_minutes(interval: str) -> None:
    span = (START, START + 31 * DAY_MS)
    coarse = SIMULATED.bars("DOGEUSDT", interval, *span)
    rebuilt = resample(SIMULATED.bars("DOGEUSDT", "1m", *span), INTERVALS[interval])
    assert len(coarse) == 31 * DAY_MS // INTERVALS[interval]
    for ours, expected in zip(coarse.columns(), rebuilt.columns(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_simulated_candles_hold_together_and_prices_stay_believable() -> None:
    bars = SIMULATED.bars("ETHUSDT", "1h", START - 700 * DAY_MS, START + 700 * DAY_MS)
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (np.diff(bars.open_time) == HOUR_MS).all()
    assert np.array_equal(bars.open[1:], bars.close[:-1])
    assert 300 < bars.low.min() < bars.high.max() < 30_000


def test_simulated_volatility_comes_in_clusters() -> None:
    returns = np.diff(np.log(SIMULATED.bars("BTCUSDT", "1h", START, START + 365 * DAY_MS).close))
    size = np.abs(returns)
    assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.15
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.1


def test_forming_candle_grows_into_the_closed_one() -> None:
    at = START + 5 * HOUR_MS
    closed = SIMULATED.bars("BTCUSDT", "1h", at, at + 1)
    seen = [
        bars_at(SIMULATED, "BTCUSDT", "1h", (at, at + HOUR_MS), at + minutes * 60_000, 0.01)
        for minutes in (1, 20, 40, 59)
    ]
    highs = [float(bars.high[-1]) for bars in seen]
    assert highs == sorted(highs)
    assert highs[-1] <= closed.high[0]
    assert all(bars.open[-1] == closed.open[0] for bars in seen)
    assert seen[0].volume[-1] < seen[-1].volume[-1] < closed.volume[0]


def test_recorded_gap_stays_a_gap_after_the_shift(tmp_path: Path, finom: RecordedMarket) -> None:
    bars = finom.bars("BTCUSDT", "1h", OUTAGE - 2 * HOUR_MS, OUTAGE + 2 * HOUR_MS)
    assert ((bars.open_time - OUTAGE) // HOUR_MS).tolist() == [-2, -1, 1]


@pytest.mark.slow
def test_recorded_candles_are_served_unchanged_under_a_whole_day_shift(
    tmp_path: Path, shared_data: Path, finom: RecordedMarket
) -> None:
    data = shared_data / "ohlcv" / "binance_spot_finom"
    venue, choice = open_venue(SandboxConfig(state=tmp_path, data=data))
    assert choice is not None
    now = venue.timeline.now_ms()
    for interval in ("1h", "4h", "1d"):
        step = INTERVALS[interval]
        served = venue.klines("ETHUSDT", interval, None, None, 501)
        assert served.open_time[-1] == now - now % step
        recorded = finom.bars("ETHUSDT", interval, 0, 1 << 62)
        rows = np.searchsorted(recorded.open_time, served.open_time[:-1] - choice.days * DAY_MS)
        assert np.array_equal(recorded.close[rows], served.close[:-1])
    assert venue.kind == "recorded-shifted"


@pytest.mark.slow
def test_chosen_day_is_one_on_which_the_engine_decides(
    finom: RecordedMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "copilot_project.sandbox.market.shift.BUDGET_S", 240.0
    )  # a machine may be busy with other tests
    now = 1_795_216_736_477
    choice = choose_shift(finom, now, candidate_days(finom.first_ms, finom.end_ms, now)[:25])
    as_of = now - now % HOUR_MS - choice.days * DAY_MS
    assert choice.fired >= 1
    assert try_shift(finom, as_of, choice.days).best == choice.best > 0.4


@pytest.mark.slow
def test_restart_keeps_the_shift_of_the_first_start(tmp_path: Path, shared_data: Path) -> None:
    data = shared_data / "ohlcv" / "binance_spot_finom"
    kept = tmp_path / "shift.json"
    open_venue(SandboxConfig(state=tmp_path, data=data))
    first = json.loads(kept.read_text())
    kept.write_text(json.dumps(first | {"days": first["days"] + 3}))
    venue, _ = open_venue(SandboxConfig(state=tmp_path, data=data))
    assert venue.timeline.shift_days == first["days"] + 3


def test_shift_leaves_history_behind_and_future_ahead() -> None:
    first, end, now = START, START + 400 * DAY_MS, START + 1000 * DAY_MS + 5 * HOUR_MS
    days = candidate_days(first, end, now)
    assert now - days[0] * DAY_MS < end - 13 * DAY_MS
    assert now - days[-1] * DAY_MS > first + 29 * DAY_MS


def test_recorded_time_starts_where_it_is_told(tmp_path: Path, shared_data: Path) -> None:
    data = shared_data / "ohlcv" / "binance_spot_finom"
    config = SandboxConfig(state=tmp_path, data=data, time_mode="recorded", start_ms=START + HOUR_MS // 2)
    venue, _ = open_venue(config)
    assert venue.kind == "recorded"
    assert venue.klines("BTCUSDT", "1h", None, None, 2).open_time.tolist() == [START - HOUR_MS, START]


def test_folder_without_candles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no candles"):
        RecordedMarket(tmp_path)


def test_unsorted_file_is_refused_by_name(tmp_path: Path) -> None:
    columns = {name: [2.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"timestamp": [HOUR_MS, 0]} | columns), tmp_path / "BTCUSDT_1h.parquet")
    with pytest.raises(SandboxError, match=r"BTCUSDT_1h.parquet is not sorted"):
        RecordedMarket(tmp_path)


def shape(value: object) -> object:
    """Types all the way down; of lists the first element; strings of decimals by their number of places."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return (
            [shape(inner) for inner in value[:12]]
            if value and not isinstance(value[0], dict | list)
            else [shape(inner) for inner in value[:1]]
        )
    return type(value).__name__


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("ping", "http_spot_market_ping.json"),
        ("time", "http_spot_market_time.json"),
        ("klines?symbol=BTCUSDT&interval=1m&limit=3", "http_spot_market_klines.json"),
        ("ticker/price?symbol=BTCUSDT", "http_spot_market_ticker_price.json"),
        ("ticker/bookTicker?symbol=BTCUSDT", "http_spot_market_book_ticker.json"),
        ("ticker/24hr?symbol=BTCUSDT", "spot_ticker_24hr_response.json"),
    ],
)
async def test_bodies_have_the_recorded_shape(
    served: Served, shared_data: Path, path: str, recorded: str
) -> None:
    expected = json.loads((shared_data / "payloads" / "binance" / recorded).read_text())
    _, _, body = await served.get(f"/binance/api/v3/{path}")
    assert shape(body) == shape(expected)


async def test_symbols_have_the_recorded_fields(served: Served, shared_data: Path) -> None:
    recorded = json.loads(
        (shared_data / "payloads" / "binance" / "spot_exchange_info_response.json").read_text()
    )
    _, _, body = await served.get("/binance/api/v3/exchangeInfo?symbol=BTCUSDT")
    assert set(body) == set(recorded)
    assert set(body["symbols"][0]) == set(recorded["symbols"][0])


async def test_limit_is_capped_at_a_thousand_and_defaults_to_five_hundred(tmp_path: Path) -> None:
    async with serving(configured(tmp_path)) as served:
        path = "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h"
        assert len((await served.get(path))[2]) == 500
        assert len((await served.get(path + "&limit=5000"))[2]) == 1000


def test_a_told_time_is_turned_on_by_hand_and_todays_is_not(tmp_path: Path) -> None:
    config = SandboxConfig(state=tmp_path, time_mode="recorded", start_ms=START)
    told, _ = open_venue(config)
    told.timeline.advance_to(START + 30 * DAY_MS)
    assert START + 30 * DAY_MS <= told.timeline.now_ms() < START + 31 * DAY_MS
    assert len(told.klines("BTCUSDT", "4h", None, None, 5)) == 5
    with pytest.raises(ValueError, match="never back"):
        told.timeline.advance_to(START)
    with pytest.raises(ValueError, match="today's time"):
        Timeline(3).advance_to(1 << 50)
