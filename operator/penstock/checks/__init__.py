"""One proposition per file: World, Step -> Verdict. To add one, write the file and one line here."""

from collections.abc import Callable

from penstock.checks.held import held
from penstock.checks.judged import judged
from penstock.checks.ready import ready
from penstock.checks.routed import routed
from penstock.model.values import Step, Verdict, World

CHECKS: dict[str, Callable[[World, Step], Verdict]] = {
    "ready": ready,
    "routed": routed,
    "held": held,
    "judged": judged,
}
