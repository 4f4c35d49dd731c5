from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import path

from autopilot.views import models

staff = admin.site.admin_view
MODEL_RIGHTS = ("signals.view_trainedmodel",)
reads_models = permission_required(MODEL_RIGHTS, raise_exception=True)
changes_models = permission_required((*MODEL_RIGHTS, "signals.change_trainedmodel"), raise_exception=True)
trains_models = permission_required((*MODEL_RIGHTS, "autopilot.change_bootstrapconfig"), raise_exception=True)
app_name = "autopilot"
urlpatterns = [
    path("models/", staff(reads_models(models.models)), name="models"),
    path("models/train/", staff(trains_models(models.train)), name="models_train"),
    path("models/settings/", staff(trains_models(models.change_settings)), name="models_settings"),
    path("models/rollback/", staff(changes_models(models.go_back)), name="models_rollback"),
    path("models/<int:pk>/promote/", staff(changes_models(models.promote)), name="models_promote"),
    path("models/<int:pk>/reject/", staff(changes_models(models.reject)), name="models_reject"),
]
