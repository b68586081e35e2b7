"""An address that shows a part of the dashboard to whoever has it."""

import base64
import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac

from access.credentials import digest_of
from access.models.revocable import Revocable
from access.share import AMOUNT, Base, Share, smallest_base
from metrics.catalogue import Group, Metric, SourceKind, metrics_of
from metrics.history.readable import read_snapshots
from metrics.models import SnapshotRecord

#: Among so many of the newest snapshots an amount without a problem is looked for, to compare later ones with.
RECENT = 100


class ShareLink(Revocable):
    """Shows some groups to whoever has its address, as long as whoever made it may share.

    The address is not kept: it is made of `seed` with SECRET_KEY, whenever somebody who may share wants to copy it. So
    whoever reads the database, or a copy of it, cannot look; and a link goes on when SECRET_KEY is replaced.
    """

    label = models.CharField(max_length=100, help_text="Who or what it is for: “Risk desk's wall”. Its viewers see it.")
    groups = models.JSONField(default=list, help_text="What it shows.")
    shows_amounts = models.BooleanField(
        default=False, help_text="Else amounts of money are shown as changes in percent since the link was made."
    )
    bases = models.JSONField(default=list, editable=False, help_text="What amounts are compared with.")
    seed = models.CharField(max_length=43, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="share_links", editable=False
    )

    class Meta:
        ordering: ClassVar = ["-created_at"]
        permissions: ClassVar = [("share", "May share the dashboard by links")]

    def __str__(self) -> str:
        return self.label

    def begin(self) -> str:
        """Give it an address, take the amounts of now as bases, save it, and return the address's secret."""
        self.seed = secrets.token_urlsafe(32)
        secret = make_secret(self.seed, settings.SECRET_KEY)
        self.digest = digest_of(secret)
        self.groups = [group.value for group in Group if group in self.groups]
        self.bases = [] if self.shows_amounts else find_bases(self.groups)
        self.save()
        return secret

    @property
    def secret(self) -> str | None:
        """What stands in its address; None where SECRET_KEY, or one of the FALLBACKS, is not the one of then."""
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            if digest_of(secret := make_secret(self.seed, key)) == self.digest:
                return secret
        return None

    @property
    def share(self) -> Share:
        """What it shows; of groups that are gone from the catalogue, nothing."""
        groups = frozenset(group for group in Group if group in self.groups)
        return Share(groups, None if self.shows_amounts else tuple(Base(*base) for base in self.bases))

    @property
    def lacks_bases(self) -> list[str]:
        """The labels of the amounts whose changes cannot be shown: none was known when the link was made."""
        known = {base[0] for base in self.bases}
        hidden = [] if self.shows_amounts else amounts_of(self.groups)
        return [metric.label for metric in hidden if metric.key not in known]


def make_secret(seed: str, key: str | bytes) -> str:
    """The secret of a link's address: 256 bits in 43 characters."""
    made = salted_hmac("access.ShareLink", seed, secret=key, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def amounts_of(groups: list[str]) -> list[Metric]:
    """The amounts of money among the metrics of `groups`."""
    return [metric for group in Group if group in groups for metric in metrics_of(group) if metric.unit == AMOUNT]


def find_bases(groups: list[str]) -> list[Base]:
    """The newest amounts of `groups` that have no problem and are large enough to hide behind (blocking)."""
    bases = {}
    for snapshot in read_snapshots(SnapshotRecord.objects.order_by("-id")[:RECENT]):
        for metric in amounts_of(groups):
            value, kind = snapshot.values[metric.key], snapshot.sources.get(metric.group)
            if metric.key in bases or metric.key in snapshot.problems or not isinstance(value, int | float):
                continue
            if kind is not None and abs(value) >= smallest_base(metric):
                bases[metric.key] = Base(metric.key, float(value), kind is SourceKind.MOCK)
    return list(bases.values())
