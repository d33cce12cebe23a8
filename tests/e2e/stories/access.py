"""Stories of guarded models: who has no key never gets an answer, who has one never notices."""

import asyncio
import base64
import json
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.stories.canaries import CANARY
from tests.e2e.stories.crowd import Crowd
from tests.e2e.stories.scene import NAMESPACE, Scene

KEY = {"x-api-key": "open-sesame"}
POLICY: dict[str, Any] = {
    "apiKey": {"secret": {"name": "keys"}, "clientHeader": "x-client"},
    "maxBody": "64Ki",
    "timeout": "5s",
    "retries": {"attempts": 2, "codes": [503]},
}


def routed(scene: Scene, **policy: Any) -> dict[str, Any]:
    """Traffic with this policy."""
    return {"gateway": {"name": "models"}, "hostnames": [scene.host], "policy": policy}


async def asked(scene: Scene, headers: Mapping[str, str] | None = None, body: bytes = b"") -> int:
    """The status of one request with the first row, or with this body."""
    url = f"http://{scene.house.address}/v2/models/{scene.name}/infer"
    sent = {"Host": scene.host, "Content-Type": "application/json", **(headers or {})}
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(url, data=body or scene.house.rows[0].body, headers=sent) as response,
    ):
        return response.status


@asynccontextmanager
async def strangers(scene: Scene) -> AsyncIterator[Counter[int]]:
    """People without a key try all the time, from before there is anything; what they got."""
    got: Counter[int] = Counter()

    async def knock() -> None:
        while True:
            got[await asked(scene)] += 1

    tasks = [asyncio.create_task(knock()) for _ in range(2)]
    try:
        yield got
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def secret(scene: Scene, name: str, **entries: str) -> None:
    """A Secret of the story's own."""
    meta = {"name": name, "namespace": NAMESPACE}
    await scene.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": entries})


async def api_key(scene: Scene) -> None:
    """Without a key nobody ever gets an answer: not as the route comes, not in a rollout, not as it goes."""
    await secret(scene, "keys", alice=KEY["x-api-key"])
    async with strangers(scene) as got:
        await scene.apply("v1", CANARY, traffic=routed(scene, **POLICY))
        await scene.settled("v1")
        scene.crowd(headers=KEY)
        assert await asked(scene, KEY | {"x-api-key": "guess"}) == 401
        assert await asked(scene, KEY, b" " * 70_000) == 413
        await scene.apply("v2", CANARY, traffic=routed(scene, **POLICY))
        await scene.settled("v2")
        scene.no_failure()
        await scene.quiet()
        await scene.kubectl("delete", "secret", "keys")
        await scene.until(lambda s: s.ready.get("reason") == "PolicyNotAccepted")
        assert "keys does not exist" in scene.ready["message"]
        assert await asked(scene, KEY) == 500
        await secret(scene, "keys", alice=KEY["x-api-key"])
        await scene.until(lambda s: s.ready.get("status") == "True")
        assert await asked(scene, KEY) == 200
        await scene.kubectl("delete", "modeldeployment", scene.name)
        await scene.until(lambda s: s.sights("HTTPRoute")[-1].change == "DELETED")
        gone = time.time()
        await scene.until(lambda s: time.time() > gone + 2)
    assert set(got) <= {401, 404, 500, 503} and got[401] > 100, got
    scene.note(strangers_turned_away=sum(got.values()), of_these_401=got[401])


async def limits(scene: Scene) -> None:
    """So many requests in a minute and no more; too slow an answer is none. An edit of it starts no rollout."""
    await scene.apply("v1", traffic=routed(scene, rateLimit={"requests": 10, "per": "Hour", "header": "x-client"}))
    await scene.settled("v1")
    got = {who: Counter([await asked(scene, {"x-client": who}) for _ in range(15)]) for who in ("one", "other")}
    assert set(map(str, got.values())) == {str(Counter({200: 10, 429: 5}))}, got
    revision = scene.status["stable"]["revision"]
    await scene.apply("v1", traffic=routed(scene, timeout="1ms"))
    await scene.settled("v1")
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
        await scene.apply("v1", traffic=routed(scene, jwt=jwt))
        await scene.settled("v1")
        claims = {"iss": "https://login.corp", "aud": "models", "exp": int(time.time()) + 3600}
        wanted = [
            (claims, 200),
            (claims | {"aud": "others"}, 403),
            (claims | {"exp": int(time.time()) - 3600}, 401),
            (claims | {"iss": "https://elsewhere.corp"}, 401),
        ]
        got = [await asked(scene, {"Authorization": f"Bearer {sign(key, one)}"}) for one, _ in wanted]
        assert got == [status for _, status in wanted]
        assert await asked(scene) == 401


async def https(scene: Scene) -> None:
    """HTTPS under the model's own certificate, no plain HTTP, and nobody notices a rollout."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        names = ["-subj", f"/CN={scene.host}", "-addext", f"subjectAltName=DNS:{scene.host}"]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), *names)
        files = [f"--key={key}", f"--cert={certificate}"]
        await scene.kubectl("create", "secret", "tls", "certificate", *files)
        trust = ssl.create_default_context(cafile=str(certificate))
    traffic = routed(scene, tls={"secret": {"name": "certificate"}})
    await scene.apply("v1", CANARY, traffic=traffic)
    await scene.settled("v1")
    assert scene.status["url"] == f"https://{scene.host}/"
    url = f"https://{scene.host}/v2/models/{scene.name}/infer"
    scene.send(Crowd(url, scene.house.rows, trust=trust, address=scene.house.address))
    assert await asked(scene) == 404, "no plain HTTP"
    await scene.apply("v2", CANARY, traffic=traffic)
    await scene.settled("v2")
    scene.no_failure()


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
