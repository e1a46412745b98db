"""Pure functions of tensors: transforms, cameras, depth, rays, voxel grids. No files, no networks.

Conventions, used everywhere and pinned by ``test_convention_*``:

- Axes are OpenCV's: x right, y down, z forward. Lengths are metres.
- A transform is a ``(..., 4, 4)`` matrix named ``a_to_b``: ``points_b = transform(a_to_b, points_a)``.
- The centre of pixel (column i, row j) lies at (i + 0.5, j + 0.5); the image spans [0, W] x [0, H].
- K is in pixels of the image it goes with.
- ``depth`` is along z, ``distance`` along the unit ray, ``disparity`` is 1 / depth.
"""
