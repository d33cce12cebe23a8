"""The web port as a kubelet and a Prometheus see it, over a real socket."""

import asyncio

import aiohttp
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from penstock.shell.web import make_app, serve
from tests.ports import free_port


async def fetch(port: int, path: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


def test_probes_follow_their_callables_and_name_every_problem() -> None:
    async def story() -> None:
        dead: list[str] = []
        runner = await serve(make_app(lambda: dead, lambda: ["not synced"], CollectorRegistry()), port := free_port())
        assert (await fetch(port, "/healthz"))[:2] == (200, "ok\n")
        assert (await fetch(port, "/readyz"))[:2] == (503, "not synced\n")
        dead += ["watch of Deployment silent for 400 s", "queue stuck"]
        assert (await fetch(port, "/healthz"))[:2] == (503, "watch of Deployment silent for 400 s\nqueue stuck\n")
        assert (await fetch(port, "/"))[0] == 404
        await runner.cleanup()

    asyncio.run(story())


def test_metrics_are_those_of_the_given_registry_in_a_format_prometheus_reads() -> None:
    async def story() -> None:
        registry = CollectorRegistry()
        Counter("penstock_turns", "Turns.", registry=registry).inc(3)
        runner = await serve(make_app(list, list, registry), port := free_port())
        status, text, content_type = await fetch(port, "/metrics")
        samples = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
        assert status == 200 and content_type.startswith("text/plain; version=")
        assert samples["penstock_turns_total"] == 3 and not any(name.startswith("python_") for name in samples)
        await runner.cleanup()

    asyncio.run(story())
