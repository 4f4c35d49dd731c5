from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import path

from research.views import charts, console, deliveries

staff = admin.site.admin_view
# A delivery shows a signal and a person.
DELIVERY_RIGHTS = ("notifications.view_delivery", "signals.view_signal", "users.view_subscriber")
INSTRUMENT_RIGHTS = ("market.view_instrument",)
reads_deliveries = permission_required(DELIVERY_RIGHTS, raise_exception=True)
reads_instruments = permission_required(INSTRUMENT_RIGHTS, raise_exception=True)
reads_signals = permission_required("signals.view_signal", raise_exception=True)
reads_evaluations = permission_required((*INSTRUMENT_RIGHTS, "signals.view_evaluation"), raise_exception=True)
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
]
