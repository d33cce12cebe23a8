"""Signature Version 4 against the signatures that AWS publishes; against botocore: test_sources_oracle.py."""

from datetime import UTC, datetime

import pytest

from penstock.metrics.sigv4 import Keys, Request, canonical_request, sign

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE, FORM = "https://example.amazonaws.com", {"Content-Type": "application/x-www-form-urlencoded"}
IAM = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"

# name in AWS's test suite of Signature Version 4 (the last: its guide's worked example) -> request, service, signature
PUBLISHED = {
    "get-vanilla": (
        Request("GET", f"{SUITE}/", {}),
        "service",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "post-vanilla": (
        Request("POST", f"{SUITE}/", {}),
        "service",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-vanilla-query-order-key-case": (
        Request("GET", f"{SUITE}/?Param2=value2&Param1=value1", {}),
        "service",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-x-www-form-urlencoded": (
        Request("POST", f"{SUITE}/", FORM, b"Param1=value1"),
        "service",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "ListUsers of IAM": (
        Request("GET", IAM, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}),
        "iam",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_signature_is_the_published_one(name: str) -> None:
    request, service, signature = PUBLISHED[name]
    header = sign(request, KEYS, ("us-east-1", service), NOW)["Authorization"]
    assert header.startswith(f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, ")
    assert header.rpartition("Signature=")[2] == signature


def test_an_address_without_a_path_is_signed_as_it_is_sent() -> None:
    request, service, signature = PUBLISHED["get-vanilla"]
    bare = Request(request.method, SUITE, {})
    assert sign(bare, KEYS, ("us-east-1", service), NOW)["Authorization"].endswith(signature)


def test_all_headers_are_signed_and_sent() -> None:
    request = Request("POST", "https://h.example:8443/", {"X-Amz-Target": "T.Op", "Content-Type": "a/b"}, b"{}")
    headers = sign(request, Keys("AK", "SK", "token"), ("eu-central-1", "monitoring"), NOW)
    names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    assert f"SignedHeaders={names}, " in headers.pop("Authorization")
    assert headers == {
        "X-Amz-Target": "T.Op",
        "Content-Type": "a/b",
        "Host": "h.example:8443",
        "X-Amz-Date": "20150830T123600Z",
        "X-Amz-Security-Token": "token",
    }


def test_white_space_in_a_header_is_signed_as_one_space() -> None:
    """Section 3 of the canonical request: trimmed, and sequential spaces become one."""
    _, canonical = canonical_request(Request("GET", f"{SUITE}/", {}), {"B": "  a   b ", "A": "1"})
    assert canonical.splitlines()[3:5] == ["a:1", "b:a b"]


def test_what_holds_keys_shows_none() -> None:
    shown = repr(Keys("access-canary", "secret-canary", "token-canary"))
    assert "canary" not in shown
