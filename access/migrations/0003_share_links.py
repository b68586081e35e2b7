"""Links that show a part of the dashboard."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_record"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ShareLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("expires_at", models.DateTimeField(blank=True, help_text="Empty: never.", null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "label",
                    models.CharField(
                        help_text="Who or what it is for: “Risk desk's wall”. Its viewers see it.", max_length=100
                    ),
                ),
                ("groups", models.JSONField(default=list, help_text="What it shows.")),
                (
                    "shows_amounts",
                    models.BooleanField(
                        default=False,
                        help_text="Else amounts of money are shown as changes in percent since the link was made.",
                    ),
                ),
                ("bases", models.JSONField(default=list, editable=False, help_text="What amounts are compared with.")),
                ("seed", models.CharField(editable=False, max_length=43)),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="share_links",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "permissions": [("share", "May share the dashboard by links")],
            },
        ),
    ]
