"""Every address of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from copilot_project.health import livez, readyz
from copilot_project.metrics import metrics
from research.api.sentiment import PairSentiment
from research.views import track_record
from users.api.docs import Docs, Schema

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("accounts/", include("users.urls")),
    path("admin/console/", include("research.urls")),
    path("admin/console/", include("autopilot.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", Schema.as_view(), name="api_schema"),
    path("api/docs/", Docs.as_view(), name="api_docs"),
    path("api/autopilot/", include("autopilot.api.urls")),
    path("api/research/", include("research.api.study_urls")),
    path("api/v1/", include("research.api.urls")),
    path("v1/sentiment", PairSentiment.as_view(), name="pair_sentiment"),
    path("telegram/", include("notifications.urls")),
    path("track-record/", track_record.track_record, name="track_record"),
    path("track-record/receipt", track_record.track_record_receipt, name="track_record_receipt"),
    path("track-record/<str:name>", track_record.track_record_file, name="track_record_file"),
    path("livez", livez),
    path("readyz", readyz),
    path("metrics", metrics),
]

# Pages for people, RFC 9457 problems for programs.
handler400 = "copilot_project.errors.bad_request"
handler403 = "copilot_project.errors.forbidden"
handler404 = "copilot_project.errors.not_found"
handler500 = "copilot_project.errors.server_error"
