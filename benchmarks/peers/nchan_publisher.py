"""Posts a payload to nchan at every tick: `python -m benchmarks.peers.nchan_publisher PORT INTERVAL_S`."""

import http.client
import json
import sys
import time

from benchmarks.peers.payload import make_payload


def main() -> None:
    """Publish until killed."""
    port, interval_s = int(sys.argv[1]), float(sys.argv[2])
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    previous = None
    due = time.monotonic()
    while True:
        payload = make_payload(previous, interval_s)
        server.request("POST", "/publish", json.dumps(payload, separators=(",", ":")))
        server.getresponse().read()
        previous = payload["id"]
        due = max(due + interval_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
