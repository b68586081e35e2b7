"""The page's files as they are served: compressed, kept by browsers, under a strict policy."""

import gzip
import json
import urllib.request
from pathlib import Path

from tests.processes import ROOT, Server


def test_static_files_are_compressed_and_kept_for_ever(server: Server) -> None:
    manifest = json.loads((ROOT / "staticfiles" / "staticfiles.json").read_text())["paths"]
    address = f"{server.url}/static/{manifest['dashboard/page.js']}"
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        text = gzip.decompress(answer.read()).decode()
    assert f'"./{Path(manifest["dashboard/connection.js"]).name}"' in text


def test_the_pages_policy_forbids_what_it_does_not_need(server: Server) -> None:
    with urllib.request.urlopen(server.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
