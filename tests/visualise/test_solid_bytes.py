from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from scene3d.structures.solids import Mesh, PointCloud
from scene3d.visualise.files import read_surface, write_mesh, write_points
from scene3d.visualise.solid_bytes import glb_bytes, ply_bytes

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3.5]])
FACES = np.array([[0, 1, 2], [0, 3, 1]])
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], dtype=np.uint8)


def loaded(data: bytes, kind: str) -> trimesh.Trimesh:
    found = trimesh.load(io.BytesIO(data), file_type=kind, process=False)
    return found.to_geometry() if isinstance(found, trimesh.Scene) else found


def test_a_point_in_ply_worked_by_hand():
    data = ply_bytes(np.array([[1.0, 2.0, 3.0]]), np.array([[4, 5, 6]], dtype=np.uint8))
    header, rows = data.split(b"end_header\n")
    assert header.split(b"\n")[:3] == [b"ply", b"format binary_little_endian 1.0", b"element vertex 1"]
    # Three floats and three bytes: 15 bytes a point.
    assert rows == struct.pack("<fff", 1, 2, 3) + bytes([4, 5, 6])


@pytest.mark.parametrize("colours", [COLOURS, None], ids=["coloured", "plain"])
@pytest.mark.parametrize("kind", ["ply", "glb"])
def test_another_reader_finds_the_mesh_that_was_written(kind: str, colours: np.ndarray | None):
    data = ply_bytes(VERTICES, colours, FACES) if kind == "ply" else glb_bytes(VERTICES, FACES, colours)
    mesh = loaded(data, kind)
    assert np.array_equal(mesh.vertices, VERTICES)
    assert np.array_equal(mesh.faces, FACES)
    if colours is not None:
        assert np.array_equal(mesh.visual.vertex_colors[:, :3], colours)


def test_the_parts_of_a_glb_begin_at_whole_words_and_fill_it():
    data = glb_bytes(VERTICES, FACES, COLOURS)
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    tree = json.loads(data[20 : 20 + size])
    # 6 indices, 12 floats and 16 bytes of colours: 24 + 48 + 16.
    assert [view["byteOffset"] for view in tree["bufferViews"]] == [0, 24, 72]
    assert tree["buffers"] == [{"byteLength": 88}]
    assert len(data) == 12 + 8 + size + 8 + 88
    assert tree["accessors"][1]["max"] == [1, 2, 3.5]


def test_nothing_is_a_file_as_well(tmp_path: Path):
    nothing, no_faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    tree = json.loads(glb_bytes(nothing, no_faces)[20:])
    assert tree["scenes"] == [{}] and "meshes" not in tree
    assert ply_bytes(nothing, faces=no_faces).endswith(
        b"element face 0\nproperty list uchar int vertex_indices\nend_header\n"
    )


def test_files_keep_points_and_a_glb_stands_upright_in_linear_colours(tmp_path: Path):
    cloud = PointCloud(points=torch.from_numpy(VERTICES).float(), colours=torch.from_numpy(COLOURS))
    write_points(tmp_path / "a.ply", cloud)
    back = read_surface(tmp_path / "a.ply")
    assert isinstance(back, PointCloud) and torch.equal(back.points, cloud.points)
    grey = torch.full((4, 3), 188, dtype=torch.uint8)
    write_mesh(tmp_path / "a.glb", Mesh(vertices=cloud.points, faces=torch.from_numpy(FACES), colours=grey))
    mesh = loaded((tmp_path / "a.glb").read_bytes(), "glb")
    # Up is z here and y in glTF; 188 of sRGB is half of the light: ((188 / 255 + 0.055) / 1.055) ** 2.4 = 0.503.
    assert np.allclose(mesh.vertices[3], [0, 3.5, 0])
    assert mesh.visual.vertex_colors[0, 0] == 128


def test_classes_of_points_are_their_label():
    header, rows = ply_bytes(VERTICES[:1], COLOURS[:1], labels=np.array([13])).split(b"end_header\n")
    assert header.split(b"\n")[-2] == b"property uchar label"
    assert rows[-4:] == bytes([255, 0, 0, 13])
