"""What was wrong with a file's bars: as lines for the reader, as rows for the record, each with its line."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from signals.engine.quality import QualityAction, QualityIssue, QualityKind
from signals.market.providers.candle_file import CandleFile

MOST_RECORDED = 500  # of a kind, of one file: a market that rarely trades has a hole every few minutes


@dataclass(frozen=True)
class Findings:
    """Issues by open time, whose details begin with their line."""

    file: CandleFile
    issues: list[QualityIssue]

    @classmethod
    def of(cls, file: CandleFile, issues: list[QualityIssue]) -> "Findings":
        every = [*_without_told_gaps(file, issues), *_swapped(file)]
        return cls(file, list(_with_lines(file, every)))

    def refusals(self) -> list[str]:
        path = self.file.path
        refused = [issue for issue in self.issues if issue.action is QualityAction.REFUSED]
        unreadable = [f"{path}: line {line}: {reason}" for line, reason in self.file.unreadable]
        return unreadable + [f"{path}: {_reason(issue)}" for issue in refused]

    def first_refusal(self) -> str:
        return next(iter(self.refusals()), "it has none")

    def flagged(self) -> Counter[str]:
        return Counter(issue.kind.value for issue in self.issues if issue.action is QualityAction.FLAGGED)

    def to_record(self) -> Iterator[QualityIssue]:
        """All of them, but of a kind with very many the first ones, the last of which counts the rest."""
        counts = Counter(issue.kind for issue in self.issues)
        seen: Counter[QualityKind] = Counter()
        for issue in self.issues:
            seen[issue.kind] += 1
            rest = counts[issue.kind] - MOST_RECORDED
            if rest > 0 and seen[issue.kind] == MOST_RECORDED:
                yield replace(issue, detail=f"{issue.detail}; and {rest} more of this kind in this file")
            elif seen[issue.kind] <= MOST_RECORDED:
                yield issue


def _without_told_gaps(file: CandleFile, issues: list[QualityIssue]) -> Iterator[QualityIssue]:
    """A hole is none where the file itself says, row by row, that nothing was traded."""
    if not len(file.not_traded):
        yield from issues
        return
    told = np.sort(file.not_traded)
    step = file.timeframe.milliseconds
    present = np.unique(file.candles.open_time)
    for issue in issues:
        if issue.kind is QualityKind.GAP:
            end = int(present[np.searchsorted(present, issue.open_time)])
            first, last = np.searchsorted(told, (issue.open_time, end))
            if last - first >= (end - issue.open_time) // step:
                continue
        yield issue


def _swapped(file: CandleFile) -> list[QualityIssue]:
    detail = "the two volume columns were swapped; by their ratio to the price this is the right one"
    return [
        QualityIssue(QualityKind.SWAPPED_VOLUME, int(moment), QualityAction.FLAGGED, detail)
        for moment in file.candles.open_time[file.swapped]
    ]


def _with_lines(file: CandleFile, issues: Iterable[QualityIssue]) -> Iterator[QualityIssue]:
    """Each with its line; where a number is missing, with the cell that stood there."""
    issues = list(issues)
    lines = _lines(file, [issue.open_time for issue in issues])
    for issue in issues:
        found = lines.get(issue.open_time)
        if not found:
            yield issue
            continue
        detail = issue.detail
        if issue.kind is QualityKind.NOT_FINITE:
            detail = next((file.odd_cells[line] for line in found if line in file.odd_cells), detail)
        place = f"line{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"
        yield replace(issue, detail=f"{place}: {detail}")


def _lines(file: CandleFile, open_times: list[int]) -> dict[int, list[int]]:
    """The lines of the bars that open then; more than one for bars that came twice."""
    if not open_times:
        return {}
    rows = np.isin(file.candles.open_time, open_times)
    lines: dict[int, list[int]] = {}
    for moment, line in zip(file.candles.open_time[rows].tolist(), file.lines[rows].tolist(), strict=True):
        lines.setdefault(moment, []).append(line)
    return lines


def _reason(issue: QualityIssue) -> str:
    place, _, detail = issue.detail.partition(": ")
    return f"{place}: {issue.kind.value.replace('_', ' ')} ({detail})"
