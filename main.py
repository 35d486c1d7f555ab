"""Start LDEQ Live: ``python3 main.py [command] [options]``, on Python 3.11 to 3.13.

The first start makes a ``.venv`` folder beside this file and installs requirements.txt into it; later starts
only check a stamp. This file keeps to syntax that older Pythons read, so that they can say what is wrong.
"""

import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> int:
    """Start the program, or say in one sentence which Python it needs."""
    running = sys.version_info[:2]
    if running < OLDEST or running > NEWEST:
        sys.stderr.write(wrong_python(running, os.path.basename(sys.argv[0]) or "main.py"))
        return 2
    from app.setup.start import start

    code = start(sys.argv[1:])
    if code is not None:
        return code
    from app.cli.main import main as run

    return run(sys.argv[1:])


def wrong_python(running: tuple, script: str) -> str:
    """Return the sentence for an unsupported Python, naming a better one where there is one."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    commands = [["python{}.{}".format(OLDEST[0], minor)] for minor in minors]  # noqa: UP032
    if sys.platform == "win32":  # whose installer names all of them python.exe; its launcher tells them apart
        commands = [["py", "-{}.{}".format(OLDEST[0], minor)] for minor in minors] + commands  # noqa: UP032
    found = [" ".join(command) for command in commands if starts(command)]
    advice = "start it with: {} {}".format(found[0], script) if found else where_to_get_one()  # noqa: UP032
    return "ldeq-live: Python 3.11, 3.12 or 3.13 is needed, this is {}.{}; {}\n".format(running[0], running[1], advice)  # noqa: UP032


def where_to_get_one() -> str:
    """Return how a person gets Python 3.13 on this system."""
    if sys.platform.startswith("linux"):  # python.org has none for it
        uv = "uv (https://docs.astral.sh/uv): uv python install 3.13"
        return "install python3.13 with the package manager, or with " + uv
    if sys.platform == "win32":
        return "get 3.13 from https://www.python.org, or with: py install 3.13"
    return "get 3.13 from https://www.python.org"


def starts(command: list) -> bool:
    """Return whether this command is there and runs; version managers leave names behind that do not."""
    if not shutil.which(command[0]):
        return False
    try:
        with open(os.devnull, "w") as silence:
            return subprocess.call(command + ["-c", "pass"], stdout=silence, stderr=silence) == 0  # noqa: RUF005
    except OSError:  # a file that is no program
        return False


def in_own_console() -> bool:
    """Return whether Windows opened a console for this file, as on a double click, and closes it with what it says."""
    if sys.platform != "win32" or len(sys.argv) > 1:
        return False
    if "PROMPT" in os.environ or "WT_SESSION" in os.environ:  # set by its terminals
        return False
    import ctypes

    processes = ctypes.windll.kernel32.GetConsoleProcessList((ctypes.c_uint * 3)(), 3)
    return 1 <= processes <= 2  # this one and the launcher; 0 without any console


if __name__ == "__main__":
    exit_code = main()
    if exit_code and in_own_console():
        input("Press Enter to close this window. ")
    sys.exit(exit_code)
