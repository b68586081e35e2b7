"""What a Prometheus gets of a server: by its own parser, and by a real one."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port
from tests.processes import ROOT, Process, Server, need

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

    @property
    def names(self) -> set[str]:
        """Those of all series, and of what could have some and has none now: a problem, say."""
        return set(self.series) | set(re.findall(r"^# TYPE (\w+) (?:gauge|counter)$", self.text, re.MULTILINE))


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


class Prometheus(Process):
    """A real Prometheus that scrapes one server, with the project's own rules."""

    def __init__(self, folder: Path, target: int) -> None:
        program = need(shutil.which("prometheus") or "/usr/bin/prometheus", "Prometheus")
        self.port = free_port()
        configuration = folder / "prometheus.yaml"
        scraped = {"job_name": "quantum-dashboard", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
        configuration.write_text(
            json.dumps(  # which is YAML, too
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "500ms"},
                    "rule_files": [str(ROOT / "deploy" / "prometheus" / "alerts.yaml")],
                    "scrape_configs": [scraped],
                }
            )
        )
        words = [f"--config.file={configuration}", f"--storage.tsdb.path={folder}/prometheus"]
        words += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        super().__init__([program, *words], folder / "prometheus.log")

    def ask(self, path: str, **query: str) -> Any:
        """What its API answers. Raises urllib.error.HTTPError for an expression that it does not understand."""
        address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(query)}"
        with urlopen(address, timeout=10) as response:
            return json.load(response)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def has_scraped(self) -> bool:
        """Whether it has what it needs for a rate."""
        try:
            return bool(self.query("rate(quantum_dashboard_ticks_published_total[1m]) > 0"))
        except OSError:  # it does not listen yet
            return False
