"""One proposition per file: World, Step -> Verdict. To add one, write the file and one line here.

Those that people and calendars answer are GATES: asked last, and waiting for them is no lack of progress.
"""

from collections.abc import Callable

from penstock.checks.approved import approved
from penstock.checks.baked import baked
from penstock.checks.free import free
from penstock.checks.held import held
from penstock.checks.judged import judged
from penstock.checks.observed import observed
from penstock.checks.ready import ready
from penstock.checks.routed import routed
from penstock.model.values import Step, Verdict, World

CHECKS: dict[str, Callable[[World, Step], Verdict]] = {
    "ready": ready,
    "routed": routed,
    "observed": observed,
    "held": held,
    "judged": judged,
    "baked": baked,
    "approved": approved,
    "free": free,
}
GATES = ("approved", "free")
