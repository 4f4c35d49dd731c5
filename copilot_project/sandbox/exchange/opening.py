"""Opens the venue that a configuration asks for."""

import json
from pathlib import Path

from copilot_project.sandbox.config import SandboxConfig, SandboxError
from copilot_project.sandbox.exchange.timeline import Timeline, wall_ms
from copilot_project.sandbox.exchange.venue import Venue, pick_tick
from copilot_project.sandbox.market.bars import DAY_MS, Market
from copilot_project.sandbox.market.recorded import RecordedMarket
from copilot_project.sandbox.market.shift import Choice, choose_shift
from copilot_project.sandbox.market.simulated import TICKS, SimulatedMarket

CANDIDATE_DAYS = 300
HISTORY_DAYS = 30
# The market goes on for at least this long after the start, where the recording allows it.
DAYS_AHEAD = 14


def open_venue(config: SandboxConfig) -> tuple[Venue, Choice | None]:
    """The market in its time, and why that time. Raises SandboxError when the folder has no candles."""
    if config.data is None:
        simulated = SimulatedMarket(config.seed)
        if config.time_mode == "recorded" and config.start_ms is not None:
            label = f"Simulated market (seed {config.seed}), its time turned on by hand"
            return Venue(simulated, _from(config.start_ms), label, TICKS), None
        choice = _choose(config, simulated, range(CANDIDATE_DAYS))
        label = f"Simulated market (seed {config.seed})"
        return Venue(simulated, Timeline(choice.days), label, TICKS), choice
    recorded = RecordedMarket(config.data)
    if config.time_mode == "recorded":
        return _at_recorded_time(recorded, config.start_ms), None
    choice = _choose(config, recorded, candidate_days(recorded.first_ms, recorded.end_ms, wall_ms()))
    label = f"Real candles shifted by {choice.days} days"
    return Venue(recorded, Timeline(choice.days), label, _ticks(recorded)), choice


def _choose(config: SandboxConfig, market: Market, candidates: range) -> Choice:
    """The shift that was asked for, or that of the last start, or the best one to be found.

    A restart keeps its shift: the product's stored candles would contradict those of another one.
    """
    if config.shift_days is not None:
        return Choice(config.shift_days, searched=False)
    kept = config.state / "shift.json"
    name = f"{market.name} {config.data or config.seed}"
    last = json.loads(kept.read_text()) if kept.exists() else {}
    if last.get("market") == name and last["days"] >= candidates[0] - DAYS_AHEAD:
        return Choice(last["days"], searched=False)
    choice = choose_shift(market, wall_ms(), candidates)
    _keep(kept, {"market": name, "days": choice.days})
    return choice


def _keep(path: Path, shift: dict[str, object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(shift))
    except OSError as error:
        raise SandboxError(f"--state {path.parent} cannot be written: {error}") from error


def _at_recorded_time(market: RecordedMarket, start_ms: int | None) -> Venue:
    start = market.end_ms if start_ms is None else start_ms
    return Venue(market, _from(start), "Real candles at recorded time", _ticks(market))


def _from(start_ms: int) -> Timeline:
    return Timeline(clock_offset_ms=start_ms - wall_ms(), may_advance=True)


def candidate_days(first_ms: int, end_ms: int, now_ms: int) -> range:
    """Shifts, most recent first, that leave history behind the start and future ahead of it."""
    least = -(-(now_ms - end_ms) // DAY_MS)
    most = (now_ms - first_ms) // DAY_MS
    start = least + min(DAYS_AHEAD, (most - least) // 4)
    stop = max(start + 1, most - HISTORY_DAYS)
    return range(start, min(stop, start + CANDIDATE_DAYS))


def _ticks(market: Market) -> dict[str, float]:
    ticks = {}
    for symbol in market.symbols:
        daily = market.bars(symbol, "1d", 0, 1 << 62)
        ticks[symbol] = pick_tick(float(daily.close[-1]))
    return ticks
