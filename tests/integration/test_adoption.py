"""Taking over and leaving behind: the real operator, a real API server, garbage collector and autoscaler."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.conftest import ControlPlane
from tests.integration.test_rollout import SERVER, Scene, operator, told, writes
from tests.sim.given import LABEL, autoscaler, deployment, plain, service

Object = dict[str, Any]
DEADLINE = 90.0


def made_for(made: Scene, manifest: Object) -> Object:
    """The same object in the scene's namespace; clusterIP is the server's to give."""
    spec = {key: value for key, value in manifest["spec"].items() if key != "clusterIP"}
    return manifest | {"metadata": manifest["metadata"] | {"namespace": made.namespace}, "spec": spec}


def wish(made: Scene, version: str, **spec: Any) -> Object:
    """A ModelDeployment without a gateway, on this suite's runtime."""
    found = made_for(made, plain(version, runtime=SERVER, **spec))
    found["spec"]["rollout"] |= {"scaleDownDelay": "3s"}
    return found


def read(made: Scene, *what: str) -> Any:
    """What kubectl reads, as JSON."""
    return json.loads(made.plane.kubectl("get", "--namespace", made.namespace, *what, "--output", "json").stdout)


def endpoints(made: Scene) -> set[str]:
    """Names of the ready pods behind the Service `churn`."""
    slices = read(made, "endpointslices", "--selector", "kubernetes.io/service-name=churn")["items"]
    ends = [end for each in slices for end in each.get("endpoints") or [] if end["conditions"]["ready"]]
    return {end["targetRef"]["name"] for end in ends}


async def until(says: Callable[[], bool]) -> None:
    """Poll until it says so; the limit only ends a failed test."""
    async with asyncio.timeout(DEADLINE):
        while not await asyncio.to_thread(says):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)


@asynccontextmanager
async def never_fewer(made: Scene, than: int) -> AsyncIterator[list[int]]:
    """Looks at the endpoints all the time; fails where fewer are ready than these."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(len(await asyncio.to_thread(endpoints, made)))

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
    assert len(seen) > 10 and min(seen) >= than, seen


async def their_server(made: Scene) -> set[str]:
    """Somebody's Deployment and Service, handed over and answering."""
    await made.kube.apply(made_for(made, deployment(labels=LABEL)))
    await made.kube.apply(made_for(made, service(LABEL)))
    await until(lambda: len(endpoints(made)) == 3)
    return endpoints(made)


