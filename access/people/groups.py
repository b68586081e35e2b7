"""The groups that a new dashboard begins with.

Made after each migrate where they are missing, not by a migration: what a group may do refers to permissions, and
Django makes those only when all migrations are done. A group that is there is left as staff made it.
"""

from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import router

#: Each group, with what its members may do.
GROUPS = {
    "Viewer": {"access.look"},
    "Operator": {"access.look", "metrics.view_datasource", "metrics.change_datasource"},
}


def create_missing_groups(*, using: str, apps: Apps = current_apps, **signal: Any) -> None:
    """Create the groups that there are not yet (blocking). Raises django.db.Error.

    Called after each migrate. `apps` are the models as the database `using` has them now, which may be an older state.
    """
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
        apps.get_model("access", "AccessToken")
    except LookupError:
        return
    if not router.allow_migrate_model(using, group_model):
        return
    for label in ("metrics", "access"):  # Django's own receiver may come after this one
        create_permissions(current_apps.get_app_config(label), verbosity=0, using=using, apps=apps)
    for name, permissions in GROUPS.items():
        group, is_new = group_model._default_manager.using(using).get_or_create(name=name)
        if is_new:
            for permission in permissions:
                label, codename = permission.split(".")
                found = permission_model._default_manager.using(using).filter(
                    content_type__app_label=label, codename=codename
                )
                group.permissions.add(*found)
