from django.contrib import admin
from django.urls import path

from research.views import console, deliveries

staff = admin.site.admin_view
urlpatterns = [
    path("state/", staff(console.console_fragment), name="console_state"),
    path("deliveries/", staff(deliveries.overview), name="deliveries"),
    path("deliveries/state/", staff(deliveries.overview_fragment), name="deliveries_state"),
    path("deliveries/signals/<uuid:public_id>/", staff(deliveries.signal_timeline), name="signal_timeline"),
    path(
        "deliveries/subscribers/<uuid:public_id>/",
        staff(deliveries.subscriber_history),
        name="subscriber_history",
    ),
]
