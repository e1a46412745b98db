"""What benchmarks/ops.py times: each operator as published code writes it, as PyTorch does it best, and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from scene3d.data.street import make_street
from scene3d.data.street.truth import true_view
from scene3d.fusion.inward import spread_inward
from scene3d.fusion.voxelise import voxelise
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.methods.scene_semantics import SceneSemantics
from scene3d.ops.composite import composite
from scene3d.ops.field_density import field_density
from scene3d.ops.frequencies import encode_frequencies, encoded_size
from scene3d.ops.hash_encode import PRIMES, hash_encode, hash_encode_with_jacobian, level_starts
from scene3d.ops.march_field import MarchRays, MarchViews, march_field
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.neus_composite import neus_composite
from scene3d.ops.pixel_field import FieldArrays
from scene3d.ops.plane_sweep import plane_sweep
from scene3d.ops.sample_views import sample_views
from scene3d.ops.sample_views_composite import sample_views_composite
from scene3d.recipe import load
from scene3d.structures.labels import CITYSCAPES_TO_SSC, remap

Way = Callable[..., Tensor]


@dataclass(frozen=True)
class Case:
    """One row: ways to compute the same from `leaves`.

    Attributes:
        leaves: what all ways take; gradients flow to those that want them.
        backward: whether the gradient of the sum is part of it.
        eager: as published code writes it.
        idiom: the best that PyTorch alone does; None where that is `eager`.
        kernel: ours.
        asked: how many times faster than eager it shall be, with a warm allocator; None where nothing was asked.
        bytes: the least that must be read and written once, whatever the way.
        operations: floating-point operations, whatever the way.
        threads: None for as many as the table has.
    """

    name: str
    leaves: tuple[Tensor, ...]
    backward: bool
    eager: Way
    kernel: Way
    idiom: Way | None = None
    asked: float | None = None
    bytes: float = 0
    operations: float = 0
    threads: int | None = None


def composites() -> Iterator[Case]:
    """Packed samples with 64 and with 3 channels."""
    for rays, samples, channels, asked in ((4096, 64, 64, 2.5), (4096, 128, 3, 3.0)):
        alpha = torch.rand(rays, samples).requires_grad_()
        features = torch.randn(rays, samples, channels).requires_grad_()
        distances, offsets = torch.rand(rays * samples), torch.arange(rays + 1) * samples

        def eager(a: Tensor, f: Tensor) -> Tensor:
            return (_weights(a)[..., None] * f).sum(dim=1)

        def idiom(a: Tensor, f: Tensor) -> Tensor:
            return (_weights(a)[:, None] @ f)[:, 0]

        def kernel(a: Tensor, f: Tensor, t: Tensor = distances, o: Tensor = offsets) -> Tensor:
            return composite(a.flatten(), f.flatten(0, 1), t, o).features

        size = rays * samples * channels
        yield Case(
            f"composite {rays}x{samples}, {channels} channels, forward + backward",
            (alpha, features),
            True,
            eager,
            kernel,
            idiom,
            asked,
            bytes=3 * 4 * size,
            operations=6 * size,
        )


def sections() -> Iterator[Case]:
    """Opacities of a signed distance field, and the fused composite of them."""
    count = 524_288
    sdf, cosine = 0.1 * torch.randn(count), -torch.rand(count)
    length, sharpness = 0.02 * torch.rand(count), torch.tensor(100.0)
    leaves = tuple(x.requires_grad_() for x in (sdf, cosine, length, sharpness))

    def eager(f: Tensor, c: Tensor, d: Tensor, s: Tensor, ratio: float = 0.5) -> Tensor:
        entering = -(functional.relu(0.5 - 0.5 * c) * (1 - ratio) + functional.relu(-c) * ratio)
        before, after = torch.sigmoid((f - entering * d / 2) * s), torch.sigmoid((f + entering * d / 2) * s)
        return ((before - after + 1e-5) / (before + 1e-5)).clip(0, 1)

    def kernel(f: Tensor, c: Tensor, d: Tensor, s: Tensor) -> Tensor:
        return neus_alpha(f, c, d, s, 0.5)

    name = f"neus_alpha {count // 1024}k samples"
    yield Case(f"{name}, forward", leaves, False, eager, kernel, asked=5, bytes=16 * count, operations=60 * count)
    both = {"bytes": 44 * count, "operations": 160 * count}
    yield Case(f"{name}, forward + backward", leaves, True, eager, kernel, asked=4, **both)

    rays, samples = 4096, 128
    colours, distances = torch.rand(count, 3).requires_grad_(), torch.rand(count)
    offsets = torch.arange(rays + 1) * samples

    def eager_colour(f: Tensor, c: Tensor, d: Tensor, s: Tensor, rgb: Tensor) -> Tensor:
        alpha = eager(f, c, d, s).reshape(rays, samples)
        return (_weights(alpha)[..., None] * rgb.reshape(rays, samples, 3)).sum(dim=1)

    def kernel_colour(f: Tensor, c: Tensor, d: Tensor, s: Tensor, rgb: Tensor) -> Tensor:
        return neus_composite(f, c, d, s, rgb, distances, offsets, 0.5).features

    name = f"neus_composite {rays}x{samples}, 3 channels, forward + backward"
    cost = {"bytes": 88 * count, "operations": 180 * count}
    yield Case(name, (*leaves, colours), True, eager_colour, kernel_colour, **cost)


def sweeps() -> Iterator[Case]:
    """A cost volume of features, of one source."""
    height, width, channels, hypotheses = 48, 160, 64, 96
    here = torch.randn(1, height, width, channels).requires_grad_()
    there = torch.randn(1, 1, height, width, channels).requires_grad_()
    move, depths = torch.tensor([[[30.0, 0.0, 0.0]]]), torch.linspace(1, 60, hypotheses).reshape(1, hypotheses, 1, 1)
    eye = torch.eye(3)[None, None]
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)
    extent = torch.tensor([float(width), float(height)])

    def eager(f: Tensor, s: Tensor) -> Tensor:
        """All hypotheses at once, the source repeated for each."""
        points = (pixels @ eye[0, 0].T) * depths.reshape(-1, 1, 1, 1) + move[0, 0]
        place = points[..., :2] / points[..., 2:]
        seen = ((place >= 0) & (place <= extent)).all(dim=-1)
        maps = s[0].permute(0, 3, 1, 2).expand(hypotheses, -1, -1, -1)
        warped = _grid_sample(maps, place, extent)
        return (warped - f.permute(0, 3, 1, 2)).abs().mean(dim=1) * seen

    def kernel(f: Tensor, s: Tensor) -> Tensor:
        return plane_sweep(f, s, eye, move, depths).cost

    name = f"plane_sweep {height}x{width}, {channels} channels, {hypotheses} depths"
    cells = hypotheses * height * width
    maps = 2 * 4 * height * width * channels
    cost = {"bytes": maps + 5 * cells, "operations": 10 * cells * channels}
    yield Case(f"{name}, forward", (here, there), False, eager, kernel, asked=6, **cost)
    cost = {"bytes": 3 * maps + 9 * cells, "operations": 30 * cells * channels}
    yield Case(f"{name}, forward + backward", (here, there), True, eager, kernel, asked=4, **cost)


def looks() -> Iterator[Case]:
    """Maps of two views, weighted along rays."""
    rays, samples, channels, views, height, width = 4096, 64, 64, 2, 96, 320
    maps = torch.randn(1, views, height, width, channels).requires_grad_()
    weights = torch.rand(1, rays, samples).requires_grad_()
    ends = torch.randn(1, rays, 1, 3) * torch.tensor([8.0, 2.0, 0.0]) + torch.tensor([0.0, 0.0, 10.0])
    points = ends * torch.linspace(0.2, 4, samples)[:, None]
    K = torch.tensor([[125.0, 0, width / 2], [0, 125.0, height / 2], [0, 0, 1]])
    shift = torch.tensor([[[0.6], [0.0], [0.0]], [[0.0], [0.0], [1.0]]])
    to_pixels = (K @ torch.cat([torch.eye(3).expand(views, 3, 3), shift], dim=-1))[None]
    extent = torch.tensor([float(width), float(height)])

    def fetched(m: Tensor) -> Tensor:
        at = points.reshape(1, -1, 3) @ to_pixels[0, ..., :3].mT + to_pixels[0, :, None, :, 3]
        place = (at[..., :2] / at[..., 2:].clamp(min=1e-3)).reshape(views, rays, samples, 2)
        return _grid_sample(m[0].permute(0, 3, 1, 2), place, extent).permute(0, 2, 3, 1)

    def eager(m: Tensor, w: Tensor) -> Tensor:
        return (w[0, ..., None] * fetched(m)).sum(dim=2)

    def idiom(m: Tensor, w: Tensor) -> Tensor:
        return torch.einsum("rs,vrsc->vrc", w[0], fetched(m))

    def kernel(m: Tensor, w: Tensor) -> Tensor:
        return sample_views_composite(m, points, to_pixels, w)[0]

    name = f"sample_views_composite {rays}x{samples}, {channels} channels, {views} views"
    fetches = rays * samples * views * channels
    size = 4 * views * height * width * channels
    cost = {"bytes": size, "operations": 8 * fetches}
    yield Case(f"{name}, forward", (maps, weights), False, eager, kernel, idiom, 8, **cost)
    cost = {"bytes": 3 * size, "operations": 26 * fetches}
    yield Case(f"{name}, forward + backward", (maps, weights), True, eager, kernel, idiom, 6, **cost)


def gathers() -> Iterator[Case]:
    """Samples of one map."""
    maps = torch.randn(1, 96, 320, 64).requires_grad_()
    extent = torch.tensor([320.0, 96.0])
    pixels = torch.rand(1, 61_440, 2) * extent

    def eager(m: Tensor) -> Tensor:
        return _grid_sample(m.permute(0, 3, 1, 2), pixels[:, None], extent)[:, :, 0].mT

    def kernel(m: Tensor) -> Tensor:
        return sample_views(m, pixels)

    fetches = 61_440 * 64
    cost = {"bytes": 8 * fetches + 3 * 4 * maps.numel(), "operations": 15 * fetches}
    yield Case("sample_views 61k positions, 64 channels, forward + backward", (maps,), True, eager, kernel, **cost)


def marches() -> Iterator[Case]:
    """The field of scene completion at SceneDINO's training size; the map's fold is a row of its own."""
    rays, samples, hidden, channels, views, height, width = 2048, 32, 128, 256, 4, 192, 640
    K = torch.tensor([[[500.0, 0, 320], [0, 500.0, 96], [0, 0, 1]]])
    encoded = encoded_size(3, 6)
    unfolded = torch.randn(1, channels, height, width).requires_grad_()
    fold = (0.1 * torch.randn(hidden, channels)).requires_grad_()
    folded = (unfolded.detach().permute(0, 2, 3, 1) @ fold.detach().T).contiguous().requires_grad_()
    first = (0.2 * torch.randn(hidden, encoded)).requires_grad_()
    second, bias = (0.1 * torch.randn(hidden)).requires_grad_(), torch.zeros(()).requires_grad_()
    third = (0.1 * torch.randn(64, hidden)).requires_grad_()
    corner = torch.rand(rays // 64, 1, 1, 2) * torch.tensor([width - 8.0, height - 8.0])
    patch = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="xy"), dim=-1)
    slopes = torch.cat([(corner + patch).reshape(1, rays, 2), torch.ones(1, rays, 1)], dim=-1) @ torch.linalg.inv(K).mT
    directions = functional.normalize(slopes, dim=-1)
    distances = (1 / torch.linspace(1 / 3, 1 / 80, samples)).expand(1, rays, samples).contiguous()
    images = torch.rand(1, views, height, width, 3)
    pose = torch.cat([torch.eye(3).expand(1, views, 3, 3), 0.5 * torch.randn(1, views, 3, 1)], dim=-1)
    to_pixels, extent = K[:, None] @ pose, torch.tensor([float(width), float(height)])
    points = (directions[:, :, None] * distances[..., None]).reshape(-1, 3)
    lengths = functional.pad(distances.diff(dim=-1), (0, 1), value=1e9)[0]

    def places(matrix: Tensor) -> Tensor:
        at = points @ matrix[:, :3].T + (matrix[:, 3] if matrix.shape[1] == 4 else 0)
        return at[:, :2] / at[:, 2:].clamp(min=1e-3)

    def eager(m: Tensor, f: Tensor, p: Tensor, d: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """The published order: fetch, join the encoding, two layers at every sample, colours, sums."""
        place = places(K[0])
        fetched = _grid_sample(m, place[None, None], extent)[0, :, 0].T
        inverse = (1 / points[:, 2:] - 1 / 80) / (1 / 3 - 1 / 80)
        position = torch.cat([2 * place / extent - 1, 2 * inverse - 1], dim=-1)
        joined = torch.cat([fetched, encode_frequencies(position, 6)], dim=-1)
        layer = functional.relu(joined @ torch.cat([f, p], dim=1).T)
        density = functional.softplus(layer @ d + b).reshape(rays, samples)
        weight = _weights(1 - torch.exp(-density * lengths))
        features = (weight[..., None] * (layer @ t.T).reshape(rays, samples, -1)).sum(dim=1)
        where = torch.stack([places(to_pixels[0, v]) for v in range(views)])[:, None]
        colour = _grid_sample(images[0].permute(0, 3, 1, 2), where, extent)[:, :, 0].mT
        seen = (weight[None, ..., None] * colour.reshape(views, rays, samples, 3)).sum(dim=2)
        return features.sum() + seen.sum()

    def kernel(m: Tensor, p: Tensor, d: Tensor, b: Tensor, t: Tensor) -> Tensor:
        field = FieldArrays(m, K, p, d, b, height, width, 3.0, 80.0)
        rays_here = MarchRays(torch.zeros_like(directions), directions, distances, True)
        found = march_field(field, rays_here, MarchViews(images, to_pixels, None))
        return (found.hidden @ t.T).sum() + found.colour.sum()

    def kernel_and_fold(m: Tensor, f: Tensor, p: Tensor, d: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return kernel(m.permute(0, 2, 3, 1) @ f.T, p, d, b, t)

    def from_folded(way: Way) -> Way:
        return lambda m, f, p, d, b, t: way(folded, p, d, b, t)

    leaves = (unfolded, fold, first, second, bias, third)
    count = rays * samples
    name = f"march_field {rays} rays x {samples}, {channels} channels, {views} views"
    network = 2 * encoded * hidden + 12 * hidden + 200
    cost = {"bytes": 3 * 4 * folded.numel(), "operations": 3 * count * network}
    yield Case(
        f"{name}, forward + backward, from the folded map",
        leaves,
        True,
        eager,
        from_folded(kernel),
        asked=3,
        **cost,
    )
    with_fold = {
        "bytes": 3 * 4 * (folded.numel() + unfolded.numel()),
        "operations": cost["operations"] + 6 * height * width * channels * hidden,
    }
    yield Case(f"{name}, forward + backward, fold included", leaves, True, eager, kernel_and_fold, **with_fold)

    cells = torch.rand(1, 262_144, 3) * torch.tensor([40.0, 4.0, 50.0]) + torch.tensor([-20.0, -2.0, 3.0])

    def eager_density(m: Tensor, f: Tensor, p: Tensor, d: Tensor, b: Tensor, t: Tensor) -> Tensor:
        depth = cells[0, :, 2:]
        place = (cells[0] @ K[0].T)[:, :2] / depth
        fetched = _grid_sample(m, place[None, None], extent)[0, :, 0].T
        inverse = (1 / depth - 1 / 80) / (1 / 3 - 1 / 80)
        position = torch.cat([2 * place / extent - 1, 2 * inverse - 1], dim=-1).clamp(-2, 2)
        joined = torch.cat([fetched, encode_frequencies(position, 6)], dim=-1)
        return functional.softplus(functional.relu(joined @ torch.cat([f, p], dim=1).T) @ d + b)

    def kernel_density(m: Tensor, p: Tensor, d: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return field_density(FieldArrays(m, K, p, d, b, height, width, 3.0, 80.0), cells)[0]

    cost = {"bytes": 4 * folded.numel() + 17 * 262_144, "operations": 262_144 * network}
    name = "field_density 262k points, forward, from the folded map"
    yield Case(name, leaves, False, eager_density, from_folded(kernel_density), **cost)


def hashes() -> Iterator[Case]:
    """A hash grid of 12 levels x 2 on one thread."""
    resolutions = [round(16 * (512 / 16) ** (i / 11)) for i in range(12)]
    starts = level_starts(resolutions, 2**17)
    count = 262_144
    points = torch.rand(count, 3)
    table = (1e-2 * torch.randn(starts[-1], 2)).requires_grad_()
    corners = torch.tensor([[k >> axis & 1 for axis in range(3)] for k in range(8)])
    direction = torch.randn(24, 3)

    def eager(t: Tensor, x: Tensor = points) -> Tensor:
        found = []
        for resolution, start, end in zip(resolutions, starts[:-1], starts[1:], strict=True):
            place = x * resolution
            cell = place.detach().floor().clamp(max=resolution - 1)
            along = (place - cell)[:, None]
            weight = torch.where(corners == 1, along, 1 - along).prod(dim=-1)
            corner = cell.long()[:, None] + corners
            if (resolution + 1) ** 3 <= end - start:
                index = (corner[..., 0] * (resolution + 1) + corner[..., 1]) * (resolution + 1) + corner[..., 2]
            else:
                a, b, c = (corner[..., i] * PRIMES[i] for i in range(3))
                index = (a ^ b ^ c) % (end - start)
            found.append((weight[..., None] * t[start + index]).sum(dim=1))
        return torch.cat(found, dim=1)

    def eager_slope(t: Tensor) -> Tensor:
        """Of every feature in one direction each, through a gradient that can be differentiated again."""
        with torch.enable_grad():
            x = points.clone().requires_grad_()
            (slope,) = torch.autograd.grad((eager(t, x) @ direction).sum(), x, create_graph=True)
        return slope

    def kernel(t: Tensor) -> Tensor:
        return hash_encode(points, t, resolutions, starts)

    def kernel_slope(t: Tensor) -> Tensor:
        jacobian = hash_encode_with_jacobian(points, t, resolutions, starts)[1]
        return torch.einsum("nci,c->ni", jacobian, direction.sum(dim=1))

    name, one = "hash_encode 12 levels x 2, 262k points, one thread", {"threads": 1}
    look = count * 12 * 8
    table_bytes = 4 * table.numel()
    cost = {"bytes": table_bytes + count * (12 + 96 + 288), "operations": look * 20}
    yield Case(f"{name}, forward", (table,), False, eager, kernel, asked=10, **cost, **one)
    cost = {"bytes": 3 * table_bytes + count * (24 + 192 + 576), "operations": look * 40}
    yield Case(f"{name}, forward + backward to the table", (table,), True, eager, kernel, asked=7, **cost, **one)
    name = f"{name}, Jacobian and its table gradient"
    yield Case(name, (table,), True, eager_slope, kernel_slope, asked=10, **cost, **one)


def completions() -> Iterator[Case]:
    """Classes of all 256 x 256 x 32 cells of a street's view, by the packaged weights, from the finished map."""
    device = torch.get_default_device()
    with torch.device("cpu"):
        predictor = load("street", device=str(device))
        frames = true_view(make_street(9000), 20, predictor.view.camera).to(device)
    method = predictor.method
    assert isinstance(method, SceneSemantics)
    assert frames.grid_to_cam is not None
    K, grid_to_cam, chunk = frames.K[:, 0], frames.grid_to_cam, method.config.completion.chunk
    with torch.no_grad():
        made = method.completion.encode(frames.image[:, 0], K)
    decoder, extent = made.decoder, torch.tensor([float(made.width), float(made.height)])
    assert decoder.to_features is not None
    points = transform(grid_to_cam[0], SSCBENCH.centres().to(device))

    def eager(folded: Tensor) -> Tensor:
        """Everything asked of every cell, some of them at a time."""
        density, classes = [], []
        maps = folded.permute(0, 3, 1, 2)
        for part in points.reshape(-1, 3).split(chunk):
            depth = part[:, 2:].clamp(min=1e-3)
            place = ((part / depth) @ K[0].T)[:, :2]
            inverse = (1 / depth - 1 / made.far) / (1 / made.near - 1 / made.far)
            position = torch.cat([2 * place / extent - 1, 2 * inverse - 1], dim=-1).clamp(-2, 2)
            fetched = _grid_sample(maps, place[None, None], extent)[0, :, 0].T
            hidden = functional.relu(fetched + decoder.from_position(encode_frequencies(position, decoder.octaves)))
            seen = ((place >= 0) & (place <= extent)).all(dim=-1) & (part[:, 2] > 1e-3)
            density.append(functional.softplus(decoder.to_density(hidden)[:, 0]) * seen)
            codes = method.head.eval()(method.completion.expand(decoder.to_features(hidden)))
            nearest = (codes @ functional.normalize(method.centres, dim=-1).T).argmax(dim=-1)
            classes.append(remap(method.cluster_to_class[nearest], CITYSCAPES_TO_SSC))
        occupied = (torch.cat(density) >= method.threshold).reshape(SSCBENCH.shape)
        return spread_inward(torch.cat(classes).reshape(SSCBENCH.shape) * occupied, occupied).float()

    def kernel(folded: Tensor) -> Tensor:
        field = replace(made, folded=folded)
        density = voxelise(field, SSCBENCH, grid_to_cam, chunk=chunk)[0]
        return method.voxel_classes(field, density, SSCBENCH, grid_to_cam[0]).float()

    yield Case("completion of 256x256x32 cells, from the finished map", (made.folded,), False, eager, kernel, asked=5)


def _weights(alpha: Tensor) -> Tensor:
    through = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-7], dim=1), dim=1)
    return alpha * through[:, :-1]


def _grid_sample(maps: Tensor, place: Tensor, extent: Tensor) -> Tensor:
    grid = (2 * place / extent - 1).expand(len(maps), *place.shape[1:])
    return functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)


CASES = (composites, sections, sweeps, looks, gathers, marches, hashes, completions)
