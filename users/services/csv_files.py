"""Subscribers as a CSV file: out for a spreadsheet, in with every line checked first."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Any
from uuid import UUID

import pghistory
from django.core.exceptions import ValidationError
from django.db import transaction

from users.engine.csv_cells import own_cell, safe_cell
from users.engine.subscriber import SubscriberStatus
from users.models import Subscriber, Tier

COLUMNS = (
    "public_id",
    "display_name",
    "tier",
    "account_type",
    "risk_profile",
    "language",
    "capital",
    "capital_currency",
    "risk_fraction",
    "subscription_starts_at",
    "subscription_ends_at",
    "notes",
)
ONLY_OUT = ("status", "telegram_username")
NEEDED = ("display_name", "tier")
MOST_LINES = 5000
LARGEST_FILE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LineError:
    """`line` counts from 1, the head included, as an editor does."""

    line: int
    problem: str


@dataclass(slots=True)
class ImportReport:
    """What an import does, or would do. With any error nothing is written."""

    created: int = 0
    changed: int = 0
    errors: list[LineError] = field(default_factory=list)
    is_dry: bool = True


def export_csv(*, subscribers: Iterable[Subscriber]) -> str:
    """A line for each, no cell of which is a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *ONLY_OUT])
    for each in subscribers:
        row = [_written(each, name) for name in (*COLUMNS, *ONLY_OUT)]
        writer.writerow([safe_cell(cell) for cell in row])
    return out.getvalue()


def _written(subscriber: Subscriber, name: str) -> str:
    value = subscriber.tier.code if name == "tier" else getattr(subscriber, name)
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def import_csv(*, text: str, by: str, why: str, dry_run: bool) -> ImportReport:
    """New subscribers, and with a `public_id` changed ones: all of them, or with any error none.

    A dry run writes nothing and reports the same.
    """
    report = ImportReport(is_dry=dry_run)
    with pghistory.context(actor=by, user=by, why=why), transaction.atomic():
        tiers = {tier.code: tier for tier in Tier.objects.all()}
        for line, cells in _lines(text, report):
            try:
                _save(cells, tiers, report)
            except ValidationError as error:
                report.errors.append(LineError(line, _in_words(error)))
        if dry_run or report.errors:
            transaction.set_rollback(True)
    return report


def _lines(text: str, report: ImportReport) -> Iterator[tuple[int, dict[str, str]]]:
    """Cells by column; what is no table is an error of its line."""
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        report.errors.append(LineError(1, "The file is larger than 2 MB: split it."))
        return
    reader = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        unknown = [name for name in head if name not in (*COLUMNS, *ONLY_OUT)]
        missing = [name for name in NEEDED if name not in head]
        if unknown or missing or len(set(head)) < len(head):
            report.errors.append(LineError(1, _head_problem(unknown, missing)))
            return
        for cells in reader:
            if reader.line_num > MOST_LINES:
                report.errors.append(
                    LineError(reader.line_num, f"More than {MOST_LINES} lines: split the file.")
                )
                return
            if not any(cells):
                continue
            if len(cells) != len(head):
                problem = f"It has {len(cells)} cells, and the head has {len(head)}."
                report.errors.append(LineError(reader.line_num, problem))
                continue
            yield (
                reader.line_num,
                {name: own_cell(cell).strip() for name, cell in zip(head, cells, strict=True)},
            )
    except csv.Error as error:
        report.errors.append(LineError(reader.line_num, f"This is no CSV: {error}."))


def _head_problem(unknown: list[str], missing: list[str]) -> str:
    if missing:
        return f"The head has no column {' and no '.join(missing)}."
    return f"Unknown columns: {', '.join(unknown)}." if unknown else "A column stands there twice."


def _save(cells: dict[str, str], tiers: dict[str, Tier], report: ImportReport) -> None:
    """One line; raises ValidationError."""
    public_id = cells.get("public_id", "")
    subscriber = _known(public_id) if public_id else Subscriber()
    for name in COLUMNS[1:]:
        if cells.get(name):
            setattr(subscriber, name, _value(name, cells[name], tiers))
        elif name in NEEDED and name in cells:
            raise ValidationError({name: "It is empty."})
    if subscriber.tier_id and subscriber.account_type not in subscriber.tier.account_types:
        raise ValidationError(
            {"account_type": f"{subscriber.tier} is not open to {subscriber.account_type} accounts."}
        )
    subscriber.full_clean()
    subscriber.save()
    if public_id:
        report.changed += 1
    else:
        report.created += 1


def _known(public_id: str) -> Subscriber:
    try:
        found = Subscriber.objects.select_related("tier").filter(public_id=UUID(public_id)).first()
    except ValueError as error:
        raise ValidationError({"public_id": "This is no id."}) from error
    if found is None or found.status == SubscriberStatus.REMOVED:
        raise ValidationError({"public_id": "Nobody has this id."})
    return found


def _value(name: str, text: str, tiers: dict[str, Tier]) -> Any:
    if name == "tier":
        if text not in tiers:
            raise ValidationError(
                {"tier": f"There is no tier {text}: write one of {', '.join(sorted(tiers))}."}
            )
        return tiers[text]
    if name in ("capital", "risk_fraction"):
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise ValidationError({name: f"{text} is no number."}) from error
    if name.endswith("_at"):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValidationError({name: f"{text} is no date: write 2026-12-31."}) from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return text


def _in_words(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(f"{name}: {' '.join(said)}" for name, said in error.message_dict.items())
