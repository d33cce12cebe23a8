"""What Amazon's own SDK makes of sixty random requests, and of the two operations that we use: writes botocore.json.

`python -m tests.unit.aws.oracle` in an environment of its own with botocore 1.44.8, whose requirements exclude ours.
"""

import json
import random
import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("botocore.json")
URLS = ("https://monitoring.eu-central-1.amazonaws.com/", "http://127.0.0.1:8123/", "https://h.corp/")
PRINTABLE = "".join(chr(code) for code in range(32, 127))


def word(rng: random.Random, alphabet: str = string.ascii_letters + string.digits, least: int = 1) -> str:
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, 20)))


def made(rng: random.Random) -> dict[str, Any]:
    """A random request, its keys and its scope."""
    pairs = {word(rng): word(rng) for _ in range(rng.randint(0, 4))}
    query = "&".join(f"{key}={value}" for key, value in pairs.items())
    names = rng.sample(("Content-Type", "X-Amz-Target", "Accept"), rng.randint(0, 3))
    return {
        "method": rng.choice(("GET", "POST")),
        "url": rng.choice(URLS) + (f"?{query}" if query else ""),
        "headers": {name: word(rng, PRINTABLE, 0).strip() for name in names},
        "body": rng.randbytes(rng.randint(0, 100)).hex(),
        "keys": [word(rng), word(rng), rng.choice(("", word(rng)))],
        "scope": [word(rng), word(rng)],
    }


def signed(asked: dict[str, Any]) -> dict[str, Any]:
    """With the Authorization header of botocore, and the time that it took for now."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    access, secret, token = asked["keys"]
    credentials = botocore.credentials.Credentials(access, secret, token or None)
    body = bytes.fromhex(asked["body"])
    request = botocore.awsrequest.AWSRequest(asked["method"], asked["url"], headers=asked["headers"], data=body)
    botocore.auth.SigV4Auth(credentials, asked["scope"][1], asked["scope"][0]).add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return asked | {"at": at.isoformat(), "authorization": request.headers["Authorization"]}


def operations(given: dict[str, Any]) -> dict[str, Any]:
    """How botocore writes the two requests and reads the two answers; `given` has ours."""
    import botocore.parsers
    import botocore.serialize
    import botocore.session

    def operation(service: str, name: str) -> Any:
        return botocore.session.get_session().get_service_model(service).operation_model(name)

    asked = given["metrics"]
    times = {name: datetime.fromtimestamp(asked[name], UTC) for name in ("StartTime", "EndTime")}
    metrics = operation("cloudwatch", "GetMetricData")
    sent = botocore.serialize.create_serializer("json").serialize_to_request(asked | times, metrics)
    answer = {"status_code": 200, "headers": {}, "body": json.dumps(given["found"]).encode()}
    (result,) = botocore.parsers.create_parser("json").parse(answer, metrics.output_shape)["MetricDataResults"]
    sts = operation("sts", "AssumeRoleWithWebIdentity")
    form = {name: given["form"][name] for name in ("RoleArn", "RoleSessionName", "WebIdentityToken")}
    lent = {"status_code": 200, "headers": {}, "body": given["lent"].encode()}
    keys = botocore.parsers.create_parser("query").parse(lent, sts.output_shape)["Credentials"]
    role = botocore.serialize.create_serializer("query").serialize_to_request(form, sts)
    return {
        "metrics": {"method": sent["method"], "path": sent["url_path"], "body": json.loads(sent["body"])},
        "headers": dict(sent["headers"]),
        "found": [[at.timestamp(), value] for at, value in zip(result["Timestamps"], result["Values"], strict=True)],
        "role": {"method": role["method"], "path": role["url_path"], "body": role["body"]},
        "lent": [keys[name].strip() for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")],
        "expiration": keys["Expiration"].isoformat(),
    }


if __name__ == "__main__":
    import sys

    rng = random.Random(4)
    signatures = [signed(made(rng)) for _ in range(60)]
    FILE.write_text(json.dumps({"signatures": signatures, **operations(json.load(sys.stdin))}, indent=1) + "\n")
