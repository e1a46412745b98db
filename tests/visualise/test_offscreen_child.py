from __future__ import annotations

import subprocess
import sys

import pytest

from scene3d.errors import MissingExtraError
from scene3d.visualise import offscreen_child
from scene3d.visualise.offscreen_child import Offscreen

ECHO = "import sys; print('starting', file=sys.stderr); print('was told', sys.stdin.read(), file=sys.stderr)"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The children, which say what they were told instead of drawing it."""
    children = []

    def start() -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        children.append(subprocess.Popen([sys.executable, "-c", ECHO], text=True, **pipes))
        return children[-1]

    monkeypatch.setattr(offscreen_child, "_start", start)
    monkeypatch.setattr(offscreen_child, "is_there", lambda: True)
    return children


def test_the_child_that_was_loaded_ahead_does_the_next_job_and_no_other(started):
    with Offscreen() as offscreen:
        offscreen.load_ahead()
        offscreen.load_ahead()
        assert len(started) == 1 and started[0].poll() is None
        assert offscreen.draw({"width": 3}) == 'was told {"width": 3}'
        assert len(started) == 1 and started[0].returncode == 0
        assert offscreen.draw({"width": 4}) == 'was told {"width": 4}'
        assert len(started) == 2


def test_a_child_that_still_waits_is_ended(started):
    with pytest.raises(KeyboardInterrupt), Offscreen() as offscreen:
        offscreen.load_ahead()
        raise KeyboardInterrupt
    assert started[0].returncode is not None


def test_without_open3d_nothing_is_loaded_and_drawing_says_how_to_get_it(started, monkeypatch):
    monkeypatch.setattr(offscreen_child, "is_there", lambda: False)
    with Offscreen() as offscreen:
        offscreen.load_ahead()
        assert not started
        with pytest.raises(MissingExtraError, match=r"scene3d\[open3d\].*libusb"):
            offscreen.draw({})
