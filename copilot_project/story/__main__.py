"""The part of `manage.py demo --story` that runs in the story's own database: `python -m copilot_project.story`."""

import json
import os
import sys

import django
import structlog


def main(arguments: list[str]) -> int:
    """arguments: the plot as JSON, and the label."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "copilot_project.settings")
    django.setup()
    from django.conf import settings  # noqa: PLC0415  (settings first)

    from copilot_project.celery import app  # noqa: PLC0415
    from copilot_project.story.clock import DATABASE  # noqa: PLC0415
    from copilot_project.story.plot import Plot  # noqa: PLC0415
    from copilot_project.story.telling import StoryError, tell  # noqa: PLC0415

    if settings.DATABASES["default"]["NAME"] != DATABASE or not settings.SANDBOX:
        sys.stderr.write("This runs in the story's database only: `manage.py demo --story`.\n")
        return 2
    # Wake-ups go nowhere: here nobody but the story works.
    app.conf.broker_url = "memory://localhost/"
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    plot = Plot(**json.loads(arguments[0]))
    try:
        tell(plot, sandbox_url=settings.SANDBOX_URL, label=arguments[1], say=say)
    except StoryError as error:
        sys.stderr.write(f"The story broke off: {error}\n")
        return 1
    return 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
