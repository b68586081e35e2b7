"""What a Prometheus gets of a server, by its own parser."""

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Server

Labels = dict[str, str]


class Scrape(NamedTuple):
    """One answer of `/metrics`. `series`: by name, each with its labels. `families`: their names, in order."""

    text: str
    families: list[str]
    series: dict[str, list[tuple[Labels, float]]]

    def by(self, name: str, label: str = "worker") -> dict[str, float]:
        """The series of this name by one label, which tells them apart."""
        found = self.series.get(name, [])
        assert len({labels[label] for labels, _ in found}) == len(found), f"{name} twice for the same {label}"
        return {labels[label]: value for labels, value in found}


def read_scrape(text: str) -> Scrape:
    """What an answer says."""
    found = Scrape(text, [], {})
    for family in text_string_to_metric_families(text):
        found.families.append(family.name)
        for sample in family.samples:
            found.series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def scrape(server: Server) -> Scrape:
    """Ask a server."""
    status, text = server.get("/metrics")
    assert status == 200, text
    return read_scrape(text)
