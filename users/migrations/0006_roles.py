"""The group `Admins` becomes the role `admin`; what each role may do is given after every migration."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def rename(old: str, new: str, apps: Apps) -> None:
    groups = apps.get_model("auth", "Group").objects
    if not groups.filter(name=new).exists():
        groups.filter(name=old).update(name=new)


def forwards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename("Admins", "admin", apps)


def backwards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rename("admin", "Admins", apps)


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0005_staff_sessions"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(forwards, backwards)]
