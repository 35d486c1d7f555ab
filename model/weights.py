"""Weights on disk: a safetensors file and a JSON beside it (config, checksum, figures). No pickles."""

from __future__ import annotations

import hashlib
import reprlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from model.config import LdeqConfig
from model.errors import ModelError
from model.files import is_file, write_whole
from model.json_files import JsonError, from_plain, read_object, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from model.network import Ldeq

FORMAT = 1
FACE_MESH = ("stem.mesh.", "stem.encoder.", "cell.hourglass.inject.")
"""How the names of the tensors begin that belong to the face-mesh features."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WeightsCard:
    """What the JSON beside a weights file says.

    Attributes:
        path: the safetensors file.
        config: the model's shape and solver.
        files: SHA-256 by file name, for the weights and the graphs made from them.
        notes: everything else: data, date, measured figures.
    """

    path: Path
    config: LdeqConfig
    files: dict[str, str]
    notes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Description:
    config: dict[str, Any]
    files: dict[str, str]
    notes: dict[str, Any] = field(default_factory=dict)


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_card(path: Path) -> WeightsCard:
    """Read the JSON beside ``path`` (a .safetensors file).

    Raises:
        ModelError: where a file is missing or the JSON is not a weights card.
    """
    if not is_file(path):
        raise ModelError(f"no weights at {path}; give a .safetensors file with its .json beside it")
    card_path = path.with_suffix(".json")
    if not is_file(card_path):
        raise ModelError(f"{card_path.name} is missing beside {path}; weights need both files")
    description = read_description(card_path, _Description, "a weights description")
    return WeightsCard(path, LdeqConfig.from_dict(description.config), description.files, description.notes)


def read_description(path: Path, kind: type[T], what: str) -> T:
    """Read a JSON file that lies beside weights and check it against the dataclass ``kind``.

    Args:
        path: of the JSON file.
        kind: what it holds, besides its ``format``.
        what: "a weights description", for the message.

    Raises:
        ModelError: where it cannot be read, has another format or holds something else.
    """
    try:
        values = read_object(path)
        version = values.get("format", FORMAT)
        if version != FORMAT:
            raise ModelError(f"{path} has format {reprlib.repr(version)}, this version reads {FORMAT}")
        return from_plain(kind, values)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; check the disk") from error
    except JsonError as error:
        raise ModelError(f"{path} is not {what}, or is damaged ({error}); restore it") from error


class Listed(Protocol):
    """A card that lists checksums."""

    @property
    def path(self) -> Path:
        """The safetensors file."""
        ...

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 by file name."""
        ...


def verify(card: Listed, path: Path) -> None:
    """Check ``path`` against the checksum its card lists.

    Raises:
        ModelError: where the file is missing, not listed, changed or not to be read.
    """
    if not is_file(path):
        raise ModelError(f"{path} is missing; restore it or fetch the weights again")
    expected = card.files.get(path.name)
    if expected is None:
        raise ModelError(f"{card.path.with_suffix('.json')} lists no checksum for {path.name}")
    try:
        found = sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}; check who may read it") from error
    if found != expected:
        raise ModelError(f"{path} does not match its checksum: it is damaged or was changed; fetch it again")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, checked against its card's checksum.

    Raises:
        ModelError: where the file is missing, damaged or not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    verify(read_card(path), path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file: {error}") from error


def load_weights(path: Path) -> Ldeq:
    """Build the model a weights file describes, in evaluation mode on the CPU.

    Raises:
        ModelError: where a file is missing, damaged, or its shapes do not fit its config.
    """
    from model.network import Ldeq

    model = Ldeq(read_card(path).config)
    try:
        model.load_state_dict(read_state(path))
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit the model its JSON describes: {error}") from error
    return model.eval()


def load_initial(path: Path, config: LdeqConfig) -> Ldeq:
    """Build a model that begins with the weights of another one.

    A model of 68 points may begin with the weights of one of 98; its points keep what was learned of them. A model with
    face-mesh features may begin with the weights of one without, and then computes the same.

    Args:
        path: weights to begin with.
        config: of the new model; its shape must be that of ``path``, but for the input size and the points.

    Raises:
        ModelError: for weights that cannot be read or have another shape.
    """
    from model.network import Ldeq
    from model.topology import POINTS, TO_68

    card = read_card(path)
    old = card.config.landmarks
    state = read_state(path)
    if (old, config.landmarks) == (POINTS, len(TO_68)):
        _keep_points(state, TO_68, old)
    elif old != config.landmarks:
        raise ModelError(f"{path} finds {old} points; a model of {config.landmarks} cannot begin with it")
    model = Ldeq(config)
    if config.face_mesh and not card.config.face_mesh:
        state |= {name: value for name, value in model.state_dict().items() if name.startswith(FACE_MESH)}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit the model {config.name}: {error}") from error
    return model


def _keep_points(state: dict[str, Tensor], points: NDArray[np.intp], count: int) -> None:
    """Of the channels of ``count`` points, at the tail's input and the head's output, keep only some."""
    tail = state["cell.tail.conv.weight"]
    state["cell.tail.conv.weight"] = tail[:, [*points.tolist(), *range(count, tail.shape[1])]]
    for name in ("cell.head.weight", "cell.head.bias"):
        state[name] = state[name][points.tolist()]


def save_weights(path: Path, model: Ldeq, notes: dict[str, Any]) -> None:
    """Write ``model`` as safetensors with its JSON; each file appears whole or not at all."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(path, save(state))
    write_card(WeightsCard(path, model.config, {path.name: sha256(path)}, notes))


def write_card(card: WeightsCard) -> None:
    """Write the JSON of a card beside its weights."""
    values = {"format": FORMAT, "config": card.config.to_dict(), "files": card.files, "notes": card.notes}
    write_json(card.path.with_suffix(".json"), values)
