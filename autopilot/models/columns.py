"""Columns that several tables share."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeAlias

from django.db import models

AnyDecimal: TypeAlias = "models.DecimalField[Any, Any]"


def in_steps(**options: Any) -> AnyDecimal:
    """Prices and quantities, in whole steps of the instrument."""
    return models.DecimalField(max_digits=38, decimal_places=18, **options)


def money(**options: Any) -> AnyDecimal:
    """Whole 1e-8 of the quote currency, as the fill code counts."""
    return models.DecimalField(max_digits=28, decimal_places=8, **options)


def choices(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(each.value, each.value.replace("_", " ").capitalize()) for each in values]
