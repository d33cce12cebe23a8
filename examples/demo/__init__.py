"""The main job, shown on a real cluster: a good model version is promoted, bad ones are taken off, nobody watches.

This package only does what any user could: train, `kubectl apply`, send requests, look. It must never steer the
operator, nor write to a cluster other than by applying the files next to it.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


class DemoError(Exception):
    """Something a person can mend; one line says what."""
