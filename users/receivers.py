"""What the admin's log remembers of a person who is removed."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from users.models import Subscriber


def forget_in_admin_log(*, subscriber: Subscriber, **kwargs: Any) -> None:
    """The log writes down names; that something was done, when and by whom stays."""
    content_type = ContentType.objects.get_for_model(Subscriber)
    entries = LogEntry.objects.filter(content_type=content_type, object_id=str(subscriber.pk))
    entries.update(object_repr=str(subscriber), change_message="")
