from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F


class Migration(migrations.Migration):
    """The new index is built while publications and the sender go on."""

    atomic = False

    dependencies = [
        ("notifications", "0010_concurrent_publications"),
        ("signals", "0008_kill_switch_stays"),
        ("users", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplyTurn",
            fields=[
                ("chat_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("free_at", models.DateTimeField()),
            ],
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                F("tier_rank").desc(),
                F("weight").desc(),
                F("due_at"),
                F("id"),
                F("expires_at"),
                name="notifications_delivery_next",
                condition=models.Q(state__in=["pending", "retry"]),
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="notifications_delivery_claim"),
    ]
