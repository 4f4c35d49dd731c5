"""A closed round trip out of its fills: averages, costs, profit and R, exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from autopilot.engine.market import Opposite

DIGITS = Decimal("1e-18")


@dataclass(frozen=True, slots=True)
class FilledPart:
    """One fill; `value`, `fee` and `risk` in quote currency, risk of entries only."""

    is_entry: bool
    quantity: Decimal
    price: Decimal
    value: Decimal
    fee: Decimal
    risk: Decimal = Decimal(0)
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """quantity: all that was entered. r_multiple: None where no entry had a stop."""

    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    net_profit: Decimal
    r_multiple: float | None
    is_ambiguous: bool


def round_trip(parts: Sequence[FilledPart], *, sign: int, funding: Decimal) -> RoundTrip:
    """From flat to flat; sign 1 is long. ValueError where entries and exits are not of the same quantity."""
    entries = [part for part in parts if part.is_entry]
    exits = [part for part in parts if not part.is_entry]
    quantity, left = (sum((part.quantity for part in each), Decimal(0)) for each in (entries, exits))
    if quantity != left or quantity <= 0:
        raise ValueError(f"a round trip of {quantity} entered and {left} left has not ended")
    paid, received = (sum((part.value for part in each), Decimal(0)) for each in (entries, exits))
    fees = sum((part.fee for part in parts), Decimal(0))
    risk = sum((part.risk for part in entries), Decimal(0))
    profit = sign * (received - paid) - fees - funding
    return RoundTrip(
        quantity=quantity,
        entry_price=average_price(entries),
        exit_price=average_price(exits),
        fees=fees,
        net_profit=profit,
        r_multiple=float(profit / risk) if risk else None,
        is_ambiguous=any(part.is_ambiguous for part in parts),
    )


def average_price(parts: Sequence[FilledPart]) -> Decimal:
    """Weighted by quantity, to 18 digits behind the point."""
    quantity = sum((part.quantity for part in parts), Decimal(0))
    weighted = sum((part.quantity * part.price for part in parts), Decimal(0))
    return (weighted / quantity).quantize(DIGITS)


def wanted(*, held: int, side: int, leaves: bool, adds: bool, opposite: Opposite) -> tuple[bool, bool]:
    """Whether a decision enters, and whether what is held is ended first. held and side: 1, -1, or 0 for none.

    The rule of the simulator (`market_path`), which a test holds it to.
    """
    leaves = leaves and held != 0
    if held * side < 0:
        return leaves or opposite == Opposite.REVERSE, leaves or opposite >= Opposite.CLOSE
    if held * side > 0 and not leaves and not adds:
        return False, False
    return side != 0, leaves
