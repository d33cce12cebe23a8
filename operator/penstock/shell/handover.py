"""The number of a Deployment's pods, when its owner changes from the spec to an autoscaler.

The spec's number is a field that we apply. Left out of the next apply it is removed, and the API server's default comes
back: one pod, whatever was running. A field with two owners stays when one of them leaves, so a second manager first
says what is there. The autoscaler then takes the number over by changing it; a fixed number takes it back by force.
"""

from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.values import Manifest
from penstock.shell.kube import Api
from penstock.shell.projection import Child

MANAGER = "penstock-scale"


async def keep_number(kube: Api, child: Child | None, manifest: Manifest) -> None:
    """See that applying a Deployment without a number leaves the one that it has.

    Nothing is needed where our last apply said none either. Fenced by the version that was read, so that a number that
    somebody changes meanwhile is not put back. After a crash both managers say the same, and the next turn goes on.
    """
    meta = manifest["metadata"]
    if manifest["kind"] != "Deployment" or "replicas" in manifest["spec"]:
        return
    if child and child.applied == meta["annotations"][ANNOTATION_APPLIED]:
        return
    live = await kube.get("Deployment", meta["namespace"], meta["name"])
    if live is None:
        return
    await kube.apply(_number(live), MANAGER)


def _number(live: Manifest) -> Manifest:
    fenced = {key: live["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    spec = {"replicas": max(1, live["spec"].get("replicas", 1))}  # an autoscaler lets a Deployment without pods sleep
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": fenced, "spec": spec}
