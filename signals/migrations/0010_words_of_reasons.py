from django.db import migrations

from signals.models.words import words_column

# Immutable, as a generated column wants it: letters and digits of a text, whatever the session's settings are.
MAKE_WORDS = """
CREATE FUNCTION copilot_words(given text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT pg_catalog.to_tsvector('pg_catalog.simple'::pg_catalog.regconfig,
                                    pg_catalog.regexp_replace(given, '[^[:alnum:]]+', ' ', 'g')) $$;
CREATE FUNCTION copilot_words(given text[]) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT public.copilot_words(pg_catalog.array_to_string(given, ' ')) $$;
"""
FORGET_WORDS = "DROP FUNCTION copilot_words(text[]); DROP FUNCTION copilot_words(text);"


class Migration(migrations.Migration):
    dependencies = [("market", "0002_sentiment"), ("signals", "0009_stop_raises")]

    operations = [
        migrations.RunSQL(MAKE_WORDS, FORGET_WORDS),
        migrations.RunSQL(*words_column("signals_signal", "reasons")),
    ]
