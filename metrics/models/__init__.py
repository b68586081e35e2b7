"""What the database keeps: staff's choice of sources, every snapshot, every switch of a source, staff's notes."""

from metrics.models.data_source import DataSource
from metrics.models.note import Note
from metrics.models.snapshot_record import SnapshotRecord
from metrics.models.source_switch import SourceSwitch

__all__ = ["DataSource", "Note", "SnapshotRecord", "SourceSwitch"]
