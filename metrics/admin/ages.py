"""Ages and durations as people say them."""

#: Seconds by which two clocks may differ without a word.
CLOCKS_DIFFER_S = 1.0


def describe_ago(seconds: float) -> str:
    """When something was, `seconds` before now: `3 min ago`; where its clock is ahead, `3 min in the future`."""
    if seconds < -CLOCKS_DIFFER_S:
        return f"{describe_seconds(-seconds)} in the future"
    return f"{describe_seconds(max(seconds, 0))} ago"


def describe_seconds(seconds: float) -> str:
    """A duration, at least 0."""
    if seconds < 2 * 60:
        return f"{seconds:.1f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"
