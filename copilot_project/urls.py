"""Every address of the web process."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from copilot_project.health import livez, readyz
from copilot_project.metrics import metrics

# Django's own login form knows no rate limit and no allow-list: the admin sends people to allauth.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.index_title = "Overview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("accounts/", include("users.urls")),
    path("admin/console/", include("research.urls")),
    path("admin/", admin.site.urls),
    path("telegram/", include("notifications.urls")),
    path("livez", livez),
    path("readyz", readyz),
    path("metrics", metrics),
]
