"""Under /api/autopilot/."""

from django.urls import path

from autopilot.api.model_views import BootstrapConfigView, ModelInfo, Reset, Retrain, Task
from autopilot.api.views import Removed, StartUnified, StatusUnified, StopUnified

app_name = "autopilot_api"
urlpatterns = [
    path("start-unified", StartUnified.as_view(), name="start"),
    path("stop-unified", StopUnified.as_view(), name="stop"),
    path("status-unified/<path:symbol>", StatusUnified.as_view(), name="status"),
    path("bootstrap-config", BootstrapConfigView.as_view(), name="bootstrap_config"),
    path("intelligent/retrain", Retrain.as_view(), name="retrain"),
    path("tasks/<str:task_id>", Task.as_view(), name="task"),
    path("intelligent/model-info", ModelInfo.as_view(), name="model_info"),
    path("intelligent/reset", Reset.as_view(), name="reset"),
    path("start", Removed.as_view(), name="removed_start"),
    path("intelligent/start", Removed.as_view(), name="removed_intelligent_start"),
]
