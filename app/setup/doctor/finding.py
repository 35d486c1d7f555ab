"""One line of the doctor's report."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.core.system_libraries import runtime_problem
from app.setup.start import CHOICE

log = logging.getLogger(__name__)


class Status(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    """The program cannot run before this is fixed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        topic: e.g. "Python", "Weights".
        status: how serious it is.
        text: what was found.
        advice: what to do; "" where nothing is to be done.
    """

    topic: str
    status: Status
    text: str
    advice: str = ""


Check = Callable[[], list[Finding]]


def install_advice() -> str:
    """Return what to do where packages are missing; in the program's own environment all of them were there once."""
    if os.environ.get(CHOICE) == "current":
        return f"run main.py without {CHOICE}=current, or pip install -r requirements.txt"
    return "delete the folder .venv beside main.py and start main.py again"


def findings_of(topic: str, check: Check) -> list[Finding]:
    """Run a check; a check that breaks is itself a finding."""
    try:
        return check()
    except ModuleNotFoundError as error:
        return [Finding(topic, Status.PROBLEM, f"the package {error.name} is missing", install_advice())]
    except Exception as error:
        log.info("the check of %s broke", topic, exc_info=error)
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        advice = runtime_problem(error) or "report it with the output of main.py --debug doctor"
        return [Finding(topic, Status.PROBLEM, f"the check broke: {what}", advice)]
