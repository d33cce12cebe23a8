"""One log line for each look at a candidate, so that a decision can be made again from the log alone.

It writes and never decides; `core.record` says what a line holds. All that it remembers is which analysis it has
written last: a process that forgot writes it once more.
"""

import logging

from penstock.core.record import FIELD, LOGGER, make_look, written
from penstock.model.values import Plan, World
from penstock.shell.logs import Structure
from penstock.shell.texts import Key

log = logging.getLogger(LOGGER)


class Looks:
    """The lines of all rollouts of one process."""

    def __init__(self) -> None:
        self.known: dict[Key, tuple[str, str]] = {}

    def tell(self, world: World, plan: Plan) -> None:
        """Write the turn's line, where it has one; with the analysis where this rollout's lines have not had it yet."""
        look = make_look(world, plan) if log.isEnabledFor(logging.INFO) else None
        if not look:
            return
        key, judged_by = (world.namespace, world.name), (look.started_at, look.digest)
        if self.known.get(key) == judged_by:
            look = look.model_copy(update={"analysis": None})
        self.known[key] = judged_by
        log.info(
            f"version {look.version}, step {look.stage.number + 1}: {look.move.value}, {look.reason}",
            extra={"k8s_ref": {"namespace": world.namespace, "name": world.name}, FIELD: Structure(written(look))},
        )

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self.known.pop(key, None)
