"""What the real API server says of a wish, without keeping it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from penstock.model.faults import Rejected
from penstock.shell.kube import Answer, Call, Fence, Kube

Object = dict[str, Any]


def deployment(spec: Object, name: str = "churn", namespace: str = "default") -> Object:
    """The ModelDeployment with this spec."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta, "spec": spec}


class DryKube(Kube):
    """A client whose writes are only tried."""

    async def _send(self, call: Call, fence: Fence | None) -> Answer:
        return await super()._send(replace(call, query=call.query | {"dryRun": "All"}), fence)


def runtime(spec: Object) -> Object:
    """The ModelRuntime with this spec."""
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelRuntime", "metadata": {"name": "walk"}, "spec": spec}


async def refusals(kubeconfig: str, manifests: Sequence[Object]) -> list[str]:
    """For each object why the API server refuses it; empty where it does not."""
    kube = await DryKube.connect(kubeconfig, manager="tests")
    try:
        return list(await asyncio.gather(*(_refusal(kube, each) for each in manifests)))
    finally:
        await kube.close()


async def _refusal(kube: Kube, manifest: Object) -> str:
    try:
        await kube.create(manifest)
    except Rejected as refused:
        return str(refused)
    return ""
