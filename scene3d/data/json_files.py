"""JSON of users as a checked value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from scene3d.data.kitti_files import read_text
from scene3d.errors import wrong_file

Model = TypeVar("Model", bound=BaseModel)


def read_json(path: Path, model: type[Model]) -> tuple[Model, Any]:
    """What a file says, checked, and as it stands there.

    Raises:
        DataError: it is not JSON, or not what the model takes; the message names the place in the file.
    """
    try:
        content = json.loads(read_text(path))
        return model.model_validate(content), content
    except json.JSONDecodeError as error:
        raise wrong_file(path, expected="JSON", got=f"{error.msg} on line {error.lineno}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise wrong_file(path, expected=f"{where}: {first['msg']}", got=str(first["input"])[:60]) from None
