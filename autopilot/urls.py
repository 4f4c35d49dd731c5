from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.urls import path

from autopilot.views import autopilots, instance, live, models

staff = admin.site.admin_view
MODEL_RIGHTS = ("signals.view_trainedmodel",)
reads_models = permission_required(MODEL_RIGHTS, raise_exception=True)
changes_models = permission_required((*MODEL_RIGHTS, "signals.change_trainedmodel"), raise_exception=True)
trains_models = permission_required((*MODEL_RIGHTS, "autopilot.change_bootstrapconfig"), raise_exception=True)
INSTANCE_RIGHTS = ("autopilot.view_instance", "autopilot.view_decision")
reads_instances = permission_required(INSTANCE_RIGHTS, raise_exception=True)
changes_instances = permission_required((*INSTANCE_RIGHTS, "autopilot.change_instance"), raise_exception=True)
LIVE_RIGHTS = ("autopilot.view_account", "autopilot.view_order")
reads_live = permission_required(LIVE_RIGHTS, raise_exception=True)
app_name = "autopilot"
urlpatterns = [
    path("autopilot/", staff(reads_instances(autopilots.autopilots)), name="autopilots"),
    path("autopilot/state/", staff(reads_instances(autopilots.autopilots_state)), name="autopilots_state"),
    path("autopilot/firing/", staff(changes_instances(autopilots.firing)), name="firing"),
    path("autopilot/<int:pk>/", staff(reads_instances(instance.instance)), name="instance"),
    path("autopilot/<int:pk>/state/", staff(reads_instances(instance.instance_state)), name="instance_state"),
    path("autopilot/<int:pk>/act/", staff(changes_instances(autopilots.act)), name="act"),
    path("autopilot/decisions/<int:pk>/", staff(reads_instances(instance.decision)), name="decision"),
    path("live/", staff(reads_live(live.live)), name="live"),
    path("live/state/", staff(reads_live(live.live_state)), name="live_state"),
    path("live/act/", staff(reads_live(live.live_act)), name="live_act"),
    path("live/orders/<int:pk>/", staff(reads_live(live.live_order)), name="live_order"),
    path("models/", staff(reads_models(models.models)), name="models"),
    path("models/train/", staff(trains_models(models.train)), name="models_train"),
    path("models/settings/", staff(trains_models(models.change_settings)), name="models_settings"),
    path("models/rollback/", staff(changes_models(models.go_back)), name="models_rollback"),
    path("models/<int:pk>/promote/", staff(changes_models(models.promote)), name="models_promote"),
    path("models/<int:pk>/reject/", staff(changes_models(models.reject)), name="models_reject"),
]
