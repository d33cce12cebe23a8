"""Stories of guarded models: who has no key never gets an answer, who has one never notices."""

import base64
import json
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.stories import small
from tests.e2e.stories.canaries import CANARY
from tests.e2e.stories.crowd import Crowd
from tests.e2e.stories.scene import NAMESPACE, Scene
from tests.e2e.stories.strangers import asked, strangers

KEY = {"x-api-key": "open-sesame"}
POLICY: dict[str, Any] = {
    "apiKey": {"secret": {"name": "keys"}, "clientHeader": "x-client"},
    "maxBody": "64Ki",
    "timeout": "5s",
    "retries": {"attempts": 2, "codes": [503]},
}


def routed(scene: Scene, **policy: Any) -> dict[str, Any]:
    """Traffic with this policy."""
    return {"gateway": {"name": scene.gateway}, "hostnames": [scene.host], "policy": policy}


async def secret(scene: Scene, name: str, **entries: str) -> None:
    """A Secret of the story's own."""
    meta = {"name": name, "namespace": NAMESPACE}
    await scene.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": entries})


async def api_key(scene: Scene) -> None:
    """Nobody without a key ever gets an answer: as the route comes, in a rollout, without the Secret, at the end."""
    await secret(scene, "keys", alice=KEY["x-api-key"])
    async with strangers(scene) as people:
        await scene.apply("v1", CANARY, traffic=routed(scene, **POLICY))
        await scene.settled("v1")
        await people.wake()
        scene.crowd(headers=KEY)
        assert await asked(scene, KEY | {"x-api-key": "guess"}) == 401
        assert await asked(scene, KEY, b" " * 70_000) == 413
        await scene.apply("v2", CANARY, traffic=routed(scene, **POLICY))
        await scene.settled("v2")
        scene.no_failure()
        await scene.quiet()
        for _ in range(3):
            await scene.kubectl("delete", "secret", "keys")
            await scene.until(lambda s: s.ready.get("reason") == "PolicyNotAccepted")
            assert "keys does not exist" in scene.ready["message"]
            assert await asked(scene, KEY) == 500
            await secret(scene, "keys", alice=KEY["x-api-key"])
            await scene.until(lambda s: s.ready.get("status") == "True")
            assert await asked(scene, KEY) == 200
            await people.wake()
        await scene.kubectl("delete", "modeldeployment", scene.name)
        await scene.until(lambda s: s.sights("HTTPRoute")[-1].change == "DELETED")
        gone = time.time()
        await scene.until(lambda s: time.time() > gone + 2)
    got = people.turned_away()
    assert got[401] > 100, got
    scene.note(strangers_turned_away=sum(got.values()), of_these_401=got[401])


async def limits(scene: Scene) -> None:
    """So many requests in a minute and no more; too slow an answer is none. An edit of it starts no rollout."""
    await scene.alone()
    limit = {"requests": 10, "per": "Hour", "header": "x-client"}
    await small.first(scene, slow=0.1, traffic=routed(scene, rateLimit=limit))
    got = {who: Counter([await asked(scene, {"x-client": who}) for _ in range(15)]) for who in ("one", "other")}
    assert set(map(str, got.values())) == {str(Counter({200: 10, 429: 5}))}, got
    revision = scene.status["stable"]["revision"]
    await small.apply(scene, "v1", slow=0.1, traffic=routed(scene, timeout="20ms"))
    await scene.settled("v1")
    await scene.known()
    assert await asked(scene) == 504
    assert scene.status["stable"]["revision"] == revision and not scene.candidate


async def tokens(scene: Scene) -> None:
    """A signed token of the right issuer for the right audience, or no answer."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key.pem"
        keys = json.dumps({"keys": [make_key(key)]})
        meta = {"name": "token-keys", "namespace": NAMESPACE}
        await scene.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"jwks": keys}})
        jwt = {"issuer": "https://login.corp", "keys": {"name": "token-keys"}, "audiences": ["models"]}
        async with strangers(scene) as people:
            await scene.apply("v1", traffic=routed(scene, jwt=jwt))
            await scene.settled("v1")
            await people.wake()
            claims = {"iss": "https://login.corp", "aud": "models", "exp": int(time.time()) + 3600}
            wanted = [
                (claims, 200),
                (claims | {"aud": "others"}, 403),
                (claims | {"exp": int(time.time()) - 3600}, 401),
                (claims | {"iss": "https://elsewhere.corp"}, 401),
            ]
            got = [await asked(scene, {"Authorization": f"Bearer {sign(key, one)}"}) for one, _ in wanted]
            assert got == [status for _, status in wanted]
            await scene.kubectl("delete", "configmap", "token-keys")
            await scene.until(lambda s: s.ready.get("reason") == "PolicyNotAccepted")
            await scene.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"jwks": keys}})
            await scene.until(lambda s: s.ready.get("status") == "True")
            await people.wake()
        assert people.turned_away()[401] > 50


async def https(scene: Scene) -> None:
    """HTTPS under the model's own certificate, no plain HTTP, nothing without a key, and nobody notices a rollout."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        names = ["-subj", f"/CN={scene.host}", "-addext", f"subjectAltName=DNS:{scene.host}"]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), *names)
        files = [f"--key={key}", f"--cert={certificate}"]
        await scene.kubectl("create", "secret", "tls", "certificate", *files)
        trust = ssl.create_default_context(cafile=str(certificate))
    await secret(scene, "https-keys", alice=KEY["x-api-key"])
    traffic = routed(scene, tls={"secret": {"name": "certificate"}}, apiKey={"secret": {"name": "https-keys"}})
    async with strangers(scene, trust) as people:
        await scene.apply("v1", CANARY, traffic=traffic)
        await scene.until(lambda _: bool(people.tried))
        await people.wake()  # they hold connections from the listener's first moment on
        await scene.settled("v1")
        await people.wake()
        assert scene.status["url"] == f"https://{scene.host}/"
        url = f"https://{scene.host}/v2/models/{scene.name}/infer"
        scene.send(Crowd(url, scene.house.rows, headers=KEY, trust=trust, address=scene.house.address))
        assert await asked(scene) == 404, "no plain HTTP"
        await scene.apply("v2", CANARY, traffic=traffic)
        await scene.settled("v2")
        scene.no_failure()
        await scene.quiet()
        await scene.kubectl("delete", "secret", "https-keys")
        await scene.until(lambda s: s.ready.get("reason") == "PolicyNotAccepted")
        await secret(scene, "https-keys", alice=KEY["x-api-key"])
        await scene.until(lambda s: s.ready.get("status") == "True")
        await people.wake()
    assert people.turned_away()[401] > 50


def openssl(*words: str, given: bytes = b"") -> bytes:
    """What openssl prints."""
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def make_key(path: Path) -> dict[str, str]:
    """A new private key in this file, and its public half as a key set has it."""
    path.write_bytes(openssl("genrsa", "2048"))
    modulus = openssl("rsa", "-in", str(path), "-modulus", "-noout").decode().strip().partition("=")[2]
    return {"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "n": _text(bytes.fromhex(modulus)), "e": "AQAB"}


def sign(key: Path, claims: Mapping[str, object]) -> str:
    """A token with these claims."""
    parts = ({"alg": "RS256", "typ": "JWT", "kid": "one"}, claims)
    text = ".".join(_text(json.dumps(each).encode()) for each in parts)
    return f"{text}.{_text(openssl('dgst', '-sha256', '-sign', str(key), given=text.encode()))}"
