"""Two operators, of which one is stopped like a machine that hangs: never do both write, and the other soon does."""

import asyncio
import signal
import time
from itertools import groupby
from typing import Any

from tests.faults.conftest import Play
from tests.faults.container import Operator
from tests.faults.proxy import Proxy, Say
from tests.faults.scenarios import first
from tests.faults.scene import House, Scene, operator_in, scene

Object = dict[str, Any]
TAKEN_OVER = 20.0  # seconds from the last sign of the one to the first write of the other
STILL = 3.0
BUSY = 60  # objects that the watches bring as it begins
ENDED = 60.0  # seconds for three processes to come and go


def writers(*proxies: Proxy) -> list[int]:
    """Whose writes came one after the other: the numbers of the proxies, without repetition."""
    order = sorted((seen.at, number) for number, each in enumerate(proxies) for seen in each.written())
    return [number for number, _ in groupby(number for _, number in order)]


async def waits(made: Scene, other: Operator, proxy: Proxy) -> None:
    """Until it has asked for the Lease, and does not have it."""

    async def asked() -> bool:
        return any(seen.place.resource == "leases" for seen in proxy.log)

    await made.sees(asked)
    assert not other.said("leading")


def test_a_leader_that_hangs_is_followed_and_never_writes_again(play: Play) -> None:
    async def story(house: House) -> None:
        async with (
            scene(house, f"hangs-{time.monotonic_ns()}") as made,
            operator_in(house, made.namespace, "penstock-1") as (proxy, other),
        ):
            await first(made)
            await waits(made, other, proxy)
            await made.apply("v2")
            await made.until(lambda s: s.get("candidate", {}).get("step") == 1)
            made.operator.signal(signal.SIGSTOP)
            stopped = time.monotonic()
            await made.settled("v2")
            begun = proxy.written()[0].at
            print(f"another writes after {begun - stopped:.1f} s")
            assert begun - stopped < TAKEN_OVER
            before = made.proxy.writes

            async def ended() -> bool:
                return bool(made.operator.codes)

            made.operator.signal(signal.SIGCONT)
            await made.sees(ended)  # by itself; then it waits for the Lease like anybody
            await made.apply("v4")
            await made.settled("v4")
            await asyncio.sleep(STILL)  # the subject: nothing more may come of it
            assert made.operator.codes == [1] and made.proxy.writes == before
            assert writers(made.proxy, proxy) == [0, 1]
            assert made.complaints() == []

    play(story)


def test_a_leader_that_is_told_to_end_hands_over_at_once(play: Play) -> None:
    async def story(house: House) -> None:
        async with (
            scene(house, f"ends-{time.monotonic_ns()}") as made,
            operator_in(house, made.namespace, "penstock-1") as (proxy, other),
        ):
            await first(made)
            await waits(made, other, proxy)
            await made.apply("v2")
            await made.until(lambda s: s.get("candidate", {}).get("step") == 1)
            await made.operator.stop()
            ended = time.monotonic()
            await made.settled("v2")
            print(f"another writes after {proxy.written()[0].at - ended:.1f} s")
            assert proxy.written()[0].at - ended < 5.0
            assert writers(made.proxy, proxy) == [0, 1]
            assert made.operator.codes == [0]
            assert made.complaints() == []

    play(story)


def test_a_process_that_cannot_go_on_ends_though_its_watches_are_busy(play: Play) -> None:
    """As where a list that it needs is refused; whoever stays alive then leads no more, and nobody starts it anew."""

    async def story(house: House) -> None:
        async with scene(house, f"busy-{time.monotonic_ns()}") as made:
            for number in range(BUSY):
                await house.kube.apply(labelled(made.namespace, f"a-{number}"))
            made.proxy.judge = lambda seen: (
                Say(422) if (seen.verb, seen.place.resource) == ("list", "services") else None
            )
            made.operator.kill()

            async def ended() -> bool:
                return len(made.operator.codes) > 3

            await made.sees(ended, ENDED)
            assert made.operator.codes[:4] == [-9, 1, 1, 1]

    play(story)


def labelled(namespace: str, name: str) -> Object:
    """Somebody's ConfigMap that is sent to the operator."""
    meta = {"name": name, "namespace": namespace, "labels": {"penstock.dev/config": "tracked"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {}}
