"""Which arm of an experiment a unit belongs to: drawn by hash, the same at every time and in every place.

The same arithmetic stands in SQL in `notifications/services/eligibility.py`.
"""

from collections.abc import Sequence
from hashlib import sha256
from math import isclose, isfinite

HASHED_DIGITS = 8
DRAWS = 16**HASHED_DIGITS


def draw(salt: str, unit: str) -> float:
    """A number in [0, 1), even over units: the first 32 bits of sha256 of `salt:unit`."""
    digest = sha256(f"{salt}:{unit}".encode()).hexdigest()
    return int(digest[:HASHED_DIGITS], 16) / DRAWS


def intervals(shares: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Half-open parts of [0, 1) in the order of the arms, as long as their shares; these must sum to 1."""
    if not all(isfinite(share) and share > 0 for share in shares) or not isclose(
        sum(shares), 1, abs_tol=1e-9
    ):
        raise ValueError(
            f"shares must be positive and sum to 1, not {', '.join(f'{each:g}' for each in shares)}"
        )
    ends = [sum(shares[: number + 1]) for number in range(len(shares) - 1)] + [1.0]
    return tuple(zip([0.0, *ends[:-1]], ends, strict=True))


def arm_of(salt: str, unit: str, shares: Sequence[float]) -> int:
    """Place of the unit's arm among the shares."""
    drawn = draw(salt, unit)
    return next(place for place, (_, end) in enumerate(intervals(shares)) if drawn < end)


def block_of(moment: int, block_hours: int) -> str:
    """The block of signal time in which a moment (UTC ms) lies, counted from 1970; a unit of assignment."""
    return str(moment // (block_hours * 3_600_000))
