"""Transitions -> Events and log lines, after the status that they speak of was recorded.

Best effort by design: an Event that cannot be written is logged and forgotten; status is the truth.
"""

import logging
from datetime import datetime
from typing import Any

from penstock.model.faults import Rejected, Retry, Stale
from penstock.model.kinds import KINDS
from penstock.model.names import digest
from penstock.model.schedule import spell
from penstock.model.values import Notice, Plan, World
from penstock.shell.kube import Api
from penstock.shell.telemetry import Telemetry

log = logging.getLogger("penstock.audit")


async def tell(kube: Api, turn: tuple[World, Plan], telemetry: Telemetry) -> None:
    """One Event and one audit line for each transition."""
    world, plan = turn
    telemetry.saw(world, plan)
    for notice in plan.notices:
        log.info(
            notice.message,
            extra={
                "k8s_ref": _ref(world),
                "uid": world.uid,
                "generation": world.generation,
                "reason": notice.reason.value,
                "revision": notice.revision,
            },
        )
        try:
            await kube.create(make_event(world, notice))
        except (Retry, Rejected, Stale) as fault:
            log.warning("event not written", extra={"k8s_ref": _ref(world), "fault": str(fault)})


def _ref(world: World) -> dict[str, str]:
    return {"namespace": world.namespace, "name": world.name}


def make_event(world: World, notice: Notice) -> dict[str, Any]:
    """An events.k8s.io/v1 Event; its name is made of what it says and when, so that a repeat is no second one."""
    return {
        "apiVersion": KINDS["Event"].api_version,
        "kind": "Event",
        "metadata": {
            "name": f"{world.name}.{digest([world.uid, notice.reason.value, notice.message, _second(world.now)], 16)}",
            "namespace": world.namespace,
        },
        "eventTime": spell(world.now),
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason.value,
        "action": "Rollout",
        "note": notice.message[:1024],
        "reportingController": "penstock.dev/operator",
        "reportingInstance": "penstock",
        "regarding": {
            "apiVersion": KINDS["ModelDeployment"].api_version,
            "kind": "ModelDeployment",
            "namespace": world.namespace,
            "name": world.name,
            "uid": world.uid,
        },
    }


def _second(at: datetime) -> str:
    return spell(at)[:19]
