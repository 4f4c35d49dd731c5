"""The model card of candle files: the pairs with most history, each verdict, and refusals in one line."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autopilot.services.model_card_report import most_history, report_on_files
from autopilot.trainers.on_noise import promoted_on_noise
from autopilot.trainers.selector import fit_samples
from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import FileRefusedError
from tests.factories import make_series

START = datetime(2024, 11, 1, tzinfo=UTC)


def stored(folder: Path, name: str, bars: int, seed: int) -> None:
    candles = make_series(bars=bars, start=START, seed=seed)
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"timestamp": candles.open_time} | columns), folder / f"{name}_1h.parquet")


def test_pairs_with_most_history_are_judged_by_year_whatever_comes_of_it(tmp_path: Path) -> None:
    for seed, (name, bars) in enumerate((("AAAUSDT", 600), ("BBBUSDT", 2_200), ("CCCUSDT", 2_000))):
        stored(tmp_path, name, bars, seed)
    told: list[str] = []

    report = report_on_files(
        folder=tmp_path,
        timeframes=[Timeframe.H1],
        pairs=2,
        fit=fit_samples,
        progress=lambda done, total, message: told.append(message),
    )

    assert "BBBUSDT, CCCUSDT" in report
    assert "AAAUSDT" not in report
    assert "## 1h: not promoted" in report
    assert "| all |" in report
    assert "| 2025 |" in report
    assert "Least gain of its choices a decision" in report
    assert "samples of BBBUSDT" in told
    assert "nan" not in report


def test_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match=r"_4h\.parquet"):
        most_history(tmp_path, Timeframe.H4, 2)


@pytest.mark.slow
def test_noise_is_not_promoted_and_a_planted_rule_is_found() -> None:
    found = promoted_on_noise(seeds=2, rows=1_500, progress=lambda done, total, message: None)

    assert found["promoted"] == []
    assert found["planted"] >= 0.95
