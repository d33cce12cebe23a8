"""`python3 -m cluster VERB`: the command line of this package.

It must turn every ClusterError into one line and an exit status, and print on stdout only what was asked for.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster import build, providers
from cluster.errors import ClusterError
from cluster.paths import DEFAULT_NAME
from cluster.programs import PROGRAMS
from cluster.providers.local import Local

_ON_DEMAND = ("kind", "kwok", "rollouts-controller", "flagger")  # each is one provider's, mode's or benchmark's own


def main() -> int:
    """Parses, runs, and says in one line what a user can mend."""
    options = _parser().parse_args()
    try:
        options.run(options)
    except ClusterError as error:
        return _complain(str(error), 1)
    except OSError as error:  # a full disk, a folder that is not ours: the system's own words name it
        return _complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)
    except KeyboardInterrupt:
        return _complain("interrupted; `down` removes what was begun", 130)
    return 0


def _complain(text: str, status: int) -> int:
    print(f"cluster: {text}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m cluster", description="A real Kubernetes on this machine. CLUSTER=local|kind|current."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    start = _verb(verbs, "up", "start a whole cluster", _up)
    start.add_argument(
        "--control-plane", action="store_true", help="only the API server and its controllers; needs no root"
    )
    start.add_argument("--nodes", type=int, default=1, help="pretended nodes of a control plane")
    _verb(verbs, "down", "stop it and remove every trace", lambda options: _existing(options).down())
    _verb(verbs, "kubeconfig", "print the path of the kubeconfig", _kubeconfig)
    _verb(verbs, "status", "print what runs", _status)
    _verb(verbs, "load", "put image archives into the node", _load).add_argument(
        "archives", nargs="+", type=Path, metavar="IMAGE_ARCHIVE"
    )
    compile_only = _verb(
        verbs, "build", "compile programs (all that `up` and the add-ons need when none is named)", _build
    )
    compile_only.add_argument("programs", nargs="*", metavar="PROGRAM")
    _verb(verbs, "path", "print a program's path, built if needed", _path).add_argument("program", metavar="PROGRAM")
    return parser


def _verb(verbs: Any, name: str, text: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    verb.set_defaults(run=run)
    return verb


def _up(options: argparse.Namespace) -> None:
    if options.control_plane:
        Local(options.name).up_control_plane(options.nodes)
    else:
        providers.get(options.name).up()


def _existing(options: argparse.Namespace) -> providers.Provider:
    """A bare control plane is always local, whichever provider makes whole clusters here."""
    local = Local(options.name)
    return local if local.is_bare() else providers.get(options.name)


def _kubeconfig(options: argparse.Namespace) -> None:
    path = _existing(options).kubeconfig()
    if not path.exists():
        raise ClusterError(f"cluster '{options.name}' is not up: there is no {path}")
    print(path)


def _status(options: argparse.Namespace) -> None:
    found = _existing(options).status()
    if not found:
        raise ClusterError(f"cluster '{options.name}' is not up")
    for name, state in found.items():
        print(f"{name:26}{state}")


def _load(options: argparse.Namespace) -> None:
    _existing(options).load(options.archives)


def _build(options: argparse.Namespace) -> None:
    build.programs(options.programs or [name for name in PROGRAMS if name not in _ON_DEMAND])


def _path(options: argparse.Namespace) -> None:
    print(build.program(options.program))


if __name__ == "__main__":
    sys.exit(main())
