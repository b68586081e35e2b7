"""Snapshots get an id of their own, which was their time, and the term of their publisher."""

from django.db import migrations, models


def copy_ids_to_times(apps, schema_editor):
    """Until now the key was the time."""
    apps.get_model("metrics", "SnapshotRecord").objects.using(schema_editor.connection.alias).update(
        time_ms=models.F("id")
    )


class Migration(migrations.Migration):
    dependencies = [("metrics", "0004_groups_from_the_catalogue")]

    operations = [
        migrations.RemoveIndex(model_name="snapshotrecord", name="snapshots_with_problems"),
        migrations.AlterModelOptions(
            name="snapshotrecord",
            options={
                "ordering": ["-id"],
                "verbose_name": "snapshot",
                "verbose_name_plural": "history of snapshots",
            },
        ),
        migrations.RenameField(model_name="snapshotrecord", old_name="time_ms", new_name="id"),
        migrations.RenameField(model_name="snapshotrecord", old_name="previous_ms", new_name="previous"),
        migrations.AlterField(
            model_name="snapshotrecord",
            name="id",
            field=models.BigAutoField(
                help_text="The place in the sequence; says nothing about time.", primary_key=True, serialize=False
            ),
        ),
        migrations.AlterField(
            model_name="snapshotrecord",
            name="previous",
            field=models.BigIntegerField(
                help_text="The id of the snapshot published before; null: not known.", null=True
            ),
        ),
        migrations.AddField(
            model_name="snapshotrecord",
            name="term",
            field=models.BigIntegerField(default=0, help_text="The number of the tenure of whoever published it."),
        ),
        migrations.AddField(
            model_name="snapshotrecord",
            name="time_ms",
            field=models.BigIntegerField(help_text="Unix milliseconds.", null=True, verbose_name="time"),
        ),
        migrations.RunPython(copy_ids_to_times, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="snapshotrecord",
            name="time_ms",
            field=models.BigIntegerField(db_index=True, help_text="Unix milliseconds.", verbose_name="time"),
        ),
        migrations.AddIndex(
            model_name="snapshotrecord",
            index=models.Index(
                condition=models.Q(("problem_count__gt", 0)), fields=["-id"], name="snapshots_with_problems"
            ),
        ),
    ]
