"""A certificate authority as Let's Encrypt is one (ACME), in the container: Debian's `pebble`."""

import json
import time

from tests.deployment.debian import Debian

HOST = "desk.example"
FOLDER = "/srv/pebble"
SETTINGS = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": f"{FOLDER}/own.crt",
    "privateKey": f"{FOLDER}/own.key",
    "httpPort": 80,
    "tlsPort": 443,
}
#: Where it listens it has a certificate of its own; whoever it certifies has one by its root, new each time it starts.
PREPARE = f"""
mkdir -p {FOLDER} /etc/letsencrypt
echo "127.0.0.1 {HOST}" >> /etc/hosts
echo "server = https://localhost:14000/dir" > /etc/letsencrypt/cli.ini
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout {FOLDER}/own.key -out {FOLDER}/own.crt
cp {FOLDER}/own.crt /usr/local/share/ca-certificates/pebble-own.crt
update-ca-certificates
systemd-run --unit pebble -E PEBBLE_VA_NOSLEEP=1 pebble -config {FOLDER}/settings.json
"""
TRUST = """
from urllib.request import urlopen
with open("/usr/local/share/ca-certificates/pebble-root.crt", "wb") as file:
    file.write(urlopen("https://localhost:15000/roots/0").read())
"""


def start_authority(debian: Debian) -> None:
    """Start it, and have the machine trust it, know HOST as itself, and certbot ask it."""
    settings = json.dumps({"pebble": SETTINGS})
    do(debian, "sh", "-euc", f"mkdir -p {FOLDER}; echo '{settings}' > {FOLDER}/settings.json")
    do(debian, "sh", "-euc", PREPARE)
    deadline = time.monotonic() + 30
    while debian.run("python3", "-c", TRUST).returncode:
        assert time.monotonic() < deadline, debian.run("journalctl", "-u", "pebble").stdout
        time.sleep(0.5)
    do(debian, "update-ca-certificates")


def do(debian: Debian, *words: str) -> str:
    """A command that must succeed; what it says."""
    done = debian.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
