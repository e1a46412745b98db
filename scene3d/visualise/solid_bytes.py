"""Points and triangles as the bytes of a PLY or GLB file.

trimesh, which reads them in the tests, writes them too; importing it takes a second, a fifth of what `scene3d predict`
may take for an image.

Source: Turk, "The PLY polygon file format", 1994; Khronos, "glTF 2.0 specification", sections 3.6, 3.7 and 4.4.
"""

from __future__ import annotations

import json
import struct

import numpy as np
from jaxtyping import Float, Int, UInt8

_FLOAT, _UINT32, _BYTE = 5126, 5125, 5121  # names of types in glTF


def ply_bytes(
    vertices: Float[np.ndarray, "V 3"],
    colours: UInt8[np.ndarray, "V 3"] | None = None,
    faces: Int[np.ndarray, "F 3"] | None = None,
    labels: Int[np.ndarray, "V"] | None = None,  # noqa: UP037
) -> bytes:
    """A binary PLY with positions in single precision; without faces it is a point cloud.

    Classes, 0 to 255, are the property `label` of a vertex.
    """
    fields = [(name, "<f4") for name in "xyz"]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {name}" for name in "xyz"]
    if colours is not None:
        fields += [(name, "u1") for name in ("red", "green", "blue")]
        header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    if labels is not None:
        fields.append(("label", "u1"))
        header.append("property uchar label")
    rows = np.empty(len(vertices), dtype=fields)
    for axis, name in enumerate("xyz"):
        rows[name] = vertices[:, axis]
    if colours is not None:
        for channel, name in enumerate(("red", "green", "blue")):
            rows[name] = colours[:, channel]
    if labels is not None:
        rows["label"] = labels
    triangles = b""
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        listed = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", (3,))])
        listed["count"], listed["corners"] = 3, faces
        triangles = listed.tobytes()
    return "\n".join([*header, "end_header\n"]).encode("ascii") + rows.tobytes() + triangles


def glb_bytes(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    colours: UInt8[np.ndarray, "V 3"] | None = None,
) -> bytes:
    """A GLB of one mesh; one without triangles is an empty scene, since glTF knows no empty mesh.

    Args:
        vertices: in glTF's axes.
        faces: triangles, counter-clockwise as seen from outside.
        colours: of the vertices, linear light as bytes.
    """
    tree: dict[str, object] = {"asset": {"version": "2.0", "generator": "scene3d"}, "scene": 0}
    if len(faces) == 0:
        return _chunked(tree | {"scenes": [{}]}, b"")
    places = vertices.astype("<f4")
    low, high = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    parts = [faces.astype("<u4").tobytes(), places.tobytes()]
    accessors: list[dict[str, object]] = [
        {"bufferView": 0, "componentType": _UINT32, "count": faces.size, "type": "SCALAR"},
        {"bufferView": 1, "componentType": _FLOAT, "count": len(places), "type": "VEC3", "min": low, "max": high},
    ]
    attributes = {"POSITION": 1}
    if colours is not None:
        # With the fourth channel every vertex begins at a multiple of four bytes, as glTF wants it.
        parts.append(np.pad(colours, ((0, 0), (0, 1)), constant_values=255).tobytes())
        accessors.append(
            {"bufferView": 2, "componentType": _BYTE, "normalized": True, "count": len(places), "type": "VEC4"}
        )
        attributes["COLOR_0"] = 2
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    tree |= {
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 0}]}],
        "accessors": accessors,
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": len(part)}
            for start, part in zip(starts, parts, strict=False)
        ],
        "buffers": [{"byteLength": starts[-1]}],
    }
    return _chunked(tree, b"".join(parts))


def _chunked(tree: dict[str, object], content: bytes) -> bytes:
    """The container: a header, the JSON, then the buffer if it is not empty; `content` fills whole words."""
    text = json.dumps(tree, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if content:
        chunks += struct.pack("<I4s", len(content), b"BIN\0") + content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
