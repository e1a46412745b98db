"""A folder of results, one folder an image: written whole or not at all, gone on with where it stopped, in shards.

Processes that share nothing but a disk do a part each (`Shard`); one that was killed is started again with the same
command. What an image's folder holds is complete, because it is written beside its place and moved there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scene3d.config import differing_keys
from scene3d.engine.files import write_text
from scene3d.errors import DataError, UsageError, wrong_file

SETTINGS = "predict.json"
"""What made the results, beside them."""


@dataclass(frozen=True)
class Shard:
    """Every `of`-th item, from the `number`-th on: "2/4" has the second, sixth, tenth, ..."""

    number: int = 1
    of: int = 1

    @staticmethod
    def parse(text: str) -> Shard:
        """What "2/4" says.

        Raises:
            UsageError: it is not of that form, or the number is not from 1 to the count.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(
                f"--shard: expected NUMBER/COUNT such as 2/4, the number from 1 to the count, got {text!r}"
            )
        return Shard(int(number), int(of))

    def has(self, index: int) -> bool:
        """Whether the item of this index, from 0, is one of the shard's."""
        return index % self.of == self.number - 1


class BatchFolder:
    """Where the results of many images lie.

    Args:
        folder: made where it is absent.
        settings: plain values that decide what the results are: the weights' fingerprint, the camera.
        overwrite: make results again that are there; else they are left as they are.

    Raises:
        UsageError: the folder holds results of other settings, or something else.
        DataError: what it says of its settings is damaged.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], *, overwrite: bool) -> None:
        self.folder, self._overwrite = folder, overwrite
        file = folder / SETTINGS
        if not overwrite:
            if file.exists():
                self._same(file, settings)
            elif folder.exists() and any(folder.iterdir()):
                hint = "choose another place or add --overwrite"
                raise UsageError(f"{folder}: exists already, and does not say what made it", hint=hint)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(dict(settings), indent=1))

    def wants(self, name: str) -> bool:
        """Whether the results of this name are still to be made."""
        return self._overwrite or not (self.folder / name).exists()

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A folder to write the results of this name into; see `whole_folder`."""
        return whole_folder(self.folder / name)

    @staticmethod
    def _same(file: Path, settings: Mapping[str, object]) -> None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise wrong_file(file, expected="what made the results beside it", got="no JSON mapping")
        differing = differing_keys(found, json.loads(json.dumps(dict(settings))))
        if differing:
            hint = "choose another place or add --overwrite"
            raise UsageError(f"{file.parent}: holds results of other settings: {differing[0]}", hint=hint)


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A folder to write into, whose files lie in `place` once the block ends well, and nowhere if it does not.

    In a folder that is there, files of the same name are replaced and others stay.

    Raises:
        DataError: a file cannot be written; it is called by where it was to lie.
    """
    beside = place.with_name(f".{place.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        if place.exists() and any(place.iterdir()):
            for file in sorted(beside.iterdir()):
                os.replace(file, place / file.name)
        else:
            os.replace(beside, place)
    except DataError as error:
        raise DataError(str(error).replace(str(beside), str(place))) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def unique_names(files: Sequence[Path]) -> list[str]:
    """What the results of each file are called: its name without the suffix.

    Raises:
        UsageError: two files would be called the same.
    """
    names: dict[str, Path] = {}
    for file in files:
        if file.stem in names:
            other = names[file.stem].name
            raise UsageError(f"{file}: its results would be called as those of {other}", hint="rename one of them")
        names[file.stem] = file
    return list(names)
