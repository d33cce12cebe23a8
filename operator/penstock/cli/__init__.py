"""The command line for people: `penstock plan` before a rollout, `penstock replay` after one; files in, text out.

It decides nothing by itself: `core` is the code that the operator decides by. It must not talk to any cluster or metric
source, and loads nothing that could.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from penstock.cli import plan, replay
from penstock.cli.wrong import Wrong

GONE = 141  # as if ended by SIGPIPE
COMMANDS: tuple[Callable[["argparse._SubParsersAction[argparse.ArgumentParser]"], None], ...] = (plan.add, replay.add)


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="penstock", description="What a rollout will cost, and why one ended as it did."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 where a replay differs, 2 for input that cannot be used."""
    args = make_parser().parse_args(words)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except Wrong as wrong:
        print(f"penstock: {wrong}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it ends
        return GONE
    return code
