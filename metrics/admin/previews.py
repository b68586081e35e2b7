"""What switching a group would change: the published values beside those of the other source."""

from dataclasses import dataclass
from typing import NamedTuple

from metrics.admin.candidates import Candidate, Cell, Comparison
from metrics.catalogue import SourceKind


class Change(NamedTuple):
    """One metric before and after; `before` is None where nothing is published yet."""

    before: Cell | None
    after: Cell

    @property
    def label(self) -> str:
        return self.after.metric.label

    @property
    def is_changed(self) -> bool:
        return self.before is None or (self.before.shown, self.before.note) != (self.after.shown, self.after.note)


@dataclass(frozen=True, slots=True)
class Preview:
    """One group's switch to `kind`."""

    comparison: Comparison
    kind: SourceKind

    @property
    def after(self) -> Candidate:
        return self.comparison.candidate(self.kind)

    @property
    def before(self) -> Candidate | None:
        return self.comparison.published

    @property
    def changes(self) -> list[Change]:
        """Every metric, in the catalogue's order."""
        before = self.before.cells if self.before else [None] * len(self.after.cells)
        return [Change(was, becomes) for was, becomes in zip(before, self.after.cells, strict=True)]

    @property
    def problem_count(self) -> int:
        """How many metrics would have a problem."""
        return sum(cell.problem is not None for cell in self.after.cells)
