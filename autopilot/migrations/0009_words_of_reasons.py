from django.db import migrations

from signals.models.words import words_column


class Migration(migrations.Migration):
    dependencies = [("autopilot", "0008_secrets_of_keys_apart"), ("signals", "0010_words_of_reasons")]

    operations = [migrations.RunSQL(*words_column("autopilot_decision", "reason"))]
