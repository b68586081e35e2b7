"""What staff write down beside the numbers: a marker in time."""

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Note(models.Model):
    """Something that happened and that no number says: "deployed 1.4". Shown in the charts at its time."""

    time = models.DateTimeField(default=timezone.now, db_index=True, help_text="In UTC.")
    text = models.CharField(max_length=200, help_text="What happened, for whoever reads the charts: “deployed 1.4”.")
    by = models.CharField(max_length=150, editable=False, help_text="The user's name, as it was then.")

    class Meta:
        ordering: ClassVar = ["-time", "-pk"]

    def __str__(self) -> str:
        return self.text
