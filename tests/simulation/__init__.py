"""The real publisher, lease, hub, clients and writer in a simulated world: thousands of disasters, each by its seed.

`python -m tests.simulation --schedules 1000 --seed 1` runs many, `--replay 17` one of them with its story.
"""
