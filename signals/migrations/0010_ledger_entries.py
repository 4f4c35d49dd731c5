"""The ledger's rows become a table of their own, which outcomes join; what stands is chained anew, once.

This is before the first release: no hash of the old form was ever handed out.
"""

import secrets

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

from signals.engine.ledger import GENESIS_HASH, SALT_BYTES, EntryKind, new_entry

TOLD = (
    "timeframe", "candle_open_time", "source", "variant", "strategy", "direction", "confidence", "entry_price",
    "stop_loss", "take_profit", "reasons", "experimental", "sessions", "published_at", "expires_at",
)
NUMBERS = (
    "entry_price", "exit_price", "return_ratio", "r_multiple", "best_r", "worst_r",
    "maker_bps", "taker_bps", "slippage_bps",
)
ENDED = ("exit_reason", "entered_at", "exited_at", "bars_held", "is_ambiguous", "recorded_at")


def chain_again(apps, schema_editor):
    """Signals keep their numbers; outcomes follow behind, in the order in which they were recorded."""
    Signal, SignalOutcome = apps.get_model("signals", "Signal"), apps.get_model("signals", "SignalOutcome")
    end = (0, GENESIS_HASH)
    for signal in Signal.objects.order_by("sequence").select_related("instrument__exchange"):
        facts = {name: getattr(signal, name) for name in TOLD} | {
            "public_id": str(signal.public_id),
            "exchange": signal.instrument.exchange.code,
            "symbol": signal.instrument.symbol,
        }
        end = append(apps, EntryKind.SIGNAL, facts, end)
    outcomes = SignalOutcome.objects.order_by("recorded_at", "pk").select_related("signal")
    schema_editor.execute("ALTER TABLE signals_signaloutcome DISABLE TRIGGER USER")
    for outcome in outcomes:
        facts = {name: getattr(outcome, name) for name in ENDED} | {
            "signal": str(outcome.signal.public_id),
            "signal_sequence": outcome.signal.sequence,
            **{name: float(getattr(outcome, name)) for name in NUMBERS},
        }
        end = append(apps, EntryKind.OUTCOME, facts, end)
        SignalOutcome.objects.filter(pk=outcome.pk).update(ledger_entry=end[0])
    schema_editor.execute("ALTER TABLE signals_signaloutcome ENABLE TRIGGER USER")


def append(apps, kind, facts, end):
    entry = new_entry(
        kind, facts, sequence=end[0] + 1, prev_hash=end[1], salt=secrets.token_bytes(SALT_BYTES)
    )
    apps.get_model("signals", "LedgerEntry").objects.create(
        sequence=entry.sequence, kind=kind.value, schema_version=entry.schema_version, payload=entry.payload,
        salt=entry.salt, prev_hash=entry.prev_hash, hash=entry.hash,
    )
    return entry.sequence, entry.hash


