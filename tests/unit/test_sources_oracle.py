"""Amazon's own SDK as an oracle: our signatures, requests and readings are those that botocore 1.44.8 made of the same.

`aws/oracle.py` has asked it; what it said is in aws/botocore.json, so that the SDK is no requirement of ours.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.metrics.aws_keys import WebIdentity, read_lent
from penstock.metrics.cloudwatch import HEADERS, newest, periods, request
from penstock.metrics.credentials import SecretFile
from penstock.metrics.named import Asked
from penstock.metrics.sigv4 import Keys, Request, sign
from tests.unit.aws.oracle import FILE
from tests.unit.named_source import END, FILLS, START, cloudwatch
from tests.unit.test_sources_aws_keys import lent
from tests.unit.test_sources_cloudwatch import NOON, found

SAID = json.loads(FILE.read_text()) if FILE.exists() else {"signatures": []}


def ours(folder: Path) -> dict[str, Any]:
    """What is handed to the oracle: our requests, and the answers that both read."""
    (folder / "token").write_text("jwt.of.pod")
    asked = Asked(cloudwatch(folder)["queries"]["accuracy"], FILLS, START, END)
    lender = WebIdentity(None, "arn:aws:iam::1:role/penstock", SecretFile(str(folder / "token"), "t"), datetime.now)
    return {
        "metrics": request(asked, periods(asked, START - START)),
        "form": lender._request().form,
        "found": found((NOON + 60, 0.5), (NOON, 0.93)),
        "lent": lent(),
    }


@pytest.mark.parametrize("number", range(len(SAID["signatures"])))
def test_a_signature_is_the_one_of_the_sdk(number: int) -> None:
    case = SAID["signatures"][number]
    asked = Request(case["method"], case["url"], case["headers"], bytes.fromhex(case["body"]))
    at = datetime.fromisoformat(case["at"])
    assert sign(asked, Keys(*case["keys"]), tuple(case["scope"]), at)["Authorization"] == case["authorization"]


def test_the_sdk_was_asked_often() -> None:
    assert len(SAID["signatures"]) == 60


def test_the_request_is_the_one_of_the_sdk(tmp_path: Path) -> None:
    assert SAID["metrics"] == {"method": "POST", "path": "/", "body": ours(tmp_path)["metrics"]}
    assert {name: SAID["headers"][name] for name in HEADERS} == HEADERS


def test_our_sample_answers_are_read_by_the_sdk_as_we_read_them(tmp_path: Path) -> None:
    assert SAID["found"] == [[NOON + 60, 0.5], [NOON, 0.93]]
    assert newest(ours(tmp_path)["found"], (NOON, NOON + 120)) == [0.5]


def test_keys_are_asked_of_sts_as_the_sdk_does(tmp_path: Path) -> None:
    assert SAID["role"] == {"method": "POST", "path": "/", "body": ours(tmp_path)["form"]}


def test_lent_keys_are_read_as_the_sdk_reads_them() -> None:
    keys, end = read_lent(200, lent().encode())
    assert [keys.access, keys.secret, keys.token] == SAID["lent"]
    assert end == datetime.fromisoformat(SAID["expiration"])


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(ours(Path(folder))))
