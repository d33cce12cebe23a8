"""From nothing to a stage: cluster, add-ons, images, operator, models, gateway. Each part is left alone if it is there.

Installs what a platform team would install. It must not touch the model's objects: those belong to the story.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster import addons, build, images, providers
from cluster.errors import ClusterError
from cluster.paths import cache_root
from cluster.progress import step
from examples.demo import EXAMPLES, ROOT, DemoError, models
from examples.demo.kube import Kubectl
from examples.demo.watch import NAMESPACE

SYSTEM = "penstock-system"
PATIENCE = "180s"
SINK = "stories-sink/sink"
"""Where stories may have requests and answers sent, if one of them makes it."""
IMAGE = re.compile(r"\bpenstock\.local/[-./:_A-Za-z0-9]+")
"""An image of ours in a manifest; where it was pushed to a registry, pods must spell it otherwise."""
SERVERS = ("mlserver", "operator")


def scratch() -> Path:
    """Where models and records of a run go, outside the repository."""
    folder = cache_root() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Place:
    """A cluster with everything installed but the namespace of the story."""

    kubectl: Kubectl
    spell: Callable[[str], str]


def prepare(name: str) -> Place:
    """The cluster of that name, started and filled as far as it is not."""
    try:
        provider = providers.get(name)
        provider.up()
        provider.invite(os.getpid())  # whoever asks its models is not one of its pods
        made = images.images_of(SERVERS)
        archives = [*(one.archive for one in made.values()), *addons.archives(), *_model_images()]
        with step("images into the node"):
            provider.load(archives)
        addons.install(provider.kubeconfig(), provider.image)
        place = Place(_kubectl(provider), lambda text: IMAGE.sub(lambda found: provider.image(found[0]), text))
        with step("operator"):
            _install_operator(place.kubectl, provider.image(made["operator"].reference))
    except ClusterError as error:
        raise DemoError(str(error)) from error
    for file in sorted((EXAMPLES / "runtimes").glob("*.yaml")):
        place.kubectl.apply(place.spell(file.read_text()))
    return place


def _kubectl(provider: providers.Provider) -> Kubectl:
    return Kubectl(str(build.program("kubectl")), str(provider.kubeconfig()))


def open_gateway(kubectl: Kubectl) -> str:
    """A fresh namespace with its gateway; the answer is the URL that clients use."""
    with step("namespace and gateway"):
        clear(kubectl)
        kubectl.run("apply", "-f", str(EXAMPLES / "digits" / "namespace.yaml"))
        kubectl.run("apply", "-f", str(EXAMPLES / "digits" / "gateway.yaml"))
        ready = ["--for=condition=Programmed", "gateway/models", "-n", NAMESPACE, f"--timeout={PATIENCE}"]
        kubectl.run("wait", *ready)
    gateway = kubectl.get("gateway", "models", "-n", NAMESPACE)
    address = gateway["status"]["addresses"][0]["value"]
    return f"http://{address}/v2/models/{models.NAME}/infer"


def clear(kubectl: Kubectl) -> None:
    """Removes the story's namespace with all that is in it."""
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={PATIENCE}")


def rows() -> Path:
    """The traffic's rows as a file."""
    path = scratch() / "rows.json"
    models.write_rows(path)
    return path


def _model_images() -> list[Path]:
    with step("four models trained"):
        trained = models.write_models(scratch() / "models")
    name = f"penstock.local/models/{models.NAME}"
    return [images.from_files(f"{name}:{version}", files) for version, files in trained.items()]


def _install_operator(kubectl: Kubectl, image: str) -> None:
    repository, tag = image.rsplit(":", 1)
    wish = ["--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}"]
    wish += ["--set", "externalMetrics.install=true", "--set", "gateway.locks=true"]
    wish += ["--set", "prices.currency=EUR", "--set-string", "prices.perHour.cpu=1"]
    source = ["--set", f"metricSources.default.url={addons.PROMETHEUS}"]
    sinks = ["--set", f"payloadSinks.stories.service={SINK}", "--set", "payloadSinks.stories.port=8080"]
    where = ["--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", PATIENCE]
    _helm(kubectl, "upgrade", "--install", "penstock", str(ROOT / "helm" / "penstock"), *where, *wish, *source, *sinks)


def _helm(kubectl: Kubectl, *words: str) -> None:
    """The pinned helm with a home of its own, so that nothing of the user's configuration takes part."""
    with tempfile.TemporaryDirectory() as home:
        folders = {f"HELM_{each}_HOME": home for each in ("CONFIG", "CACHE", "DATA")}
        environment = {**os.environ, **folders, "KUBECONFIG": kubectl.kubeconfig}
        line = [str(build.program("helm")), *words]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise DemoError(f"helm {words[0]}: {done.stderr.strip()}")
