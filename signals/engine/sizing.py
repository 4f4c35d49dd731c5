"""How much to trade, so that the stop costs what the subscriber is willing to lose."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from signals.engine.plain import plain

# Counted as one dollar each: a size is rounded by more than they part, as long as they hold.
DOLLARS = frozenset(("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "PYUSD", "DAI", "USDE"))


def is_same_money(one: str, other: str) -> bool:
    """Whether an amount of one currency may be counted as the other's: they are one, or both are dollars."""
    return one.upper() == other.upper() or {one.upper(), other.upper()} <= DOLLARS


@dataclass(frozen=True, slots=True)
class PositionSize:
    """`quantity` in units of the base asset, `risk_amount` (lost at the stop) in quote currency, `formula`.

    `refusal` says why there is nothing to trade; quantity and risk_amount are 0 then, and it is empty
    otherwise.
    """

    quantity: Decimal
    risk_amount: Decimal
    formula: str
    refusal: str = ""


def position_size(
    *,
    capital: Decimal,
    risk_fraction: Decimal,
    entry_price: Decimal,
    stop_loss: Decimal,
    step: Decimal | None = None,
    minimum_quantity: Decimal = Decimal(0),
    minimum_value: Decimal = Decimal(0),
) -> PositionSize:
    """quantity = capital x risk_fraction / |entry - stop|, rounded down to the exchange's `step`, before fees.

    A result below `minimum_quantity` (base) or `minimum_value` (quote, at the entry) is refused, never
    raised to the minimum: that would risk more than was asked for. ValueError unless capital, prices, step
    and the distance to the stop are positive, minima not negative and 0 < risk_fraction <= 1.
    """
    _check(capital, risk_fraction, entry_price, stop_loss)
    _check_limits(step, minimum_quantity, minimum_value)
    distance = abs(entry_price - stop_loss)
    risk_amount = capital * risk_fraction
    quantity = risk_amount / distance
    formula = (
        f"{capital:f} × {risk_fraction:f} / |{entry_price:f} − {stop_loss:f}|"
        f" = {risk_amount:f} / {distance:f} = {quantity:.8f}"
    )
    if step is not None:
        quantity = (quantity / step).to_integral_value(ROUND_DOWN) * step
        risk_amount = quantity * distance
        formula += f", in steps of {_plain(step)}: {_plain(quantity)}"
    refusal = _refusal(quantity, entry_price, minimum_quantity, minimum_value)
    if refusal:
        return PositionSize(Decimal(0), Decimal(0), formula, refusal)
    return PositionSize(quantity, risk_amount, formula)


def _refusal(
    quantity: Decimal, entry_price: Decimal, minimum_quantity: Decimal, minimum_value: Decimal
) -> str:
    if quantity == 0:
        return "the risk does not buy a single step of the exchange"
    if quantity < minimum_quantity:
        return f"{_brief(quantity)} is below the exchange's minimum of {_plain(minimum_quantity)}"
    if quantity * entry_price < minimum_value:
        value = _brief(quantity * entry_price)
        return f"a value of {value} is below the exchange's minimum of {_plain(minimum_value)}"
    return ""


def _plain(amount: Decimal) -> str:
    """Without the zeros that a database column keeps."""
    return plain(amount)


def _brief(amount: Decimal) -> str:
    """Eight decimals at most, cut rather than rounded: what is too little must not look like enough."""
    return _plain(amount.quantize(Decimal("1e-8"), ROUND_DOWN))


def _check(capital: Decimal, risk_fraction: Decimal, entry_price: Decimal, stop_loss: Decimal) -> None:
    for name, value in (("capital", capital), ("entry_price", entry_price), ("stop_loss", stop_loss)):
        if not (value.is_finite() and value > 0):
            raise ValueError(f"{name} must be positive, not {value}")
    if not (risk_fraction.is_finite() and 0 < risk_fraction <= 1):
        raise ValueError(f"risk_fraction must be above 0 and at most 1, not {risk_fraction}")
    if entry_price == stop_loss:
        raise ValueError("entry_price and stop_loss are equal: the risk per unit is zero")


def _check_limits(step: Decimal | None, minimum_quantity: Decimal, minimum_value: Decimal) -> None:
    if step is not None and not (step.is_finite() and step > 0):
        raise ValueError(f"step must be positive, not {step}")
    for name, value in (("minimum_quantity", minimum_quantity), ("minimum_value", minimum_value)):
        if not (value.is_finite() and value >= 0):
            raise ValueError(f"{name} must not be negative, but is {value}")