# The ledger names exchange and symbol: what it has named is not renamed, else a reader could not find it again.
KEEP_NAMES = """
CREATE FUNCTION signals_keep_names_of_the_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'market_exchange' THEN
        IF EXISTS (SELECT FROM signals_signal s JOIN market_instrument i ON i.id = s.instrument_id
                   WHERE i.exchange_id = OLD.id) THEN
            RAISE EXCEPTION 'exchange % stands in the ledger: its code is never changed', OLD.code
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF EXISTS (SELECT FROM signals_signal WHERE instrument_id = OLD.id) THEN
        RAISE EXCEPTION 'instrument % stands in the ledger: its symbol and exchange are never changed', OLD.symbol
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signals_keep_code BEFORE UPDATE OF code ON market_exchange FOR EACH ROW
    WHEN (OLD.code IS DISTINCT FROM NEW.code) EXECUTE FUNCTION signals_keep_names_of_the_ledger();
CREATE TRIGGER signals_keep_symbol BEFORE UPDATE OF symbol, exchange_id ON market_instrument FOR EACH ROW
    WHEN ((OLD.symbol, OLD.exchange_id) IS DISTINCT FROM (NEW.symbol, NEW.exchange_id))
    EXECUTE FUNCTION signals_keep_names_of_the_ledger();
"""
FORGET_NAMES = """
DROP TRIGGER signals_keep_code ON market_exchange;
DROP TRIGGER signals_keep_symbol ON market_instrument;
DROP FUNCTION signals_keep_names_of_the_ledger();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('market', '0003_instrument_order_rules'),
        ('signals', '0009_jobs_actions_and_models'),
    ]

    operations = [
        migrations.CreateModel(
            name='LedgerHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('size', models.BigIntegerField(help_text='How many entries it covers: those with sequences 1 to this.')),
                ('chain_hash', models.CharField(help_text='Hash of the last of them.', max_length=64)),
                ('root_hash', models.CharField(help_text='RFC 6962 root over their salted leaves.', max_length=64)),
                ('previous', models.CharField(help_text='SHA-256 of what the head before states.', max_length=64)),
                ('signed_at', models.DateTimeField(unique=True)),
                ('public_key', models.CharField(help_text='Ed25519 key that checks the signature, hex.', max_length=64)),
                ('signature', models.CharField(max_length=128)),
            ],
            options={
                'ordering': ['-id'],
                'get_latest_by': 'id',
            },
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('sequence', models.BigIntegerField(help_text='Gapless position in the ledger, from 1.', primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('signal', 'Signal'), ('outcome', 'Outcome')], max_length=10)),
                ('schema_version', models.PositiveSmallIntegerField(help_text='Of the payload: docs/ledger.md.')),
                ('payload', models.BinaryField(help_text='Canonical JSON (RFC 8785).')),
                ('salt', models.BinaryField(help_text='32 random bytes: the hash alone tells nothing of the payload.')),
                ('prev_hash', models.CharField(max_length=64)),
                ('hash', models.CharField(max_length=64, unique=True)),
            ],
            options={
                'verbose_name_plural': 'ledger entries',
                'ordering': ['-sequence'],
                'get_latest_by': 'sequence',
                'constraints': [models.CheckConstraint(condition=models.Q(('sequence__gte', 1)), name='signals_ledger_begins_at_one')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerentry',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='f16e34774d50260be6f48f6e06137fd0102f6311', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_2cac6', table='signals_ledgerentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerentry',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'the ledger is append-only: it cannot be truncated';", hash='1052cfd25d1aae95d2275426b2d03137e4cf0c35', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_15add', table='signals_ledgerentry', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerhead',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='1227d33dd27852144ac90215a45ba9544896d719', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_eb062', table='signals_ledgerhead', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ledgerhead',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'heads of the ledger are only ever added';", hash='d76531a6588a4793d9cb79909dbebffc90a52d23', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_01fac', table='signals_ledgerhead', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='ledgerhead',
            constraint=models.CheckConstraint(condition=models.Q(('size__gte', 1)), name='signals_head_covers_something'),
        ),
        migrations.AddField(
            model_name='signaloutcome',
            name='ledger_entry',
            field=models.BigIntegerField(db_column='sequence', null=True),
        ),
        migrations.RunPython(chain_again, migrations.RunPython.noop),
        migrations.AlterModelOptions(
            name='signal',
            options={'get_latest_by': 'ledger_entry_id', 'ordering': ['-ledger_entry_id']},
        ),
        migrations.RemoveField(
            model_name='signal',
            name='hash',
        ),
        migrations.RemoveField(
            model_name='signal',
            name='prev_hash',
        ),
        migrations.AlterField(
            model_name='signal',
            name='sequence',
            field=models.BigIntegerField(db_column='sequence', unique=True),
        ),
        migrations.RenameField(model_name='signal', old_name='sequence', new_name='ledger_entry'),
        migrations.AlterField(
            model_name='signal',
            name='ledger_entry',
            field=models.OneToOneField(db_column='sequence', on_delete=django.db.models.deletion.PROTECT, related_name='signal', to='signals.ledgerentry'),
        ),
        migrations.AlterField(
            model_name='signaloutcome',
            name='ledger_entry',
            field=models.OneToOneField(db_column='sequence', on_delete=django.db.models.deletion.PROTECT, related_name='outcome', to='signals.ledgerentry'),
        ),
        migrations.RunSQL(KEEP_NAMES, FORGET_NAMES),
    ]
