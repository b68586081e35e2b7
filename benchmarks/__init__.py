"""What one delivered message costs: this dashboard's server beside other ways to write one, in one run.

`make bench` runs it; docs/benchmarks.md says what is measured and how to read it.
"""
