from django.db import migrations

TABLES = ("notifications_delivery", "notifications_telegramupdate")


class Migration(migrations.Migration):
    """Every row is written several times in its first seconds: dead ones are cleared away before a fifth is dead."""

    dependencies = [("notifications", "0011_replies_take_turns")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02)",
            f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor)",
        )
        for table in TABLES
    ]
