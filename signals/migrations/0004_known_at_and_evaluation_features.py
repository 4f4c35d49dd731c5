from django.db import migrations, models
from django.db.models import F

HELP = "The exchange's time when it was made: no earlier close knows it."


def known_when_fitted(apps, schema_editor):
    for name in ("VolatilityFit", "AnomalyForest"):
        apps.get_model("signals", name).objects.update(known_at=F("fitted_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('signals', '0003_anomaly_forests'),
    ]

    operations = [
        migrations.AddField('volatilityfit', 'known_at', models.DateTimeField(null=True)),
        migrations.AddField('anomalyforest', 'known_at', models.DateTimeField(null=True)),
        migrations.RunPython(known_when_fitted, migrations.RunPython.noop),
        migrations.AlterField('volatilityfit', 'known_at', models.DateTimeField(help_text=HELP)),
        migrations.AlterField('anomalyforest', 'known_at', models.DateTimeField(help_text=HELP)),
        migrations.AddField(
            'evaluation',
            'features',
            models.JSONField(
                blank=True, default=dict, help_text='What was known besides the candles, by name: for later models.'
            ),
        ),
    ]
