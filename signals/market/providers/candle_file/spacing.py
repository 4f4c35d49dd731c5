"""How long the bars are: what the user says, what the file's name says, or what the open times allow."""

from pathlib import Path

import numpy as np

from signals.engine.candle import TimeArray
from signals.engine.timeframe import Timeframe
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.file_format import FileFormat, usual_timeframe

STRAY_SHARE = 0.01
STRAY_SHARE_AS_SAID = 0.25  # a wrong length puts at least half of the bars between its starts
ENOUGH_FOR_A_STRAY = 20
NEAR = 20  # times the length: months are 28 days apart and no daily bars with holes
FEW_BARS = 10


def named_timeframe(path: Path, form: FileFormat | None) -> Timeframe | None:
    return (form.timeframe_in if form else usual_timeframe)(path.name.split(".")[0])


def timeframe_of(
    path: Path, open_times: TimeArray, said: Timeframe | None, named: Timeframe | None
) -> tuple[Timeframe, list[str]]:
    """The length of the bars, and notes.

    What is said holds while the open times are multiples of it, however far apart they stand: a market that rarely
    trades has no bar for most minutes. Where nothing is said, the greatest length that divides all distances, if
    some stand nearly that close. Raises FileRefusedError.
    """
    ordered = np.sort(open_times)
    times = ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]
    if said or named:
        return _as_said(path, times, said, named)
    if len(times) < 2:
        raise FileRefusedError(path, "too few bars to see their length: give --timeframe, e.g. 1h")
    for timeframe in reversed(Timeframe):
        aligned = times[times % timeframe.milliseconds == 0]
        strays = len(times) - len(aligned)
        if len(aligned) < 2 or strays > max(STRAY_SHARE * len(times), len(times) >= ENOUGH_FOR_A_STRAY):
            continue
        distances = np.diff(aligned)
        if int(np.gcd.reduce(distances)) != timeframe.milliseconds:
            break
        if int(distances.min()) < NEAR * timeframe.milliseconds:
            return timeframe, _sparse(timeframe, distances)
        far = _words(int(distances.min()))
        raise FileRefusedError(
            path,
            f"no two bars are neighbours: the nearest are {far} apart, all a multiple of {timeframe}; give --timeframe",
        )
    raise FileRefusedError(path, _no_length(times))


def _as_said(
    path: Path, times: TimeArray, said: Timeframe | None, named: Timeframe | None
) -> tuple[Timeframe, list[str]]:
    timeframe = said or named
    assert timeframe  # noqa: S101  (the caller has one of them)
    off = times[times % timeframe.milliseconds != 0]
    distances = np.diff(times)
    common = int(np.gcd.reduce(distances)) if len(distances) else 0
    if len(off) > STRAY_SHARE_AS_SAID * len(times):
        apart = f"bars stand {_words(common)} apart" if common else "there is one bar"
        raise FileRefusedError(
            path,
            f"said to be {timeframe}{'' if said else ' by its name'}, but {apart} and "
            f"{len(off)} of {len(times)} open at no start of such a bar, the first at {_instant(int(off[0]))}: "
            "give the right --timeframe, or --timezone if the times are local",
        )
    if common <= timeframe.milliseconds or common % timeframe.milliseconds:
        return timeframe, []
    if not said and len(times) >= FEW_BARS:
        raise FileRefusedError(
            path,
            f"said to be {timeframe} by its name, but all bars stand {_words(common)} apart or a multiple: "
            "give --timeframe",
        )
    return timeframe, [f"all bars stand {_words(common)} apart or a multiple: taken for {timeframe} as said"]


def _sparse(timeframe: Timeframe, distances: TimeArray) -> list[str]:
    share = float((distances == timeframe.milliseconds).mean())
    if share >= 0.5:
        return []
    return [f"{timeframe} bars with many holes: {share:.0%} have a neighbour"]


def _no_length(times: TimeArray) -> str:
    common = int(np.gcd.reduce(np.diff(times)))
    known = ", ".join(Timeframe)
    fitting = next((one for one in Timeframe if one.milliseconds == common), None)
    if fitting:
        opened = _instant(int(times[0]))
        return (
            f"bars are {_words(common)} apart, but open at {opened}, which is no start of a {fitting} bar in UTC: "
            "give --timezone if the times are local"
        )
    if common == _commonest(times):
        return f"bars are {_words(common)} apart, which is none of {known}: no others are kept"
    usual = _words(_commonest(times))
    return f"bars are {_words(common)} apart (most: {usual}), which is none of {known}: give --timeframe"


def _commonest(times: TimeArray) -> int:
    lengths, counts = np.unique(np.diff(times), return_counts=True)
    return int(lengths[np.argmax(counts)])


def _words(milliseconds: int) -> str:
    if milliseconds % 1000:
        return f"{milliseconds} ms"
    return f"{milliseconds // 1000} s"


def _instant(moment: int) -> str:
    return f"{np.datetime64(moment, 'ms')}Z".replace("T", " ").replace(":00.000", "")
