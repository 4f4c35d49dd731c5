from django.contrib import admin
from django.urls import path

from research import views

urlpatterns = [
    path("state/", admin.site.admin_view(views.console_fragment), name="console_state"),
]
