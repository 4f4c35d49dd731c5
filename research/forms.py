"""Forms of the research pages. Strategies are looked up when a form is made: they load compiled code."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from django import forms

from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Assignment, TrainedModel

FUSED = "fused"
RULE = "trend_rule"  # as signals.engine.trend has it
MODEL, MOST_MODELS = "model:", 10
SIZINGS = (
    ("fraction", "Share of the account a trade"),
    ("risk", "Share of the account at risk a trade"),
    ("volatility", "Target volatility a year"),
    ("fixed", "Units of the base asset"),
)
OBJECTIVES = (
    ("max_sharpe", "Highest Sharpe ratio"),
    ("min_variance", "Least variance"),
    ("target_return", "Least variance at a return"),
    ("target_risk", "Highest return at a risk"),
    ("risk_parity", "Equal risk"),
    ("hierarchical_risk_parity", "Hierarchical risk parity"),
    ("inverse_volatility", "Inverse volatility"),
    ("least_cvar", "Least loss in the worst 5 %"),
    ("black_litterman", "Black-Litterman, signals as views"),
)
NOT_OPEN_TO_ARMS = ("validity_bars", "window_bars")  # as signals.services.experiments has it
PREFIX = "parameter_"


def strategy_choices() -> list[tuple[str, str]]:
    from signals.engine.strategies import STRATEGIES  # noqa: PLC0415

    plain = [
        (FUSED, "The fused decision"),
        (RULE, "The trend rule, managed exits (4h)"),
        *((name, name.replace("_", " ")) for name in STRATEGIES),
    ]
    models = TrainedModel.objects.filter(kind="selector").order_by("-trained_at")[:MOST_MODELS]
    chosen = [
        (
            f"{MODEL}{each.pk}",
            f"Choice of model {each.pk} ({each.get_state_display()}), from {each.data_to:%Y-%m-%d}",
        )
        for each in models.only("pk", "state", "data_to")
    ]
    return plain + chosen


def parameter_fields(strategy: str) -> dict[str, forms.Field]:
    """One field per parameter with its default and bounds, by name; none for a strategy that there is not."""
    from dataclasses import fields  # noqa: PLC0415

    from signals.engine.hybrid import HybridSettings  # noqa: PLC0415
    from signals.engine.strategies import LISTENERS, STRATEGIES  # noqa: PLC0415
    from signals.engine.trend import FROZEN  # noqa: PLC0415

    own: dict[str, Any] = {FUSED: HybridSettings(), RULE: FROZEN}
    if strategy.startswith(MODEL):
        from autopilot.engine.model_choice import ModelParameters  # noqa: PLC0415

        own[strategy] = ModelParameters()
    if strategy in LISTENERS or (strategy not in own and strategy not in STRATEGIES):
        return {}
    holder = own[strategy] if strategy in own else STRATEGIES[strategy].parameters
    found: dict[str, forms.Field] = {}
    for each in fields(holder):
        if "bounds" not in each.metadata:
            continue
        low, high = each.metadata["bounds"]
        default = getattr(holder, each.name)
        kind = forms.IntegerField if isinstance(default, int) else forms.FloatField
        step: dict[str, Any] = (
            {} if isinstance(default, int) else {"widget": forms.NumberInput(attrs={"step": "any"})}
        )
        found[each.name] = kind(
            label=each.name.replace("_", " ").capitalize(),
            min_value=low,
            max_value=high,
            initial=default,
            required=False,
            help_text=f"{low:g} to {high:g}; default {default:g}",
            **step,
        )
    return found


def midnight(date: Any) -> str:
    return datetime.combine(date, time(), UTC).isoformat()


def day(moment: str) -> str:
    return moment[:10]


class BacktestForm(forms.Form):
    title = forms.CharField(max_length=120, required=False, help_text="To find it again.")
    instruments = forms.ModelMultipleChoiceField(
        Instrument.objects.select_related("exchange"), widget=forms.CheckboxSelectMultiple
    )
    strategy = forms.ChoiceField()
    timeframe = forms.ChoiceField(choices=[(each.value, each.value) for each in Timeframe], initial="1h")
    start = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    end = forms.DateField(
        label="Until",
        help_text="UTC; this day is not traded any more.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    cash = forms.DecimalField(
        label="Cash", initial=Decimal(10_000), min_value=Decimal("0.01"), max_value=Decimal(10**9)
    )
    sizing = forms.ChoiceField(choices=SIZINGS)
    size = forms.DecimalField(
        initial=Decimal("0.1"), min_value=Decimal("0.00000001"), help_text="As a ratio: 0.1 is 10 %."
    )
    maker_bps = forms.DecimalField(label="Maker fee, bps", initial=10, min_value=-1000, max_value=1000)
    taker_bps = forms.DecimalField(label="Taker fee, bps", initial=10, min_value=0, max_value=1000)
    slippage_bps = forms.DecimalField(label="Slippage, bps", initial=2, min_value=0, max_value=1000)
    shorts_on_spot = forms.BooleanField(
        label="Sell short on spot markets too", required=False, help_text="Nobody can; for comparison only."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["strategy"].choices = strategy_choices()  # type: ignore[attr-defined]
        self.chosen = str(self.data.get("strategy") or self.initial.get("strategy") or FUSED)
        for name, each in parameter_fields(self.chosen).items():
            self.fields[PREFIX + name] = each

    @property
    def parameter_rows(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            from research.services.backtest_request import BacktestRequest  # noqa: PLC0415

            try:
                values["request"] = BacktestRequest(**self._asked(values))
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return values

    def _asked(self, values: dict[str, Any]) -> dict[str, Any]:
        parameters = {}
        for name, each in self.fields.items():
            given = values.get(name)
            if name.startswith(PREFIX) and given is not None and given != each.initial:
                parameters[name.removeprefix(PREFIX)] = given
        plain = ("strategy", "timeframe", "sizing", "shorts_on_spot")
        amounts = ("cash", "size", "maker_bps", "taker_bps", "slippage_bps")
        return {
            "instruments": sorted(each.pk for each in values["instruments"]),
            "parameters": parameters,
            "start": midnight(values["start"]),
            "end": midnight(values["end"]),
            **{name: values[name] for name in plain},
            **{name: f"{values[name].normalize():f}" for name in amounts},
        }

    @staticmethod
    def initial_of(asked: dict[str, Any], title: str) -> dict[str, Any]:
        """The form as it was when `asked` came of it, to run it again or with a change."""
        parameters = {PREFIX + name: value for name, value in asked["parameters"].items()}
        dates = {"start": day(asked["start"]), "end": day(asked["end"])}
        return {**asked, **parameters, **dates, "title": title}


class SweepForm(BacktestForm):
    """A backtest of which some parameters are searched over: those with a lowest and a highest value."""

    method = forms.ChoiceField(
        choices=[("grid", "Grid: every combination"), ("random", "Random"), ("optuna", "Optuna")]
    )
    number = forms.IntegerField(label="Combinations, at most", initial=200, min_value=1, max_value=5000)
    seed = forms.IntegerField(initial=0, min_value=0, max_value=2**31 - 1)
    folds = forms.IntegerField(
        label="Tests that follow each other", initial=5, min_value=2, max_value=20,
        help_text="Over the newer half of the days; each is chosen for by what came before it.",
    )  # fmt: skip
    embargo = forms.IntegerField(
        label="Embargo, days", initial=1, min_value=0, max_value=60, help_text="Beyond what a trade may last."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.searched: list[str] = []
        for name in [each for each in self.fields if each.startswith(PREFIX)]:
            plain = self.fields.pop(name)
            known = name.removeprefix(PREFIX)
            self.searched.append(known)
            kind = type(plain)
            for part, help_text in (("low", plain.help_text), ("high", ""), ("step", "")):
                self.fields[f"{part}_{known}"] = kind(
                    label=f"{plain.label}: {part}",
                    required=False,
                    help_text=help_text,
                    widget=forms.NumberInput(attrs={"step": "any", "aria-label": f"{plain.label}: {part}"}),
                )

    @property
    def search_rows(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Each parameter's words and its three fields."""
        return [
            (name.replace("_", " "), [self[f"{part}_{name}"] for part in ("low", "high", "step")])
            for name in self.searched
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        space: dict[str, list[float]] = {}
        for name in self.searched:
            low, high = values.get(f"low_{name}"), values.get(f"high_{name}")
            if low is None and high is None:
                continue
            if low is None or high is None:
                self.add_error(
                    f"{'low' if low is None else 'high'}_{name}", "Give the lowest and the highest."
                )
                continue
            space[name] = [float(low), float(high), float(values.get(f"step_{name}") or 1)]
        if not self.errors:
            from research.services.sweep_request import SweepRequest  # noqa: PLC0415

            plain = ("method", "number", "seed", "folds", "embargo")
            try:
                values["sweep"] = SweepRequest(
                    base=values["request"], space=space, **{name: values[name] for name in plain}
                )
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return values

    @staticmethod
    def initial_of_sweep(asked: dict[str, Any], title: str) -> dict[str, Any]:
        bounds = {
            f"{part}_{name}": values[place]
            for name, values in asked["space"].items()
            for place, part in enumerate(("low", "high", "step"))
        }
        return BacktestForm.initial_of(asked["base"], title) | asked | bounds


class PortfolioForm(forms.Form):
    title = forms.CharField(max_length=120, required=False, help_text="To find it again.")
    instruments = forms.ModelMultipleChoiceField(
        Instrument.objects.select_related("exchange"), widget=forms.CheckboxSelectMultiple
    )
    timeframe = forms.ChoiceField(choices=[(each.value, each.value) for each in Timeframe], initial="1d")
    start = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    end = forms.DateField(label="Until", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    objective = forms.ChoiceField(choices=OBJECTIVES)
    low = forms.FloatField(label="Least weight", initial=0, min_value=-1, max_value=1)
    high = forms.FloatField(label="Greatest weight", initial=1, min_value=0, max_value=1)
    risk_free = forms.FloatField(label="Risk-free return a year", initial=0, min_value=-1, max_value=1)
    target_return = forms.FloatField(label="Return a year, at least", required=False)
    target_risk = forms.FloatField(label="Volatility a year, at most", required=False, min_value=0)
    shrink = forms.BooleanField(
        label="Shrink the covariance", initial=True, required=False, help_text="Ledoit and Wolf."
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            from research.services.portfolios import PortfolioRequest  # noqa: PLC0415

            plain = ("timeframe", "objective", "low", "high", "risk_free", "target_return", "target_risk")
            try:
                values["request"] = PortfolioRequest(
                    instruments=sorted(each.pk for each in values["instruments"]),
                    start=midnight(values["start"]),
                    end=midnight(values["end"]),
                    shrink=values["shrink"],
                    **{name: values[name] for name in plain},
                )
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return values

    @staticmethod
    def initial_of(asked: dict[str, Any], title: str) -> dict[str, Any]:
        return {**asked, "start": day(asked["start"]), "end": day(asked["end"]), "title": title}


class PolicyTrainingForm(forms.Form):
    instruments = forms.ModelMultipleChoiceField(
        Instrument.objects.select_related("exchange"), widget=forms.CheckboxSelectMultiple
    )
    algorithms = forms.MultipleChoiceField(
        choices=[("ppo", "PPO"), ("dqn", "DQN")], initial=["ppo", "dqn"], widget=forms.CheckboxSelectMultiple
    )
    start = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    end = forms.DateField(label="Until", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    timesteps = forms.IntegerField(
        initial=200_000, min_value=1_000, max_value=5_000_000, help_text="Of each seed and fold."
    )
    preset = forms.ChoiceField(
        choices=[("large_batch", "Large batch"), ("default", "Stable-baselines3's own")]
    )
    seeds = forms.IntegerField(initial=3, min_value=1, max_value=10)
    each_instrument = forms.BooleanField(
        label="One policy for each instrument", required=False, help_text="Else one for all of them."
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            from research.services.policy_request import TrainingRequest  # noqa: PLC0415

            plain = ("algorithms", "timesteps", "preset", "seeds", "each_instrument")
            try:
                values["request"] = TrainingRequest(
                    instruments=sorted(each.pk for each in values["instruments"]),
                    start=midnight(values["start"]),
                    end=midnight(values["end"]),
                    **{name: values[name] for name in plain},
                )
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return values


class ExperimentForm(forms.Form):
    """A control and one variant, which differs in the settings that are filled in."""

    name = forms.CharField(max_length=80)
    question = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is to be found out, and what would be done then.",
    )
    assignment = forms.ChoiceField(choices=Assignment.choices)
    block_hours = forms.IntegerField(
        required=False, min_value=1, help_text="Hours of a block of signal time; for that assignment only."
    )
    ends_at = forms.DateTimeField(
        label="Planned end",
        required=False,
        help_text="UTC.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    variant = forms.SlugField(max_length=32, help_text="Small letters, digits, hyphens; names its signals.")
    share = forms.FloatField(
        label="Share of the variant", initial=0.5, min_value=0.01, max_value=0.99, help_text="A ratio."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, each in parameter_fields(FUSED).items():
            if name not in NOT_OPEN_TO_ARMS:
                each.help_text, each.initial = f"{each.help_text}; empty: as the control", None
                self.fields[PREFIX + name] = each

    @property
    def parameter_rows(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    @property
    def plain_rows(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if not name.startswith(PREFIX)]

    def settings(self) -> dict[str, Any]:
        given = {name: value for name, value in self.cleaned_data.items() if name.startswith(PREFIX)}
        return {name.removeprefix(PREFIX): value for name, value in given.items() if value is not None}


class EndForm(forms.Form):
    conclusion = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}), help_text="Why it is ended, and what is concluded."
    )
