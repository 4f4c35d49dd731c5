from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import path, re_path

from research.views import (
    analytics,
    archive,
    archive_kinds,
    autopilot_figures,
    backtest,
    backtests,
    charts,
    console,
    deliveries,
    experiments,
    jobs,
    policies,
    portfolios,
    sentiment,
    sweeps,
)

staff = admin.site.admin_view
# A delivery shows a signal and a person.
DELIVERY_RIGHTS = ("notifications.view_delivery", "signals.view_signal", "users.view_subscriber")
INSTRUMENT_RIGHTS = ("market.view_instrument",)
JOB_RIGHTS = ("signals.view_job",)
SIGNAL_RIGHTS = ("signals.view_signal",)
PORTFOLIO_RIGHTS = ("research.view_portfoliostudy",)
POLICY_RIGHTS = ("signals.view_trainedmodel",)
EXPERIMENT_RIGHTS = ("signals.view_experiment",)
SENTIMENT_RIGHTS = ("market.view_sentimentreading", "market.view_instrument")
RESEARCH_RIGHTS = ("research.view_backtest",)
reads_deliveries = permission_required(DELIVERY_RIGHTS, raise_exception=True)
reads_instruments = permission_required(INSTRUMENT_RIGHTS, raise_exception=True)
reads_signals = permission_required("signals.view_signal", raise_exception=True)
reads_evaluations = permission_required((*INSTRUMENT_RIGHTS, "signals.view_evaluation"), raise_exception=True)
reads_jobs = permission_required(JOB_RIGHTS, raise_exception=True)
reads_portfolios = permission_required(PORTFOLIO_RIGHTS, raise_exception=True)
changes_portfolios = permission_required(
    (*PORTFOLIO_RIGHTS, "research.change_portfoliostudy"), raise_exception=True
)
reads_policies = permission_required(POLICY_RIGHTS, raise_exception=True)
changes_policies = permission_required((*POLICY_RIGHTS, "signals.change_trainedmodel"), raise_exception=True)
reads_experiments = permission_required(EXPERIMENT_RIGHTS, raise_exception=True)
changes_experiments = permission_required(
    (*EXPERIMENT_RIGHTS, "signals.change_experiment"), raise_exception=True
)
# The account's money and trades of an autopilot.
AUTOPILOT_RIGHTS = ("autopilot.view_instance", "autopilot.view_trade", "autopilot.view_equitypoint")
reads_autopilots = permission_required(AUTOPILOT_RIGHTS, raise_exception=True)
reads_research = permission_required(RESEARCH_RIGHTS, raise_exception=True)
changes_research = permission_required((*RESEARCH_RIGHTS, "research.change_backtest"), raise_exception=True)
SWEEP_RIGHTS = ("research.view_sweep",)
reads_sweeps = permission_required(SWEEP_RIGHTS, raise_exception=True)
changes_sweeps = permission_required((*SWEEP_RIGHTS, "research.change_sweep"), raise_exception=True)
reads_sentiment = permission_required(SENTIMENT_RIGHTS, raise_exception=True)
changes_jobs = permission_required((*JOB_RIGHTS, "signals.change_job"), raise_exception=True)
app_name = "research"
urlpatterns = [
    path("state/", staff(console.console_fragment), name="console_state"),
    path("equity/", staff(reads_signals(console.equity_figure)), name="equity_figure"),
    path("charts/", staff(reads_instruments(charts.charts)), name="charts"),
    path("charts/<int:pk>/", staff(reads_instruments(charts.chart)), name="chart"),
    path("charts/<int:pk>/figure/", staff(reads_instruments(charts.chart_figure)), name="chart_figure"),
    path(
        "charts/<int:pk>/evaluations/",
        staff(reads_evaluations(charts.chart_evaluations)),
        name="chart_evaluations",
    ),
    path("deliveries/", staff(reads_deliveries(deliveries.overview)), name="deliveries"),
    path("deliveries/state/", staff(reads_deliveries(deliveries.overview_fragment)), name="deliveries_state"),
    path(
        "deliveries/signals/<uuid:public_id>/",
        staff(reads_deliveries(deliveries.signal_timeline)),
        name="signal_timeline",
    ),
    path(
        "deliveries/subscribers/<uuid:public_id>/",
        staff(reads_deliveries(deliveries.subscriber_history)),
        name="subscriber_history",
    ),
    path("jobs/", staff(reads_jobs(jobs.jobs)), name="jobs"),
    path("jobs/state/", staff(reads_jobs(jobs.jobs_fragment)), name="jobs_state"),
    path("jobs/<uuid:pk>/", staff(reads_jobs(jobs.job)), name="job"),
    path("jobs/<uuid:pk>/progress/", staff(reads_jobs(jobs.job_progress)), name="job_progress"),
    path("jobs/<uuid:pk>/cancel/", staff(changes_jobs(jobs.job_cancel)), name="job_cancel"),
    path("research/", staff(reads_research(backtests.research)), name="backtests"),
    path("research/parameters/", staff(reads_research(backtests.parameters)), name="backtest_parameters"),
    path("research/compare/", staff(reads_research(backtest.compare)), name="backtest_compare"),
    path("research/<uuid:pk>/", staff(reads_research(backtest.backtest)), name="backtest"),
    path("research/<uuid:pk>/archive/", staff(changes_research(backtests.archive)), name="backtest_archive"),
    re_path(
        r"^research/(?P<pk>[0-9a-f-]{36})/(?P<name>equity|drawdown|trades)/figure/$",
        staff(reads_research(backtest.figure)),
        name="backtest_figure",
    ),
    re_path(
        r"^research/(?P<pk>[0-9a-f-]{36})/(?P<table>equity|trades)\.(?P<form>csv|parquet)$",
        staff(reads_research(backtest.export)),
        name="backtest_export",
    ),
    path(
        "autopilot/<int:pk>/candles/",
        staff(reads_autopilots(autopilot_figures.autopilot_candles)),
        name="autopilot_candles",
    ),
    path(
        "autopilot/<int:pk>/equity/",
        staff(reads_autopilots(autopilot_figures.autopilot_equity)),
        name="autopilot_equity",
    ),
    path("sweeps/", staff(reads_sweeps(sweeps.sweeps)), name="sweeps"),
    path("sweeps/parameters/", staff(reads_sweeps(sweeps.parameters)), name="sweep_parameters"),
    path("sweeps/<uuid:pk>/", staff(reads_sweeps(sweeps.sweep)), name="sweep"),
    path("sweeps/<uuid:pk>/trials.csv", staff(reads_sweeps(sweeps.export)), name="sweep_export"),
    path("sweeps/<uuid:pk>/archive/", staff(changes_sweeps(sweeps.archive)), name="sweep_archive"),
    path("archive/", staff(reads_signals(archive.archive)), name="archive"),
    path("archive/signals.csv", staff(reads_signals(archive.export)), name="archive_export"),
    path("archive/signals.parquet", staff(reads_signals(archive.export_parquet)), name="archive_parquet"),
    # Which right a table takes is its own to say.
    path("archive/<slug:name>/", staff(archive_kinds.archive_kind), name="archive_kind"),
    re_path(
        r"^archive/(?P<name>[a-z]+)/rows\.(?P<form>csv|parquet)$",
        staff(archive_kinds.export_kind),
        name="archive_kind_export",
    ),
    path("analytics/", staff(reads_signals(analytics.analytics)), name="analytics"),
    path("portfolios/", staff(reads_portfolios(portfolios.portfolios)), name="portfolios"),
    path("portfolios/compare/", staff(reads_portfolios(portfolios.compare)), name="portfolio_compare"),
    path("portfolios/<uuid:pk>/", staff(reads_portfolios(portfolios.portfolio)), name="portfolio"),
    path(
        "portfolios/<uuid:pk>/weights.csv",
        staff(reads_portfolios(portfolios.export)),
        name="portfolio_export",
    ),
    path(
        "portfolios/<uuid:pk>/archive/",
        staff(changes_portfolios(portfolios.archive)),
        name="portfolio_archive",
    ),
    path("sentiment/", staff(reads_sentiment(sentiment.sentiment)), name="sentiment"),
    path("sentiment/<int:pk>/figure/", staff(reads_sentiment(sentiment.figure)), name="sentiment_figure"),
    path("experiments/", staff(reads_experiments(experiments.experiments)), name="experiments"),
    path("experiments/<int:pk>/", staff(reads_experiments(experiments.experiment)), name="experiment"),
    path(
        "experiments/<int:pk>/start/", staff(changes_experiments(experiments.start)), name="experiment_start"
    ),
    path("experiments/<int:pk>/end/", staff(changes_experiments(experiments.end)), name="experiment_end"),
    path("policies/", staff(reads_policies(policies.policies)), name="policies"),
    path("policies/<int:pk>/", staff(reads_policies(policies.policy)), name="policy"),
    path("policies/<int:pk>/actions/", staff(reads_policies(policies.actions_figure)), name="policy_actions"),
    path("policies/<int:pk>/back/", staff(changes_policies(policies.go_back)), name="policy_back"),
    path("policies/training/<uuid:pk>/", staff(reads_policies(policies.training)), name="policy_training"),
    path(
        "policies/training/<uuid:pk>/curve/",
        staff(reads_policies(policies.training_curve)),
        name="policy_training_curve",
    ),
]
