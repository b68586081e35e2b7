"""Gives each group its row of DataSource, so that a new one needs no migration of data written by hand."""

from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.db import router

from metrics.catalogue import Group


def create_missing_rows(*, using: str, apps: Apps = current_apps, **signal: Any) -> None:
    """Create the rows that there are not yet, each with its group's first kind (blocking). Raises django.db.Error.

    Called after each migrate. `apps` are the models as the database `using` has them now, which may be an older state:
    without the table, or with a constraint that does not know the newest groups.
    """
    try:
        data_source = apps.get_model("metrics", "DataSource")
    except LookupError:
        return
    if not router.allow_migrate_model(using, data_source):
        return
    known = dict(data_source._meta.get_field("group").flatchoices)
    for group in Group:
        if group in known:
            data_source._default_manager.using(using).get_or_create(
                group=group.value, defaults={"kind": group.first_kind.value}
            )
