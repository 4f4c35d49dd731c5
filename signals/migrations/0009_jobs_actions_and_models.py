import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('market', '0003_instrument_order_rules'),
        ('signals', '0008_kill_switch_stays'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='partnerchoice', name='signals_partner_chosen_once'),
        migrations.AlterModelOptions(name='partnerchoice', options={}),
        migrations.RenameField(model_name='partnerchoice', old_name='chosen_through', new_name='fitted_through'),
        migrations.RenameField(model_name='partnerchoice', old_name='chosen_at', new_name='fitted_at'),
        migrations.AddConstraint(
            model_name='partnerchoice',
            constraint=models.UniqueConstraint(
                fields=('instrument', 'timeframe', 'fitted_through'), name='signals_partner_chosen_once'
            ),
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('owner', models.CharField(blank=True, help_text='Who asked, in words; empty = the system.', max_length=150)),
                ('parameters', models.JSONField(default=dict)),
                ('code_version', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=9)),
                ('progress_done', models.PositiveBigIntegerField(default=0)),
                ('progress_total', models.PositiveBigIntegerField(default=0)),
                ('message', models.CharField(blank=True, max_length=300)),
                ('result', models.JSONField(blank=True, null=True)),
                ('error', models.TextField(blank=True)),
                ('trace', models.TextField(blank=True)),
                ('queue', models.CharField(blank=True, help_text='Empty: it runs where it was started.', max_length=20)),
                ('is_resumable', models.BooleanField(default=False)),
                ('time_limit_seconds', models.PositiveIntegerField(blank=True, null=True)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_asked_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_asked_by', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField()),
                ('woken_at', models.DateTimeField(blank=True, help_text='When a worker was last told of it.', null=True)),
                ('started_at', models.DateTimeField(blank=True, help_text='Of the present attempt.', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('checkpoint', models.JSONField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-created_at'],
                'get_latest_by': 'created_at',
            },
        ),
        migrations.CreateModel(
            name='TrainedModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('known_at', models.DateTimeField(help_text="The exchange's time when it was made: no earlier close knows it.")),
                ('kind', models.CharField(help_text='selector, ppo, dqn, …', max_length=32)),
                ('scope', models.CharField(blank=True, help_text='EXCHANGE:SYMBOL:TIMEFRAME; empty = all instruments.', max_length=100)),
                ('state', models.CharField(choices=[('candidate', 'Candidate'), ('champion', 'Champion'), ('retired', 'Retired'), ('rejected', 'Rejected')], default='candidate', max_length=9)),
                ('payload', models.BinaryField()),
                ('sha256', models.CharField(help_text='Of the payload, checked whenever it is read.', max_length=64)),
                ('payload_format', models.CharField(choices=[('lightgbm-text', 'LightGBM text'), ('npz', 'Arrays (npz)')], max_length=16)),
                ('feature_schema', models.JSONField(help_text='Names and order of what it reads.')),
                ('data_from', models.DateTimeField(help_text='Opening of the first candle that it has seen.')),
                ('data_to', models.DateTimeField(help_text='Close of the last candle that it has seen.')),
                ('code_version', models.CharField(max_length=64)),
                ('metrics', models.JSONField(default=dict)),
                ('reason', models.TextField(blank=True, help_text='Why it was trained, and why it was rejected.')),
                ('trained_at', models.DateTimeField()),
                ('promoted_at', models.DateTimeField(blank=True, null=True)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-trained_at', '-id'],
                'get_latest_by': 'trained_at',
            },
        ),
        migrations.AlterModelOptions(
            name='partnerchoice',
            options={'get_latest_by': 'fitted_through', 'ordering': ['-fitted_through', 'instrument']},
        ),
        migrations.AlterField(
            model_name='anomalyforest',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='%(class)s_set', to='market.instrument'),
        ),
        migrations.AlterField(
            model_name='partnerchoice',
            name='fitted_through',
            field=models.DateTimeField(help_text='Close of the last candle that it has seen.'),
        ),
        migrations.AlterField(
            model_name='partnerchoice',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='%(class)s_set', to='market.instrument'),
        ),
        migrations.AlterField(
            model_name='volatilityfit',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='%(class)s_set', to='market.instrument'),
        ),
        migrations.CreateModel(
            name='Action',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.CharField(max_length=150)),
                ('what', models.CharField(help_text='For example kill_switch.engaged, model.promoted.', max_length=64)),
                ('target', models.CharField(max_length=200)),
                ('before', models.JSONField(blank=True, null=True)),
                ('after', models.JSONField(blank=True, null=True)),
                ('address', models.CharField(blank=True, help_text='Where the request came from.', max_length=64)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['what', '-at'], name='signals_action_by_what')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='action',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='5b5dad3951e3792def622ff506b61b5033eb7dd4', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_389c1', table='signals_action', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='action',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'the record of actions cannot be truncated';", hash='02e8d21e64468da00f05bf9e7f1ca42ed59c2bb6', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_31a24', table='signals_action', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('state__in', ['queued', 'running'])), fields=['state'], name='signals_job_unfinished'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['-created_at'], name='signals_job_newest'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lease_token__isnull', False), ('lease_until__isnull', False), ('state', 'running')), models.Q(models.Q(('state', 'running'), _negated=True), ('lease_token', None), ('lease_until', None)), _connector='OR'), name='signals_job_runs_under_a_lease'),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('state__in', ('succeeded', 'failed', 'cancelled'))), models.Q(models.Q(('state__in', ('succeeded', 'failed', 'cancelled')), _negated=True), ('ended_at', None)), _connector='OR'), name='signals_job_end_has_its_moment'),
        ),
        migrations.AddField(
            model_name='trainedmodel',
            name='job',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='models', to='signals.job'),
        ),
        migrations.AddConstraint(
            model_name='trainedmodel',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'champion')), fields=('kind', 'scope'), name='signals_model_one_champion'),
        ),
        migrations.AddConstraint(
            model_name='trainedmodel',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'champion'), _negated=True), models.Q(('promoted_at__isnull', False), ('retired_at', None)), _connector='OR'), name='signals_model_champion_was_promoted'),
        ),
    ]
