"""What everybody else notices while a stranger attacks: `python -m benchmarks.abuse` (or `make bench-abuse`)."""
