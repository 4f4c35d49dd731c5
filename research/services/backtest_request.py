"""What a backtest is asked with: checked once, kept as JSON, built anew from it by the worker."""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from autopilot.engine.model_choice import ModelParameters
from autopilot.engine.simulator import Fixed, FractionOfEquity, RiskPerTrade, VolatilityTarget
from autopilot.services.backtest import Decider
from autopilot.services.model_choice import model_decider, model_row
from signals.engine.cost_rates import CostRates
from signals.engine.hybrid import HybridSettings
from signals.engine.performance import periods_per_year
from signals.engine.session import AssetClass
from signals.engine.strategies import STRATEGIES
from signals.engine.strategy import Strategy
from signals.engine.timeframe import BASE_TIMEFRAME, Timeframe
from signals.engine.trend import FROZEN, RULE, TIMEFRAME, TrendSettings

FUSED = "fused"
MODEL = "model"  # "model:12" is the choice of the selector with that key
LONGEST_KEY = 10
Sizing = Fixed | FractionOfEquity | RiskPerTrade | VolatilityTarget


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """instruments: primary keys. strategy: of STRATEGIES, RULE, FUSED or MODEL:key. parameters: what is no default.

    start, end: ISO moments with a zone; a bar counts that opens in [start, end). Amounts are decimal text, so that
    the same request is the same JSON. ValueError for what cannot be run.
    """

    instruments: list[int]
    strategy: str
    timeframe: str
    start: str
    end: str
    parameters: dict[str, float] = field(default_factory=dict)
    cash: str = "10000"
    sizing: str = "fraction"
    size: str = "0.1"
    maker_bps: str = "10"
    taker_bps: str = "10"
    slippage_bps: str = "2"
    shorts_on_spot: bool = False

    def __post_init__(self) -> None:
        if not self.instruments:
            raise ValueError("choose at least one instrument")
        if self.strategy not in {FUSED, RULE, *STRATEGIES} and self.model is None:
            raise ValueError(f"there is no strategy called {self.strategy!r}")
        if self.strategy == FUSED and self.timeframe != BASE_TIMEFRAME:
            raise ValueError(f"the fused decision is made on {BASE_TIMEFRAME.value} candles")
        if self.strategy == RULE and self.timeframe != TIMEFRAME:
            raise ValueError(f"the trend rule is decided on {TIMEFRAME.value} candles")
        if self.first >= self.last:
            raise ValueError("the end must be later than the start")
        self.costs()
        if self.model is None:
            self.decider()
        else:
            ModelParameters(**typed(ModelParameters(), self.parameters))
            model_row(pk=self.model, start=self.first, timeframe=self.timeframe)
        self.sized(AssetClass.CRYPTO)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "BacktestRequest":
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def first(self) -> datetime:
        return datetime.fromisoformat(self.start)

    @property
    def last(self) -> datetime:
        return datetime.fromisoformat(self.end)

    def costs(self) -> CostRates:
        return CostRates(Decimal(self.maker_bps), Decimal(self.taker_bps), Decimal(self.slippage_bps))

    @property
    def model(self) -> int | None:
        """Key of the selector whose choice is asked for; None for a strategy."""
        prefix, _, number = self.strategy.partition(":")
        return int(number) if prefix == MODEL and number.isdecimal() and len(number) < LONGEST_KEY else None

    def decider(self) -> Decider:
        """The strategy, the settings of the trend rule or the fused decision, or the model, with these parameters."""
        if self.model is not None:
            chosen = ModelParameters(**typed(ModelParameters(), self.parameters))
            return model_decider(pk=self.model, start=self.first, timeframe=self.timeframe, parameters=chosen)
        if self.strategy == FUSED:
            return HybridSettings(**typed(HybridSettings(), self.parameters))  # type: ignore[arg-type]
        if self.strategy == RULE:
            return TrendSettings(**typed(FROZEN, self.parameters))  # type: ignore[arg-type]
        strategy = STRATEGIES[self.strategy]
        kind = type(strategy.parameters)
        made: Strategy = type(strategy)(kind(**typed(strategy.parameters, self.parameters)))  # type: ignore[call-arg]
        return made

    def default_parameters(self) -> dict[str, float]:
        """Of the strategy, the rule, or the fused decision: those that have bounds."""
        return {name: getattr(self._holder, name) for name in self.parameter_bounds()}

    def parameter_bounds(self) -> dict[str, tuple[float, float]]:
        named = {each.name: each.metadata.get("bounds") for each in fields(self._holder)}
        return {name: bounds for name, bounds in named.items() if bounds is not None}

    @property
    def _holder(self) -> Any:
        if self.model is not None:
            return ModelParameters()
        own = {FUSED: HybridSettings(), RULE: FROZEN}
        return own[self.strategy] if self.strategy in own else STRATEGIES[self.strategy].parameters

    def sized(self, asset_class: AssetClass) -> Sizing:
        amount = Decimal(self.size)
        match self.sizing:
            case "fraction":
                return FractionOfEquity(amount)
            case "risk":
                return RiskPerTrade(amount)
            case "fixed":
                return Fixed(amount)
            case "volatility":
                return VolatilityTarget(amount, periods_per_year(Timeframe(self.timeframe), asset_class))
        raise ValueError(f"there is no sizing called {self.sizing!r}")


def typed(defaults: Any, given: dict[str, float]) -> dict[str, float]:
    """Whole numbers where the default is one; ValueError for a name that there is not, or half a bar."""
    found: dict[str, float] = {}
    for name, value in given.items():
        default = getattr(defaults, name, None)
        if default is None:
            raise ValueError(f"{name} is no parameter of {type(defaults).__name__}")
        if isinstance(default, int) and value != int(value):
            raise ValueError(f"{name} is {value}; it must be a whole number")
        found[name] = int(value) if isinstance(default, int) else float(value)
    return found
