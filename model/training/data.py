"""The shared training faces, decoded once into memory."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.array_files import read_arrays
from model.conventions import SHIFT_300W, WFLW_SHIFT, moved_right, to_300w
from model.errors import ModelError
from model.pictures import decoded
from model.topology import CONTOUR_ENDS, NOSE_TIP, POINTS, TO_68

CANVAS = 320
LABELS = "labels.npz"
WFLW = "wflw"
"""Source of the faces with 98 points by people."""
W300 = "300w"
"""Source of the faces with 68 points by people."""
SEEN_ELSEWHERE = ("003749", "013828", "003189", "002010")
"""Pictures that are also in the WFLW test set, under other names; nothing is learned from them."""
HALF_TURNED, IN_PROFILE = 0.5, 0.9
"""Where the tip of the nose is between the middle (0) and an end (1) of the contour; of the faces of WFLW's training
set a quarter is beyond the first, a twentieth near the second, and most of its test faces of large pose beyond it."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Training faces, on one device.

    Attributes:
        images: (n, 320, 320, 3) uint8 RGB; smaller pictures sit top left, their edges replicated.
        landmarks: (n, k, 2) float32, pixels of the picture; 98 points, or the 68 of 300W.
        weights: (n, k) float32, how far to trust each point.
        sources: n names of where a face comes from.
    """

    images: Tensor
    landmarks: Tensor
    weights: Tensor
    sources: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Tensor) -> Faces:
        """Return some of the faces, by their rows (m,) or by flags (n,)."""
        return Faces(self.images[rows], self.landmarks[rows], self.weights[rows], self.sources[rows.cpu().numpy()])

    def spread(self, count: int) -> Faces:
        """Return ``count`` of the faces from all over, or all where there are fewer."""
        return self[torch.linspace(0, len(self) - 1, min(count, len(self))).long()]

    def of_300w(self) -> Faces:
        """Return the faces of 300W with the 68 points that people placed there, where their mirror images agree.

        The points follow 300W's own convention but for :data:`model.conventions.SHIFT_300W`, which mirrored training
        cannot learn; ``evaluate 300w`` adds it to what a model finds.

        Raises:
            ModelError: where there are none.
        """
        own = self[torch.from_numpy(self.sources == W300)]
        if not len(own):
            raise ModelError(f"68 points are trained on faces of source {W300}, and there are none")
        landmarks = moved_right(to_300w(own.landmarks), -SHIFT_300W)
        return replace(own, landmarks=landmarks, weights=own.weights[:, TO_68])

    def mirror_consistent(self) -> Faces:
        """Return the faces, those of WFLW with labels whose mirror images agree (less ``WFLW_SHIFT``)."""
        landmarks = self.landmarks.clone()
        own = torch.from_numpy(self.sources == WFLW)
        landmarks[own] = moved_right(landmarks[own], -WFLW_SHIFT)
        return replace(self, landmarks=landmarks)

    def labelled(self, landmarks: NDArray[np.floating], path: Path) -> Faces:
        """Return the faces with the landmarks that a run has written to ``path``.

        Raises:
            ModelError: where those are of other faces, as with another ``--limit-faces``.
        """
        if landmarks.shape != tuple(self.landmarks.shape):
            raise ModelError(
                f"{path} has labels of {len(landmarks)} faces, not of {len(self)}; resume with the same faces, or use "
                "another --out folder"
            )
        return replace(self, landmarks=torch.from_numpy(landmarks).to(self.landmarks))

    def draw_weights(self, factors: Mapping[str, float], turned: float = 1.0) -> Tensor:
        """Return the relative chance (n,) of drawing each face; sources not in ``factors`` have 1.

        Faces of 98 points that are turned to the side have up to ``turned`` times the chance of their source.
        """
        chances = torch.tensor([factors.get(source, 1.0) for source in self.sources.tolist()], dtype=torch.float32)
        return chances if turned == 1 else chances * (1 + (turned - 1) * sideways(self.landmarks).cpu())


def sideways(landmarks: Tensor) -> Tensor:
    """Return from 0 (frontal or half turned) to 1 (in profile) how far faces (n, 98, 2) are turned to the side.

    It is where the tip of the nose lies between the ends of the contour.
    """
    left, right, nose = (landmarks[:, point] for point in (*CONTOUR_ENDS, NOSE_TIP))
    across = right - left
    along = ((nose - left) * across).sum(-1) / (across * across).sum(-1).clamp_min(1e-6)
    return (((2 * along - 1).abs() - HALF_TURNED) / (IN_PROFILE - HALF_TURNED)).clamp(0, 1)


def load_faces(
    folder: Path,
    device: torch.device,
    limit: int | None = None,
    labels_path: Path | None = None,
    only: Sequence[str] | None = None,
) -> Faces:
    """Read labels and the ``faces-*.tar`` that hold their pictures.

    Args:
        folder: holds labels.npz and one or more tars of pictures named in it.
        device: where the tensors go.
        limit: take only this many faces, spread evenly (for a quick check of the recipe).
        labels_path: other labels of the same pictures, in the form of labels.npz.
        only: the sources whose faces are taken, all if not given.

    Raises:
        ModelError: where there are no faces of a source, a file is missing or a picture cannot be read.
    """
    labels_path = labels_path or folder / LABELS
    tars = sorted(folder.glob("faces-*.tar"))
    if not labels_path.is_file() or not tars:
        raise ModelError(f"no training faces: {labels_path} and {folder / 'faces-*.tar'} must exist")
    labels = read_arrays(labels_path, "a labels file", "name", "source", "landmarks", "weight")
    names, sources = labels["name"], labels["source"]
    landmarks = labels["landmarks"].astype(np.float32)
    weights = labels["weight"].astype(np.float32)
    if landmarks.shape[1:] != (POINTS, 2) or weights.shape != landmarks.shape[:2]:
        raise ModelError(f"{labels_path} does not hold {POINTS} weighted points a face")
    if not len(set(names.tolist())) == len(names) == len(sources) == len(landmarks):
        raise ModelError(f"{labels_path} does not hold a picture's name of its own and a source for each face")
    weights[np.isin([name.partition(".")[0] for name in names.tolist()], SEEN_ELSEWHERE)] = 0
    chosen = _chosen(sources, limit, only)
    if len(chosen) < len(names):
        names, sources, landmarks, weights = names[chosen], sources[chosen], landmarks[chosen], weights[chosen]
    images = _read_images(tars, {name: row for row, name in enumerate(names.tolist())})
    return Faces(
        torch.from_numpy(images).to(device),
        torch.from_numpy(landmarks).to(device),
        torch.from_numpy(weights).to(device),
        sources,
    )


def _chosen(sources: NDArray[np.str_], limit: int | None, only: Sequence[str] | None) -> NDArray[np.intp]:
    """Return the rows of the faces to load."""
    chosen = np.arange(len(sources))
    if only is not None:
        unknown = sorted(set(only) - set(sources.tolist()))
        if unknown:
            known = ", ".join(sorted(set(sources.tolist())))
            raise ModelError(f"no training faces are of source {', '.join(unknown)}; there are {known}")
        chosen = np.flatnonzero(np.isin(sources, list(only)))
    return chosen if limit is None else chosen[np.unique(np.linspace(0, len(chosen) - 1, limit).astype(int))]


def _read_images(tars: list[Path], rows: dict[str, int]) -> NDArray[np.uint8]:
    images = np.zeros((len(rows), CANVAS, CANVAS, 3), np.uint8)
    missing = set(rows)

    def decode(name: str, data: bytes) -> None:
        picture = decoded(np.frombuffer(data, np.uint8))
        if picture is None or max(picture.shape[:2]) > CANVAS:
            raise ModelError(f"{name} is not a picture of at most {CANVAS} px")
        height, width = picture.shape[:2]
        images[rows[name]] = cv2.copyMakeBorder(picture, 0, CANVAS - height, 0, CANVAS - width, cv2.BORDER_REPLICATE)

    with ThreadPoolExecutor() as pool:
        pending = []
        for path in tars:
            try:
                with tarfile.open(path) as tar:
                    for member in tar:
                        name = Path(member.name).name
                        stream = tar.extractfile(member) if name in missing else None
                        if stream is not None:
                            pending.append(pool.submit(decode, name, stream.read()))
                            missing.discard(name)
            except (OSError, EOFError, tarfile.TarError) as error:
                raise ModelError(f"{path} cannot be read, or is damaged ({error}); restore it") from error
        for future in pending:
            future.result()
    if missing:
        raise ModelError(f"{len(missing)} labelled pictures are in no tar, {min(missing)} for one")
    return images
