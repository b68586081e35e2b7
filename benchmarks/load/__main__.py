"""The load generator's process: `python -m benchmarks.load PORT PATH LOOK_EVERY_MS [same]`, asked by standard input.

One JSON object a line: `{"do": "connect", "count": 1000, ...}` names a method of Swarm and its arguments; the answer is
one line of JSON on standard output. It ends when its input does.
"""

import gc
import json
import os
import sys

from benchmarks.load.swarm import Swarm
from benchmarks.processes import raise_file_limit

ASKABLE = {"connect", "disconnect", "mark", "keep_coming_back", "wait_until_back"}


def main() -> None:
    """Serve requests until the end of input."""
    raise_file_limit()
    gc.disable()  # nothing here is cyclic; a collection over 10,000 connections would show as latency
    swarm = Swarm(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]) / 1000, is_same="same" in sys.argv[4:])
    swarm.watch(0)
    asked = b""
    while True:
        if not swarm.turn(1.0):
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        asked += chunk
        while b"\n" in asked:
            line, _, asked = asked.partition(b"\n")
            request = json.loads(line)
            name = request.pop("do")
            if name not in ASKABLE:
                raise ValueError(f"{name!r} is none of {', '.join(sorted(ASKABLE))}")
            print(json.dumps(getattr(swarm, name)(**request)), flush=True)


if __name__ == "__main__":
    main()
