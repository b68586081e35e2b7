"""What happens when things break: real processes, real faults, and clients that write down what they receive.

`make faults` runs all of it and writes docs/faults.md; tests/test_faults.py is the short form. One subject each:
stage.py has the processes of a run, with programs.py, disk.py and clock.py; watch.py what health said and whether it
was true; trial.py carries out one fault and judges it; report.py writes the table; the others are the faults.
"""
