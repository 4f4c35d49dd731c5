from django.db import migrations, models

FUNCTION = """
CREATE OR REPLACE FUNCTION notifications_keep_subscriber_with_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    IF EXISTS (SELECT FROM notifications_delivery WHERE subscriber_id = OLD.id) THEN
        RAISE EXCEPTION 'subscriber % has deliveries', OLD.id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN OLD;
END $$;
"""
# A publication writes deliveries before it holds the ledger's lock: the trigger waits for publications
# (signals.services.publishing.PUBLICATIONS_LOCK) instead of that one.
WAIT_FOR_PUBLICATIONS = FUNCTION.format(lock=7305002)
WAIT_FOR_LEDGER = FUNCTION.format(lock=7305001)
# A publication looks twice who has a daily cap: whoever gets one or loses it waits until none is between the two.
KEEP_CAPS = """
CREATE FUNCTION notifications_change_cap_between_publications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.daily_cap IS DISTINCT FROM NEW.daily_cap THEN
        PERFORM pg_advisory_xact_lock(7305002);
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER notifications_change_cap BEFORE INSERT OR UPDATE OR DELETE ON notifications_deliverypreference
    FOR EACH ROW EXECUTE FUNCTION notifications_change_cap_between_publications();
"""
DROP_CAPS = """
DROP TRIGGER notifications_change_cap ON notifications_deliverypreference;
DROP FUNCTION notifications_change_cap_between_publications();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0009_cheaper_deliveries"),
    ]

    operations = [
        migrations.AddField(
            model_name="signalpicture",
            name="awaited_until",
            field=models.DateTimeField(
                blank=True, help_text="Deliveries wait for it until then; empty: they do not.", null=True
            ),
        ),
        migrations.RunSQL(WAIT_FOR_PUBLICATIONS, WAIT_FOR_LEDGER),
        migrations.RunSQL(KEEP_CAPS, DROP_CAPS),
    ]
