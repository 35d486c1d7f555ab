"""Arrays on disk, .npz: read without running anything, and told in one sentence where they cannot be."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError, in_short


def read_arrays(path: Path, what: str, *names: str) -> dict[str, NDArray[Any]]:
    """Return arrays of an .npz file by name.

    Args:
        path: of the file.
        what: "a labels file", for the message.
        names: of the arrays that it must hold; all that it holds if none are given.

    Raises:
        ModelError: where it cannot be read, is damaged or lacks one of them.
    """
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ModelError(f"{path} is not {what}, or is damaged; restore it")
        with np.load(path, allow_pickle=False) as arrays:
            missing = sorted(set(names) - set(arrays.files))
            if missing:
                raise ModelError(f"{path} is not {what}: it lacks {', '.join(missing)}")
            return {name: arrays[name] for name in names or arrays.files}
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path} is not {what}, or is damaged ({in_short(str(error))}); restore it") from error
