"""Makes the certificates of one cluster with the openssl program, since Python's standard library cannot.

Two authorities, as Kubernetes wants it: one for the cluster, one for the front proxy. Nothing here outlives `down`.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

_DAYS = "365"


@dataclass(frozen=True)
class Authority:
    """A signing certificate and the folder in which what it signs is kept."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        """The public part."""
        return self.folder / f"{self.name}.crt"

    def create(self) -> None:
        """Signs itself."""
        constraint = [
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]
        _request(self.folder / self.name, f"/CN={self.name}", constraint)

    def issue(self, name: str, subject: str, hosts: tuple[str, ...] = ()) -> None:
        """Writes NAME.crt and NAME.key, for a server when hosts are given and for a client always."""
        signer = ["-CA", str(self.certificate), "-CAkey", str(self.folder / f"{self.name}.key")]
        use = "clientAuth,serverAuth" if hosts else "clientAuth"
        extra = ["-addext", f"extendedKeyUsage={use}", "-addext", "basicConstraints=critical,CA:FALSE"]
        if hosts:
            extra += ["-addext", "subjectAltName=" + ",".join(alternative_name(host) for host in hosts)]
        _request(self.folder / name, subject, [*signer, *extra])


def alternative_name(host: str) -> str:
    """How a certificate spells a host: addresses and names are different kinds."""
    return f"IP:{host}" if host.replace(".", "").isdigit() else f"DNS:{host}"


def signing_key(folder: Path, name: str) -> None:
    """A key pair for service account tokens: NAME.key and NAME.pub."""
    key = folder / f"{name}.key"
    _openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)])
    _openssl(["pkey", "-in", str(key), "-pubout", "-out", str(folder / f"{name}.pub")])


def kubeconfig(path: Path, server: str, folder: Path, user: str) -> None:
    """Writes a kubeconfig that names the certificate files of a user."""
    # JSON is YAML; the standard library writes the one and not the other.
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "penstock", "cluster": {"server": server, "certificate-authority": str(folder / "ca.crt")}}
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate": str(folder / f"{user}.crt"), "client-key": str(folder / f"{user}.key")},
            }
        ],
        "contexts": [{"name": "penstock", "context": {"cluster": "penstock", "user": user}}],
        "current-context": "penstock",
    }
    path.write_text(json.dumps(text, indent=1))
    path.chmod(0o600)


def _request(stem: Path, subject: str, extra: list[str]) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{stem}.key"]
    _openssl(["req", "-x509", *key, "-out", f"{stem}.crt", "-days", _DAYS, "-subj", subject, *extra])


def _openssl(words: list[str]) -> None:
    try:
        made = subprocess.run(["openssl", *words], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise ClusterError("the program openssl is missing: apt-get install openssl") from None
    if made.returncode:
        raise ClusterError(f"openssl {words[0]} failed: {made.stderr.strip().splitlines()[-1:]}")
