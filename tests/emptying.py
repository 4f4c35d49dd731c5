"""The tables as they are after a migration, restored after each transactional test in milliseconds.

Django truncates every table, then makes content types, permissions and roles anew: 0.3 s a test, half of it in this
process. Here that happens after the first such test; what is in the tables then is kept in memory. After all others
the tables that hold something are emptied by DELETE, and filled with what was kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

# Emptying rewrites no history: the ledger's triggers rest, and no foreign key asks for an order.
WITHOUT_TRIGGERS = "SET LOCAL session_replication_role = replica"
# A table that was never written to since it was truncated has no page.
EMPTY = """
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY string_to_array(current_setting('copilot.tables'), ',') LOOP
        IF pg_relation_size(name::regclass) > 0 THEN EXECUTE format('DELETE FROM %s', name::regclass); END IF;
    END LOOP;
END $$"""


@contextmanager
def emptied_quickly() -> Iterator[None]:
    """As long as it lasts, tables are emptied as told above."""
    tables: list[str] = []
    kept: dict[str, bytes] = {}
    flush, execute = vars(TransactionTestCase)["_fixture_teardown"], DatabaseOperations.execute_sql_flush

    def truncate(self: DatabaseOperations, sql_list: list[str]) -> None:
        execute(self, [WITHOUT_TRIGGERS, *sql_list] if sql_list else [])

    def restore(case: TransactionTestCase) -> None:
        if tables and case.available_apps is None and not case.serialized_rollback:
            _restore(tables, kept)
            return
        flush(case)
        tables[:] = connection.introspection.django_table_names(only_existing=True, include_views=False)
        with connection.cursor() as cursor:
            kept.update({table: rows for table in tables if (rows := _read(cursor, table))})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", restore)
        patched.setattr(DatabaseOperations, "execute_sql_flush", truncate)
        yield


def _restore(tables: list[str], kept: dict[str, bytes]) -> None:
    names = ",".join(tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WITHOUT_TRIGGERS)
        # As TRUNCATE does, it waits for whoever is still writing.
        cursor.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT set_config('copilot.tables', %s, true)", [names])
        cursor.execute(EMPTY)
        for table, rows in kept.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(rows)


def _read(cursor: CursorWrapper, table: str) -> bytes:
    with cursor.copy(f"COPY {table} TO STDOUT") as copy:
        return b"".join(copy)
