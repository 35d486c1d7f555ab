"""The authors' checkpoint file, read without running anything that is in it.

It is what ``torch.save`` writes: a zip with the weights' bytes and a pickle, ``data.pkl``, that holds a
state dict and the ``argparse.Namespace`` of the training run. A pickle is a program. It goes through PyTorch's
restricted unpickler, which knows the building blocks of tensors and nothing else, and every other class that
an honest checkpoint may name is replaced by one that does nothing. A file that names anything more is refused
before its pickle is even started.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.errors import ModelError
from model.official.names import FIRST
from model.official.variant import Setting

LARGEST = 2 * 1024**3
"""Most bytes a checkpoint may unpack to; the published ones are 87 MB, with an optimiser's state three times that."""
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "module")
"""Under which names a checkpoint may hold its state dict, in order of preference."""
DEEPEST = 4
"""Levels of dictionaries in which settings are looked for."""
AGAIN = "download the checkpoint again"
NOTHING_RUN = "nothing in it was run"


class StandIn:
    """Replaces a class that a checkpoint names: keeps the attributes it is given and does nothing else."""

    values: Mapping[Any, Any] = {}

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.values = dict(state) if isinstance(state, dict) else {}


REPLACED = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
)
"""What a training run's settings and best figures are plausibly made of, besides plain values.

Python 3.13 alone writes paths under the module ``pathlib._local``.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What was found in a file.

    Attributes:
        tensors: the state dict by released parameter name, as stored.
        settings: every plain value beside it, by dotted name, such as "args.solver".
    """

    tensors: dict[str, Tensor]
    settings: dict[str, Setting]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of the LDEQ authors.

    Raises:
        ModelError: for a file that is missing, damaged, of another kind, that would run code, or holds no LDEQ.
    """
    _check_file(path)
    content = _load(path)
    tensors = next((found for state in _states(content) if (found := _without_prefix(state))), None)
    if tensors is None:
        raise ModelError(f"{path} holds another model: it has no {FIRST}, with which every released LDEQ begins")
    return Checkpoint(tensors, dict(_settings(content, "", DEEPEST)))


def _check_file(path: Path) -> None:
    """Raise for what is plainly no torch zip, before PyTorch sees it."""
    if path.is_dir():
        raise ModelError(f"{path} is a folder; give the checkpoint file in it")
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
        if zipfile.is_zipfile(path):
            _check_archive(path)
            return
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; {AGAIN}") from error
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise ModelError(f"{path} is a damaged zip file; {AGAIN}") from error
    raise ModelError(f"{path} {_other_kind(head)}")


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        inside = [Path(name).name for name in names]
        if "constants.pkl" in inside:
            raise ModelError(f"{path} is a TorchScript program, not a checkpoint; {NOTHING_RUN}")
        if "data.pkl" not in inside:
            wrapped = next((name for name in names if name.endswith((".tar", ".pth", ".pt"))), None)
            if wrapped is not None:
                raise ModelError(f"{path} is a zip around the checkpoint; unpack it and give {wrapped}")
            raise ModelError(f"{path} is a zip file, but not one that PyTorch writes; give the authors' checkpoint")
        size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise ModelError(f"{path} unpacks to {size / 1e9:.1f} GB, far more than a released LDEQ; it was not opened")
        damaged = archive.testzip()
        if damaged is not None:
            raise ModelError(f"{path} is damaged ({damaged} has a wrong checksum); {AGAIN}")


def _other_kind(head: bytes) -> str:
    """Say what a file that is no zip seems to be, from its first bytes, and what to do."""
    if not head:
        return f"is empty; {AGAIN}"
    if head.startswith(b"PK\x03\x04"):
        return f"is cut short: the end of the zip is missing; {AGAIN}"
    if head.lstrip()[:1] == b"<":
        return "is a web page and not the checkpoint; download it with a web browser"
    if head[8:9] == b"{":
        return "is a safetensors file and needs no import; give it to --weights if this program made it"
    if head[:1] == b"\x80":
        return f"is a bare pickle, which the authors' checkpoint is not; {NOTHING_RUN}"
    return "is not a PyTorch checkpoint; give the file that the LDEQ authors published"


def _load(path: Path) -> object:
    """Unpickle ``data.pkl`` with PyTorch's restricted unpickler."""
    stand_ins: list[Any] = [(StandIn, name) for name in REPLACED]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")  # about pickle protocols, which a refusal says better
        try:
            foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            if not foreign:
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a hostile or broken pickle can raise anything
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(f"{path} cannot be read as a checkpoint ({what[:100]}); {NOTHING_RUN}; {AGAIN}") from error
    raise ModelError(
        f"{path} wants to use {', '.join(sorted(foreign)[:3])}, which a checkpoint has no need of; {NOTHING_RUN}; "
        "do not use this file unless the LDEQ authors themselves gave it to you"
    )


def _states(content: object, depth: int = 2) -> Iterator[Mapping[Any, Any]]:
    """Yield what may be the state dict: the content itself, and what it holds under the usual names."""
    if not isinstance(content, Mapping):
        return
    yield content
    if depth:
        for key in STATE_KEYS:
            yield from _states(content.get(key), depth - 1)


def _without_prefix(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return the tensors of a released state dict without what wrappers put before their names; {} for others.

    ``DataParallel`` and its kind store every parameter as "module.NAME".
    """
    tensors = {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}
    firsts = [name for name in tensors if f".{name}".endswith(f".{FIRST}")]
    if len(firsts) != 1:
        return {}
    prefix = firsts[0].removesuffix(FIRST)
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _settings(content: object, name: str, depth: int) -> Iterator[tuple[str, Setting]]:
    """Yield the plain values in nested dictionaries and namespaces, by dotted name."""
    if isinstance(content, StandIn):
        content = content.values
    if isinstance(content, str | int | float) and name:
        yield name, content
    elif isinstance(content, Mapping) and depth:
        for key, value in content.items():
            if isinstance(key, str):
                yield from _settings(value, f"{name}.{key}" if name else key, depth - 1)
