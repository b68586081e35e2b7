"""One row per group: the machine is read from the host, everything else is simulated until staff say otherwise."""

from django.db import migrations

FIRST_CHOICES = {"system": "host", "ai": "mock", "portfolio": "mock"}


def create_rows(apps, schema_editor):
    data_source = apps.get_model("metrics", "DataSource")
    for group, kind in FIRST_CHOICES.items():
        data_source.objects.get_or_create(group=group, defaults={"kind": kind})


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_data_sources")]

    operations = [migrations.RunPython(create_rows, migrations.RunPython.noop)]
