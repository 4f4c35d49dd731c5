from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import path

from research.views import console, deliveries

staff = admin.site.admin_view
# A delivery shows a signal and a person.
DELIVERY_RIGHTS = ("notifications.view_delivery", "signals.view_signal", "users.view_subscriber")
reads_deliveries = permission_required(DELIVERY_RIGHTS, raise_exception=True)
app_name = "research"
urlpatterns = [
    path("state/", staff(console.console_fragment), name="console_state"),
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
