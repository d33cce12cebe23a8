"""The wrong manifests in bad/, with what each of them must meet with, as its own header says.

# Why a person would write this.
# expect: refused REGEX              the API server refuses it, in words that match
# expect: condition REASON REGEX     it is accepted, and Ready says why it cannot be
# needs: WHAT                        node, gateway-api or no-gateway-api; absent: any cluster
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("bad")


@dataclass(frozen=True)
class Wrong:
    """One file and what it must meet with; `reason` is empty where it is refused at apply."""

    path: Path
    reason: str
    words: str
    needs: str

    @property
    def name(self) -> str:
        """How the test is called."""
        return self.path.stem


def read_all() -> list[Wrong]:
    """Every file of the folder; one that says nothing of itself is an error."""
    return [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def refused() -> list[Wrong]:
    """Those that must not pass the API server."""
    return [one for one in read_all() if not one.reason]


def answered(*offers: str) -> list[Wrong]:
    """Those that the operator must answer and that need one of these; "" is what any cluster can show."""
    return [one for one in read_all() if one.reason and one.needs in offers]


def _read(path: Path) -> Wrong:
    text = path.read_text()
    found = re.search(r"^# expect: (?:refused|condition (\w+)) (.+)$", text, re.MULTILINE)
    if not found:
        raise ValueError(f"{path} does not say what it must meet with")
    needs = re.search(r"^# needs: (\S+)$", text, re.MULTILINE)
    return Wrong(path, found[1] or "", found[2], needs[1] if needs else "")
