"""Changes of the history's table: while one is made nobody writes it, so none may look at every row."""

from django.db import migrations
from django.db.migrations.loader import MigrationLoader

#: From before this was held; docs/operations.md says how long each takes with a million rows.
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
#: What only renames, or removes a name.
CHEAP = (migrations.AlterModelOptions, migrations.RemoveIndex, migrations.RenameIndex)


def is_quick(operation: migrations.operations.base.Operation) -> bool:
    """Whether it takes milliseconds on SQLite and on PostgreSQL, however many rows there are.

    SQLite copies the whole table for anything but a new column that may be null and has no default.
    """
    if str(getattr(operation, "model_name", "")).lower() != "snapshotrecord":
        return not isinstance(operation, migrations.RunPython | migrations.RunSQL)
    if isinstance(operation, migrations.AddField):
        field = operation.field
        return (
            field.null
            and not field.has_default()
            and not field.has_db_default()
            and not getattr(field, "db_index", False)
        )
    return isinstance(operation, CHEAP)


def test_no_new_migration_keeps_history_locked_for_long() -> None:
    slow = [
        f"metrics.{name}: {operation.describe()}"
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app == "metrics" and not name.startswith(KNOWN)
        for operation in migration.operations
        if not is_quick(operation)
    ]
    assert slow == [], (
        "time these with `make bench-storage`, split them, or say in docs/operations.md how long they take"
    )


def test_the_known_ones_are_told_apart() -> None:
    found = MigrationLoader(None).disk_migrations
    slow = {
        name[:4] for (app, name), each in found.items() if app == "metrics" and not all(map(is_quick, each.operations))
    }
    assert slow == {"0004", "0005", "0006"}
