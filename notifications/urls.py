from django.urls import path

from notifications.views import telegram_webhook

app_name = "notifications"
urlpatterns = [path("webhook", telegram_webhook, name="telegram_webhook")]
