"""What the database keeps: staff's choice of sources, every published snapshot, every switch of a source."""

from metrics.models.data_source import DataSource
from metrics.models.snapshot_record import SnapshotRecord
from metrics.models.source_switch import SourceSwitch

__all__ = ["DataSource", "SnapshotRecord", "SourceSwitch"]
