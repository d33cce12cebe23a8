"""A thousand autoscalers, pretended: each asks for its metric every 15 seconds; prints how long the answers took.

`python -m bench.scaling.asker --address https://127.0.0.1:6443 --folder pki --models 1000 --seconds 60`
"""

import argparse
import asyncio
import json
import ssl
import time
from collections import Counter
from pathlib import Path

import aiohttp

from bench.batching.exporter import place

PERIOD = 15.0


async def ask(address: str, folder: Path, models: int, seconds: float) -> dict[str, object]:
    """What came of it."""
    context = ssl.create_default_context(cafile=str(folder / "server-ca.crt"))
    context.load_cert_chain(folder / "front-proxy.crt", folder / "front-proxy.key")
    took: list[float] = []
    codes: Counter[int] = Counter()
    begin = time.monotonic()
    async with aiohttp.ClientSession(trust_env=False, connector=aiohttp.TCPConnector(limit=20, ssl=context)) as session:

        async def one(number: int) -> None:
            namespace, name = place(number)
            url = f"{address}/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/requestspersecond"
            due = begin + PERIOD * number / models
            while due < begin + seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sent = time.monotonic()
                query = {"labelSelector": f"penstock.dev/revision={name}-old"}
                async with session.get(url, params=query) as answer:
                    await answer.read()
                    codes[answer.status] += 1
                if sent >= begin + 2 * PERIOD:  # the first round asks for what nobody has worked out yet
                    took.append(time.monotonic() - sent)
                due += PERIOD

        await asyncio.gather(*map(one, range(models)))
    found = sorted(took)
    at = {f"p{part}": round(1000 * found[int(len(found) * part / 100)], 2) for part in (50, 95, 99)}
    return {"asked": sum(codes.values()), "counted": len(found), "codes": dict(codes), "milliseconds": at}


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--models", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    said = parser.parse_args()
    print(json.dumps(asyncio.run(ask(said.address, said.folder, said.models, said.seconds))))


if __name__ == "__main__":
    main()
