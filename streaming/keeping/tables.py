"""The dashboard's tables, and their rows in a form that is the same in every database."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.db import models

#: Kinds of columns whose values are the same everywhere as they come.
PLAIN = (models.CharField, models.TextField, models.IntegerField, models.FloatField, models.BooleanField)

Row = tuple[Any, ...]


class Table:
    """One model's."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self.name = model._meta.db_table
        self.fields = model._meta.local_concrete_fields
        self.columns = [str(field.column) for field in self.fields]
        self.special = [place for place, field in enumerate(self.fields) if not is_plain(field)]

    def read(self, database: str) -> Iterator[Row]:
        """All rows, in no order; `database`: Django's alias for it. Raises django.db.Error."""
        names = [field.attname for field in self.fields]
        yield from self.model._base_manager.using(database).order_by().values_list(*names).iterator(chunk_size=5000)

    def prepare(self, row: Row, connection: Any) -> Row:
        """A row that was read, as it is written into a database."""
        if not self.special:
            return row
        values = list(row)
        for place in self.special:
            values[place] = self.fields[place].get_db_prep_save(values[place], connection)
        return tuple(values)

    def canonical(self, row: Row) -> bytes:
        """A row that was read, the same from whichever database."""
        if self.special:
            values = list(row)
            for place in self.special:
                values[place] = make_canonical(values[place])
            row = tuple(values)
        return repr(row).encode()


def is_plain(field: Any) -> bool:
    """Whether a column's values are the same everywhere as they come; of a foreign key, what it refers to."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return isinstance(field, PLAIN)


def make_canonical(value: Any) -> Any:
    """A value in the one form that is compared."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return bytes(value) if isinstance(value, memoryview) else value


def find_tables() -> list[Table]:
    """Those of all apps, but the one in which Django notes its migrations."""
    found = apps.get_models(include_auto_created=True)
    return [
        Table(model) for model in found if model._meta.managed and not model._meta.proxy and not model._meta.swapped
    ]