def test_a_deployment_is_taken_over_and_no_ready_endpoint_is_missed(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        old = await their_server(made)
        address = read(made, "service", "churn")["spec"]["clusterIP"]
        async with never_fewer(made, 3):
            with operator(made) as running:
                await made.kube.apply(wish(made, "v1"))
                await made.until(lambda s: s.get("candidate"))
                running.kill()
            with operator(made):
                status = await made.settled("v1")
                await until(lambda: not endpoints(made) & old)
        live = read(made, "service", "churn")
        assert live["spec"]["selector"] == {"penstock.dev/revision": status["stable"]["revision"]}
        assert {p["port"]: p["targetPort"] for p in live["spec"]["ports"]} == {8080: "http", 80: 8080}
        assert live["spec"]["clusterIP"] == address and live["metadata"]["annotations"]["team"] == "risk"
        names = [each["metadata"]["name"] for each in read(made, "deployments")["items"]]
        assert names == [status["stable"]["revision"]]
        assert {"Adopted", "Promoted"} <= {e["reason"] for e in await made.events()}

    told(story, control_plane, "adoption-whole")


def test_a_service_that_is_not_given_stays_until_it_is(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        await made.kube.apply(made_for(made, service()))
        with operator(made):
            await made.kube.apply(wish(made, "v1"))
            status = await made.until(lambda s: s.get("conditions", [{}])[0].get("reason") == "Conflict")
            command = status["conditions"][0]["message"].partition("hand it over: kubectl ")[2]
            assert "penstock.dev/revision" not in read(made, "service", "churn")["spec"]["selector"]
            made.plane.kubectl(*command.split())
            await made.settled("v1")

    told(story, control_plane, "adoption-given")


def test_what_is_left_behind_serves_and_the_next_goes_on_with_it(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        def pods() -> set[str]:
            return {pod["metadata"]["uid"] for pod in read(made, "pods")["items"]}

        def tied() -> list[str]:
            kinds = "deployments,services,httproutes,poddisruptionbudgets,controllerrevisions"
            items = read(made, kinds, "--selector", "penstock.dev/name=churn")["items"]
            assert len(items) == 6
            return [each["kind"] for each in items if each["metadata"].get("ownerReferences")]

        with operator(made) as running:
            await made.apply("v1")
            await made.settled("v1")
            assert len(tied()) == 6
            await made.apply("v1", deletionPolicy="Orphan")
            made.plane.kubectl("wait", "--namespace", made.namespace, "--for=condition=Ready", "mdep/churn")
            assert tied() == []
            before, route = pods(), read(made, "httproute", "churn")["metadata"]["generation"]
            made.plane.kubectl("delete", "--namespace", made.namespace, "mdep", "churn")
            await asyncio.sleep(5)  # the subject: the garbage collector finds nothing in this time
            assert tied() == [] and pods() == before
            await made.apply("v1")
            await made.settled("v1")
            await until(lambda: len(tied()) == 6)
            made.plane.kubectl("delete", "--namespace", made.namespace, "mdep", "churn", "--cascade=orphan")
            assert tied() == []
            await made.apply("v1")
            await made.settled("v1")
            assert pods() == before and read(made, "httproute", "churn")["metadata"]["generation"] == route
            await until(lambda: len(tied()) == 6)
            quiet = writes(running)
            made.plane.kubectl("delete", "--namespace", made.namespace, "mdep", "churn")
            await until(lambda: not read(made, "deployments,services,httproutes")["items"])
            assert writes(running) == quiet, "the garbage collector did it"

    told(story, control_plane, "adoption-left")


def test_an_autoscaler_of_somebody_else_is_named_and_not_fought(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        with operator(made) as running:
            await made.kube.apply(wish(made, "v1"))
            revision = (await made.settled("v1"))["stable"]["revision"]
            theirs = made_for(made, autoscaler(revision))
            theirs["spec"] |= {"minReplicas": 5}  # reached without any metric
            await made.kube.apply(theirs)
            status = await made.until(lambda s: s["conditions"][0]["reason"] == "Conflict")
            assert f"HorizontalPodAutoscaler theirs scales Deployment {revision}" in status["conditions"][0]["message"]
            before = writes(running).get(("apply", "Deployment"))
            await asyncio.sleep(35)  # the subject: two rounds of the autoscaler without a fight
            assert writes(running).get(("apply", "Deployment")) == before
            assert read(made, "deployment", revision)["spec"]["replicas"] == 5

    told(story, control_plane, "adoption-rival")


def test_two_autoscalers_on_one_deployment_are_told_by_kubernetes_and_by_us(control_plane: ControlPlane) -> None:
    async def story(made: Scene) -> None:
        both = {"minReplicas": 1, "maxReplicas": 3, "metrics": [{"name": "cpu", "target": 70}]}
        with operator(made):
            await made.kube.apply(wish(made, "v1", scaling=both))
            revision = (await made.settled("v1"))["stable"]["revision"]
            await made.kube.apply(made_for(made, autoscaler(revision)))
            status = await made.until(lambda s: s["conditions"][0]["reason"] == "Conflict")
            assert "theirs" in status["conditions"][0]["message"], status["conditions"][0]["message"]
            made.plane.kubectl("delete", "--namespace", made.namespace, "hpa", "theirs")
            await made.settled("v1")

    told(story, control_plane, "adoption-both")
