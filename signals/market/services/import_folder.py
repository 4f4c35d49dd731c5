"""Candles from a file or from all files of a folder, each stored whole or not at all."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file import DateOrder, Decimal, FileRefusedError, candle_files
from signals.market.services.importing import STEPS, ImportOptions, ImportReport, import_candles
from signals.market.services.progress import Progress

SHOWN_REFUSALS = 20
READ_AS = {"timeframe": Timeframe, "timezone": ZoneInfo, "decimal": Decimal, "date_order": DateOrder}


class ImportFlawedError(Exception):
    """Some files were refused, wholly or in part; what was clean is stored. The message names each line."""


def options_from(asked: Mapping[str, Any]) -> ImportOptions:
    """Options from plain values, as a job's parameters keep them."""
    read: dict[str, Any] = {
        name: READ_AS[name](value) if name in READ_AS and value is not None else value
        for name, value in asked.items()
    }
    return ImportOptions(**read)


def import_folder(
    *, path: Path, options: ImportOptions, as_of: datetime, progress: Progress
) -> dict[str, int]:
    """Import them one by one; counts of candles. Raises FileRefusedError when there is none, and ImportFlawedError.

    `progress` gets a line of each file after it is stored, and may stop before the next by raising.
    """
    files = candle_files(path)
    told, refused, flawed, new, corrected = "", list[str](), 0, 0, 0
    for number, file in enumerate(files):

        def step(done: int, total: int, message: str, number: int = number, told: str = told) -> None:
            progress(number * STEPS + done, len(files) * STEPS, told)

        try:
            report = import_candles(path=file, options=options, as_of=as_of, progress=step)
        except FileRefusedError as error:
            refused.append(f"refused {error}")
            flawed += 1
            continue
        new, corrected = new + len(report.stored.inserted), corrected + len(report.stored.corrected)
        refused += _refused(file, report)
        flawed += bool(report.refusals)
        told = _summary(file, report)
        progress((number + 1) * STEPS, len(files) * STEPS, told)
    if flawed:
        summary = f"{flawed} of {len(files)} files refused, wholly or in part."
        raise ImportFlawedError("\n".join([summary, *refused]))
    return {"files": len(files), "new": new, "corrected": corrected}


def _refused(path: Path, report: ImportReport) -> list[str]:
    lines = [f"refused {refusal}" for refusal in report.refusals[:SHOWN_REFUSALS]]
    if (hidden := len(report.refusals) - SHOWN_REFUSALS) > 0:
        lines.append(
            f"refused {path}: {hidden} more; bars with a time are in the admin under data quality issues"
        )
    return lines


def _summary(path: Path, report: ImportReport) -> str:
    counts = [
        f"{len(report.stored.inserted)} new",
        f"{len(report.stored.corrected)} corrected",
        f"{report.unchanged} unchanged",
        f"{len(report.refusals)} refused",
        *(f"{count} flagged {kind.replace('_', ' ')}" for kind, count in sorted(report.flagged.items())),
        *report.notes,
    ]
    place = f"{report.instrument.exchange.code} {report.instrument.symbol} {report.timeframe}"
    return f"{path.name} -> {place}: {', '.join(counts)}"
