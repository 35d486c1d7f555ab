"""Hundreds of damaged inputs and odd command lines: no traceback, no hang, no crash, one clear sentence.

    python -m benchmarks.fuzz [--count 40] [--kinds video session ...] [--seed 0] [--keep DIR] [--json OUT]

Each case is a real command (tests/fuzz_cases.py) over a file that was damaged at random. It runs in another process,
which is started anew where a case hangs or takes it along. A case that fails is printed with its words; the same seed
makes it again.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LONGEST_SECONDS = 60.0


def main() -> None:
    """Run and print."""
    from tests.fuzz_cases import KINDS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="cases of each kind")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put the inputs here and keep them")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        figures = run(arguments, arguments.keep or Path(folder))
    print(f"{'kind':<12} {'cases':>6} {'went well':>10} {'sentence':>9} {'wrong':>6} {'longest s':>10}")
    for kind, row in figures["kinds"].items():
        print(
            f"{kind:<12} {row['cases']:6} {row['good']:10} {row['refused']:9} {row['wrong']:6} {row['longest']:10.1f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every case and return the figures."""
    from tests.fuzz_cases import cases, make_samples

    samples = folder.absolute() / "samples"
    make_samples(samples)
    worker = Worker(folder.absolute() / "work")
    rows: dict[str, dict[str, Any]] = {}
    wrong: list[dict[str, Any]] = []
    try:
        for kind in arguments.kinds:
            tally: collections.Counter[str] = collections.Counter()
            longest = 0.0
            for case in cases(kind, arguments.count, samples, folder.absolute() / "cases", arguments.seed):
                started = time.perf_counter()
                code, err, problem = worker.run(case)
                longest = max(longest, time.perf_counter() - started)
                tally["wrong" if problem else "good" if code == 0 else "refused"] += 1
                if problem:
                    print(f"{case}\n    {problem}\n    {err[-600:]}", flush=True)
                    wrong.append({"case": str(case), "problem": problem, "err": err[-2000:]})
            counts = {name: tally[name] for name in ("good", "refused", "wrong")}
            rows[kind] = {"cases": arguments.count, **counts, "longest": longest}
            print(f"# {kind}: {rows[kind]}", flush=True)
    finally:
        worker.stop()
    return {"seed": arguments.seed, "kinds": rows, "wrong": wrong}


class Worker:
    """A process that runs cases, replaced where one of them kills it or hangs in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start()

    def run(self, case: Any) -> tuple[int, str, str]:
        """Return the exit code, what was said, and what is wrong ("" if nothing)."""
        self._pipe.send(case)
        if not self._pipe.poll(LONGEST_SECONDS):
            self.stop()
            self._start()
            return -1, "", f"hangs for {LONGEST_SECONDS:g} s"
        try:
            answer: tuple[int, str, str] = self._pipe.recv()
        except EOFError:
            self._process.join(5)
            code = self._process.exitcode
            self._start()
            return -1, "", f"the process died with {code}"
        return answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join(5)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, self._folder))  # may have children, so no daemon
        self._process.start()
        other.close()


def _work(pipe: Connection, folder: Path) -> None:
    """Run what comes, in a folder of its own, with logs and choices of its own."""
    import faulthandler
    import sys

    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HOME"):
        os.environ[name] = str(folder / "home")
    faulthandler.enable(sys.stderr)
    from tests.fuzz_verdict import run_case

    while True:
        case = pipe.recv()
        try:
            outcome = run_case(case)
            pipe.send((outcome.code, outcome.err, outcome.wrong))
        except BaseException as error:  # what even the command line lets through
            pipe.send((-1, "", f"raises {error!r}"))


if __name__ == "__main__":
    main()
