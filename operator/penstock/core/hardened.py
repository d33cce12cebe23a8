"""What every pod of ours has for safety, whoever asks for it: the Pod Security profile "restricted", and no token."""

from penstock.model.values import Manifest

LINGER = 10  # seconds that a pod still answers after it has left the endpoints


def pod() -> Manifest:
    """Fields of every pod's spec."""
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }


def container() -> Manifest:
    """Fields of every container."""
    return {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def lingering() -> Manifest:
    """Fields of a container that clients ask: it still answers whoever has not heard yet that it goes."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": LINGER}}}}
