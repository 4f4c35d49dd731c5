"""Django's database settings as a libpq connection string, for connections outside the ORM."""

from django.db import connections
from psycopg.conninfo import make_conninfo

OURS = {"pool", "isolation_level", "assume_role", "server_side_binding"}  # Django's options, not libpq's


def conninfo() -> str:
    database = connections["default"].settings_dict
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name not in OURS}
    return make_conninfo(
        dbname=database["NAME"] or None,
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        application_name="copilot sender",
        **options,
    )
