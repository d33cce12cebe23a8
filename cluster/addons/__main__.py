"""`python3 -m cluster.addons [--name N]`: gateway and Prometheus into the cluster that is up."""

import argparse
import sys

from cluster import addons, providers
from cluster.errors import ClusterError
from cluster.paths import DEFAULT_NAME
from cluster.progress import step


def main() -> int:
    """Installs, or says in one line what is wrong."""
    parser = argparse.ArgumentParser(prog="python3 -m cluster.addons", description=__doc__)
    parser.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    try:
        provider = providers.get(parser.parse_args().name)
        archives = addons.archives()
        with step("images into the node"):
            provider.load(archives)
        addons.install(provider.kubeconfig(), provider.image)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
