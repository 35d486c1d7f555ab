"""Pictures of labelled faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from model.pictures import decoded


def read_picture(path: Path, named_in: str = "") -> NDArray[np.uint8]:
    """Return a picture as RGB (h, w, 3) uint8.

    Args:
        path: the file.
        named_in: file and line that name it, for the message.

    Raises:
        UserError: if it cannot be opened or is not a picture.
    """
    where = f"{named_in}: " if named_in else ""
    try:
        data = np.fromfile(path, np.uint8)  # unlike cv2.imread, opens any path on Windows
    except OSError as error:
        raise UserError(f"{where}{path} cannot be opened: {error}.") from error
    image = decoded(data)
    if image is None:
        raise UserError(f"{where}{path} is not a picture that can be read.")
    return image
