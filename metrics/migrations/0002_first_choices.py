"""Nothing any more: the groups' rows are created after each migrate (metrics/first_choices.py)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_data_sources")]

    operations = []
