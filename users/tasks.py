"""Entry points of the worker: call one service."""

from celery import shared_task
from django.utils import timezone

from users.services import forget_api_requests as forget_answers
from users.services import forget_ended_sessions as forget


@shared_task(name="users.tasks.forget_ended_sessions")
def forget_ended_sessions() -> None:
    forget()


@shared_task(name="users.tasks.forget_api_requests")
def forget_api_requests() -> None:
    forget_answers(now=timezone.now())
