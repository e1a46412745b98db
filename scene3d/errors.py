"""The errors that a user can mend: each is one line that names the thing, what was expected and what came."""

from __future__ import annotations

from pathlib import Path


class Scene3dError(Exception):
    """A failure with one clear line, and a hint of what to do about it.

    Args:
        message: what is wrong, starting with the file, key or argument it is about.
        hint: what to do; shown in brackets after the message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message} (hint: {hint})")
        self.hint = hint


class UsageError(Scene3dError):
    """A command or a call was given arguments that do not go together. Exit code 2."""


class ConfigError(UsageError):
    """A configuration file or flag is wrong: unknown key, wrong type, wrong kind. Exit code 2."""


class DataError(Scene3dError):
    """A file of the user's data is missing, damaged or not what it should be. Exit code 3."""


class CheckpointError(DataError):
    """A checkpoint cannot be trusted or does not fit. Exit code 3."""


class MissingExtraError(Scene3dError):
    """An optional library is not installed. Exit code 1."""


def wrong_file(path: Path | str, *, expected: str, got: str, hint: str | None = None) -> DataError:
    """The one wording for a file that is not what it should be."""
    return DataError(f"{path}: expected {expected}, got {got}", hint=hint)
