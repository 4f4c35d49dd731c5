"""Rows behind the pictures: backtests, a search, a portfolio, a test, an autopilot, a model, a stop."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from autopilot.models import Instance
from autopilot.services.champion import forget_loaded
from autopilot.services.cycles import run_cycle
from autopilot.services.instances import start_instance
from autopilot.services.paper import fill_orders
from autopilot.services.record_keeping import forget_records
from research.services.backtest_request import BacktestRequest
from research.services.backtests import ask_for_backtest, carry_out_backtest
from research.services.ended_chunks import pack_ended_signals
from research.services.portfolios import PortfolioRequest, ask_for_portfolio, carry_out_portfolio
from research.services.sweep_request import SweepRequest
from research.services.sweeps import ask_for_sweep, carry_out_sweep
from signals.engine.timeframe import Timeframe
from signals.market.models import Instrument
from signals.models import Job, Signal
from signals.services.experiments import ArmPlan, create_experiment, start_experiment
from signals.services.job_lease import take_lease
from signals.services.job_run import carry_out
from signals.services.kill_switch import engage, request_rearm
from tests.autopilot.market_rows import HOUR
from tests.autopilot.selector_rows import make_selector
from tests.research.console_rows import last_hour

OWNER = "ada"


def work_off(job: Job, work: Any) -> None:
    """As a worker would."""
    leased = take_lease(job_id=job.pk)
    assert leased is not None
    carry_out(job=leased, work=lambda run: work(progress=run.progress))


def research_pages(instruments: list[Instrument]) -> dict[str, str]:
    """Addresses by the picture's name."""
    end = last_hour()
    span = {"start": (end - timedelta(days=150)).isoformat(), "end": end.isoformat()}
    base: dict[str, Any] = {"instruments": [each.pk for each in instruments], "timeframe": "1h", **span}
    runs = [
        ask_for_backtest(
            request=BacktestRequest(**base, strategy=strategy), title=title, owner=OWNER, now=timezone.now()
        )
        for strategy, title in (("bollinger_mean_reversion", "Bollinger, 3 pairs"), ("macd", "MACD, 3 pairs"))
    ]
    for run in runs:
        work_off(run.job, lambda progress, run=run: carry_out_backtest(backtest=run, progress=progress))
    sweep = ask_for_sweep(
        request=SweepRequest(
            base=BacktestRequest(**base, strategy="rsi"),
            space={"period": [8, 20, 4], "stop_atr": [1, 3, 1]},
            number=20,
        ),
        title="RSI: period and stop",
        owner=OWNER,
        now=timezone.now(),
    )
    work_off(sweep.job, lambda progress: carry_out_sweep(sweep=sweep, progress=progress))
    study = ask_for_portfolio(
        request=PortfolioRequest(**base, objective="min_variance", high=0.6),
        title="Least variance of 3",
        owner=OWNER,
        now=timezone.now(),
    )
    work_off(study.job, lambda progress: carry_out_portfolio(study=study, progress=progress))
    pack_ended_signals(now=timezone.now())
    compared = "&".join(f"run={each.pk}" for each in runs)
    return {
        "backtests": reverse("research:backtests"),
        "backtest": reverse("research:backtest", args=[runs[0].pk]),
        "compare": reverse("research:backtest_compare") + "?" + compared,
        "sweep": reverse("research:sweep", args=[sweep.pk]),
        "portfolio": reverse("research:portfolio", args=[study.pk]),
        "experiment": reverse("research:experiment", args=[_experiment()]),
        "analytics": reverse("research:analytics"),
        "archive": reverse("research:archive"),
        "jobs": reverse("research:jobs"),
    }


def _experiment() -> int:
    begun = timezone.now() - timedelta(days=6)
    made = create_experiment(
        name="Longer memory",
        question="Do events of the last 12 bars say more than those of the last 8? If so, it becomes the setting.",
        assignment="block",
        block_hours=24,
        ends_at=None,
        arms=[ArmPlan("control", 0.5), ArmPlan("long", 0.5, "long", {"memory_bars": 12})],
        by=OWNER,
        now=begun,
    )
    start_experiment(experiment=made, by=OWNER, now=begun)
    return int(made.pk)


def trading_pages(instrument: Instrument) -> dict[str, str]:
    """An autopilot that has traded through the last hours, and the card of a model."""
    forget_loaded()
    forget_records()
    moment = last_hour() - 8 * HOUR
    made, _ = start_instance(
        instrument=instrument,
        timeframe=Timeframe.H1,
        by=OWNER,
        now=moment,
        min_confidence_threshold=0.0,
        auto_execute=True,
        confirmed=True,
        stop_costs=0.0,
        label="Pictures",
    )
    while moment <= last_hour():
        Instance.objects.update(next_run_at=moment)
        run_cycle(instance_id=made.pk, as_of=moment, now=moment)
        fill_orders(instrument=instrument, timeframe=Timeframe.H1, as_of=moment, now=moment)
        moment += HOUR
    make_selector(proved=True, promoted=True)
    return {
        "autopilots": reverse("autopilot:autopilots"),
        "autopilot": reverse("autopilot:instance", args=[made.pk]),
        "models": reverse("autopilot:models"),
    }


def delivery_pages() -> dict[str, str]:
    newest = Signal.objects.filter(deliveries__isnull=False).latest()
    return {
        "deliveries": reverse("research:deliveries"),
        "timeline": reverse("research:signal_timeline", args=[newest.public_id]),
    }


def stopped_page() -> dict[str, str]:
    """The kill switch, engaged, with a request that waits for its confirmation."""
    engage(reason="Prices of one exchange stand still.", by=OWNER, now=timezone.now())
    request_rearm(reason="The exchange answers again.", by=OWNER, now=timezone.now())
    return {"kill-switch": "/admin/signals/killswitch/"}
