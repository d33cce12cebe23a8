"""What an autoscaler is to follow; a value, the same for every output."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The Deployment, and the fewest replicas that the rollout needs of it now.

    Where the pods have more than one container, `container` is the one whose use counts. `live` is the address under
    which live values of the Deployment's namespace are told to outputs that ask for them themselves.
    """

    deployment: str
    floor: int
    container: str = ""
    live: str = ""
