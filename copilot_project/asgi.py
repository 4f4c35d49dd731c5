"""The web process: granian --interface asginl copilot_project.asgi:application."""

import os

from django.core.asgi import get_asgi_application

from copilot_project.body_limit import limited

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot_project.settings")

application = limited(get_asgi_application())

from copilot_project import web_heartbeat  # noqa: E402  (its models are loaded now)

web_heartbeat.start()
