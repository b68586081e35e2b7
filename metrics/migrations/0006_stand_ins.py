"""What stood in for a value (a silent producer's last one, the fallback) moves out of the column of values."""

import json

from django.db import migrations, models

#: Rows that are rewritten at once.
BATCH = 1000


def move_stand_ins(apps, schema_editor):
    """A value with a problem is no value of its own. Only rows with problems are read, by their index."""
    records = apps.get_model("metrics", "SnapshotRecord").objects.using(schema_editor.connection.alias)
    columns = {
        field.name
        for field in records.model._meta.get_fields()
        if field.null and field.name != "previous" and not field.name.startswith("source_")
    }
    flawed = records.filter(problem_count__gt=0).order_by("-id")
    rows = list(flawed[:BATCH])
    while rows:
        moved = {}
        for row in rows:
            stand_ins = {key: getattr(row, key) for key in find_problems(row) & columns if getattr(row, key) is not None}
            if stand_ins:
                row.stand_ins = json.dumps(stand_ins)
                for key in stand_ins:
                    setattr(row, key, None)
                moved.setdefault(("stand_ins", *sorted(stand_ins)), []).append(row)
        for fields, changed in moved.items():
            records.bulk_update(changed, fields, batch_size=100)
        rows = list(flawed.filter(id__lt=rows[-1].id)[:BATCH])


def find_problems(row):
    """The metrics of which `row` says that they have a problem; none where that cannot be read."""
    try:
        return set(json.loads(row.problems))
    except (ValueError, TypeError):
        return set()


class Migration(migrations.Migration):
    dependencies = [("metrics", "0005_ids")]

    operations = [
        migrations.AddField(
            model_name="snapshotrecord",
            name="stand_ins",
            field=models.TextField(
                help_text="JSON: metric to what was shown in place of a value of its own: a silent producer's last one, "
                "or the fallback. `problems` says why. Empty: nothing was.",
                default="",
                db_default="",
            ),
        ),
        migrations.RunPython(move_stand_ins, migrations.RunPython.noop),
    ]
