"""`python3 -m cluster.images [NAME...]`: builds images and prints reference and archive of each, tab-separated.

It must print on stdout only those lines, so that shell scripts can read them.
"""

import sys

from cluster import images
from cluster.errors import ClusterError


def main() -> int:
    """Builds what is named, or everything."""
    try:
        for one in images.images_of(sys.argv[1:] or images.NAMES).values():
            print(f"{one.reference}\t{one.archive}")
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
