"""Two roles on one database: the owner migrates, the application reads and writes rows.

Whoever takes over a running process gets what the application may: no COPY PROGRAM, no trigger switched off, no row of
the ledger or of the audit changed, not even by pgtrigger's own way to let its triggers rest.
"""

from collections.abc import Iterator
from typing import LiteralString

import pgtrigger
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Model
from psycopg import sql

PRIVILEGES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
EVERYTHING: tuple[LiteralString, ...] = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
)


def grant_to_application(*, role: str, password: str | None) -> bool:
    """Make the role, or renew what it may; False where we are that role ourselves and there is no owner apart."""
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT current_user = %s, current_database()", [role])
        is_ourselves, database = cursor.fetchone()
        if is_ourselves:
            return False
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('copilot roles'))")
        cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
        verb = sql.SQL("ALTER" if cursor.fetchone()[0] else "CREATE")
        name = sql.Identifier(role)
        cursor.execute(sql.SQL("{} ROLE {} " + PRIVILEGES).format(verb, name))
        if password:
            cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))
        for statement in EVERYTHING:
            cursor.execute(sql.SQL(statement).format(role=name, database=sql.Identifier(database)))
        for table, verbs in kept_tables():
            words = sql.SQL(", ").join(map(sql.SQL, verbs))
            cursor.execute(sql.SQL("REVOKE {} ON {} FROM {}").format(words, sql.Identifier(table), name))
    return True


def kept_tables() -> Iterator[tuple[str, list[LiteralString]]]:
    """What triggers refuse at each row of a table, the role may not even ask for; nor to delete history or staff."""
    for model in apps.get_models():
        refused: list[LiteralString] = []
        if refuses(model, pgtrigger.Update):
            refused.append("UPDATE")
        is_history, is_staff = hasattr(model, "pgh_tracked_model"), model is get_user_model()
        if refuses(model, pgtrigger.Delete) or is_history or is_staff:
            refused.append("DELETE")
        if refused:
            yield model._meta.db_table, refused  # noqa: SLF001  (Django's documented API)


def refuses(model: type[Model], operation: pgtrigger.Operation) -> bool:
    triggers = getattr(model._meta, "triggers", [])  # noqa: SLF001
    return any(
        isinstance(trigger, pgtrigger.Protect)
        and str(operation) in str(trigger.operation)
        and trigger.condition is None
        for trigger in triggers
    )
