"""Three roles on one database: the owner migrates, the application reads and writes rows, the executor trades.

Whoever takes over a running process gets what the application may: no COPY PROGRAM, no trigger switched off, no row of
the ledger or of the audit changed, not even by pgtrigger's own way to let its triggers rest.
"""

from collections.abc import Iterator
from typing import Any, LiteralString

import pgtrigger
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Model
from psycopg import sql

PRIVILEGES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
BASIC: tuple[LiteralString, ...] = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
)
EVERYTHING: tuple[LiteralString, ...] = (
    *BASIC,
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
)
# A key that was stored can be replaced by whoever stores one, not read.
BLINDLY: tuple[LiteralString, ...] = (
    "REVOKE SELECT ON autopilot_keysecret FROM {role}",
    "GRANT SELECT (key_id) ON autopilot_keysecret TO {role}",
)
TOLD_BY_EXECUTOR = frozenset({"signals_action", "signals_heartbeat", "signals_alarm"})


def grant_as_configured() -> list[str]:
    """The roles that settings name, and what each may from now on; nothing where one role does all."""
    role, executor = settings.APPLICATION_ROLE, settings.EXECUTOR_ROLE
    if not role or not grant_to_application(role=role, password=settings.APPLICATION_PASSWORD or None):
        return []
    if not executor:
        return [f"Role {role} may read and write rows."]
    grant_to_executor(role=executor, password=settings.EXECUTOR_PASSWORD or None, application=role)
    return [f"Role {role} may read and write rows.", f"Role {executor} alone may read encrypted API keys."]


def grant_to_application(*, role: str, password: str | None) -> bool:
    """Make the role, or renew what it may; False where we are that role ourselves and there is no owner apart."""
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT current_user = %s", [role])
        if cursor.fetchone()[0]:
            return False
        _make(cursor, role, password)
        _run(cursor, EVERYTHING, role)
        for table, verbs in kept_tables():
            _revoke(cursor, verbs, table, role)
    return True


def grant_to_executor(*, role: str, password: str | None, application: str) -> None:
    """Make the role that sends orders, or renew what it may: nothing of users, subscribers and deliveries.

    From then on the application writes encrypted API keys blindly: it cannot read them.
    """
    with connection.cursor() as cursor, transaction.atomic():
        _make(cursor, role, password)
        _run(cursor, BASIC, role)
        for table, verbs in executor_tables():
            words = sql.SQL(", ").join(map(sql.SQL, verbs))
            cursor.execute(
                sql.SQL("GRANT {} ON {} TO {}").format(words, sql.Identifier(table), sql.Identifier(role))
            )
        for table, verbs in kept_tables():
            _revoke(cursor, verbs, table, role)
        # FOR SHARE, by which an order holds the kill switch still, wants the right to change a column.
        _run(cursor, ("GRANT UPDATE (id) ON signals_killswitch TO {role}",), role)
        _run(cursor, BLINDLY, application)


def executor_tables() -> Iterator[tuple[str, list[LiteralString]]]:
    """All of autopilot's rows; of signals' it reads what there is and adds to the few that tell of its work."""
    for model in apps.get_models():
        label, table = model._meta.app_label, model._meta.db_table  # noqa: SLF001
        if label == "autopilot":
            yield table, ["SELECT", "INSERT", "UPDATE", "DELETE"]
        elif label in ("signals", "market"):
            yield table, ["SELECT", *(["INSERT", "UPDATE"] if table in TOLD_BY_EXECUTOR else [])]


def _make(cursor: Any, role: str, password: str | None) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('copilot roles'))")
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    verb = sql.SQL("ALTER" if cursor.fetchone()[0] else "CREATE")
    name = sql.Identifier(role)
    cursor.execute(sql.SQL("{} ROLE {} " + PRIVILEGES).format(verb, name))
    if password:
        cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))


def _run(cursor: Any, statements: tuple[LiteralString, ...], role: str) -> None:
    cursor.execute("SELECT current_database()")
    names = {"role": sql.Identifier(role), "database": sql.Identifier(cursor.fetchone()[0])}
    for statement in statements:
        cursor.execute(sql.SQL(statement).format(**names))


def _revoke(cursor: Any, verbs: list[LiteralString], table: str, role: str) -> None:
    words = sql.SQL(", ").join(map(sql.SQL, verbs))
    cursor.execute(
        sql.SQL("REVOKE {} ON {} FROM {}").format(words, sql.Identifier(table), sql.Identifier(role))
    )


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
