"""A process that starts, reads everything that the operator reads, and ends: the wall for a restart."""

import asyncio
import sys
from pathlib import Path

from bench.speed.rig import Client

EVERYWHERE = (
    "/apis/penstock.dev/v1alpha1/modeldeployments",
    "/apis/penstock.dev/v1alpha1/modelruntimes",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/controllerrevisions",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/api/v1/services",
    "/api/v1/pods",
)


async def main(kubeconfig: Path) -> None:
    """One kind after the other, as fast as one connection gives them."""
    async with Client(kubeconfig) as client:
        for where in EVERYWHERE:
            await client.list(where)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
