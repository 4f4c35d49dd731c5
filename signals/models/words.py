"""Words of a table's reasons: found among hundreds of thousands of rows without reading them.

The tables have a column `words` (tsvector) that the database fills from the reasons and holds in an index; no model has
it, so no row that is read or written carries it. Letters and digits count, as `copilot_words` of the database has it.
"""

import re

from django.db.models import BooleanField, Func, Model, Q, TextField, Value


class _Phrase(Func):
    template = "(phraseto_tsquery('simple'::regconfig, %(expressions)s)::text || ':*')::tsquery"
    output_field = TextField()


class _Holds(Func):
    template = "%(table)s.words @@ %(expressions)s"
    output_field = BooleanField()


def with_words(model: type[Model], text: str) -> Func | Q:
    """Rows of `model` that hold these words in this order, of the last at least its beginning; all rows where `text`
    has no word."""
    words = " ".join(re.findall(r"[^\W_]+", text))
    table = model._meta.db_table  # noqa: SLF001  (Django's documented way to a table's name)
    return _Holds(_Phrase(Value(words)), table=table) if words else Q()


def words_column(table: str, reasons: str) -> tuple[str, str]:
    """SQL that gives a table its column and index, and SQL that takes them away."""
    column = f"words tsvector GENERATED ALWAYS AS (copilot_words({reasons})) STORED"
    return (
        f"ALTER TABLE {table} ADD COLUMN {column}; CREATE INDEX {table}_words ON {table} USING gin (words);",
        f"ALTER TABLE {table} DROP COLUMN words;",
    )
