"""`scene3d doctor` says what is there, what is not, and how to get it."""

from __future__ import annotations

import json

import pytest

from scene3d.cli import installation, main


def findings(capsys) -> tuple[int, dict[str, dict]]:
    code = main(["doctor", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["healthy"] == (code == 0)
    return code, {finding["name"]: finding for finding in answer["findings"]}


def test_a_whole_installation_is_healthy(capsys):
    code, found = findings(capsys)
    assert code == 0
    assert {"python", "torch", "cuda", "operators", "open3d", "libraries of Open3D", "display"} <= set(found)
    assert {"cpu threads", "free disk here", "off-screen drawing", "scene3d", "tyro", "viser"} <= set(found)
    assert all(finding["ok"] or finding["fix"] for finding in found.values())


def test_a_missing_core_library_is_code_1_with_the_line_to_run(capsys, monkeypatch: pytest.MonkeyPatch):
    _without(monkeypatch, "kornia")
    code, found = findings(capsys)
    assert code == 1
    assert (found["kornia"]["ok"], found["kornia"]["required"]) == (False, True)
    assert found["kornia"]["fix"].startswith('pip install "kornia')


def test_a_missing_extra_is_no_failure_and_names_the_extra(capsys, monkeypatch: pytest.MonkeyPatch):
    _without(monkeypatch, "open3d")
    code, found = findings(capsys)
    assert code == 0
    assert found["open3d"]["fix"] == 'pip install "scene3d[open3d]"'


def test_missing_libraries_are_named_by_their_debian_packages(capsys, monkeypatch: pytest.MonkeyPatch):
    real = installation._loads
    monkeypatch.setattr(installation, "_loads", lambda library: library != "libusb-1.0.so.0" and real(library))
    assert "libusb-1.0-0" in findings(capsys)[1]["libraries of Open3D"]["fix"]


def test_for_people_there_is_a_line_a_thing(capsys, monkeypatch: pytest.MonkeyPatch):
    _without(monkeypatch, "kornia")
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("MISSING") for line in lines) == 1
    assert any(line.startswith("MISSING kornia") and "pip install" in line for line in lines)


def _without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = installation.metadata.version

    def version(name: str) -> str:
        if name == package:
            raise installation.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(installation.metadata, "version", version)
