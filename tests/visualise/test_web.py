from __future__ import annotations

import socket

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.structures.solids import Mesh, PointCloud
from scene3d.visualise.web import HOST, serve


def test_a_page_is_served_to_this_machine_alone():
    pytest.importorskip("viser", reason="viser is not installed")
    triangle = Mesh(vertices=torch.eye(3), faces=torch.tensor([[0, 1, 2]]))
    cloud = PointCloud(points=torch.rand(5, 3), colours=torch.zeros(5, 3, dtype=torch.uint8))
    things = {"points": cloud, "mesh": triangle, "camera": (pinhole(10.0, 8, 12), torch.eye(4))}
    server = serve(things, port=18_231)
    try:
        assert HOST == "127.0.0.1" and server.get_host() == HOST
        with socket.create_connection((HOST, server.get_port()), timeout=5):
            pass
    finally:
        server.stop()
