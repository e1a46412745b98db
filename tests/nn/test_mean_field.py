from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from scene3d.nn.mean_field import MeanFieldConfig, mean_field


def _slowly(probabilities, image, config):
    """Algorithm 1 over all pairs, written as the paper writes it."""
    classes, height, width = probabilities.shape
    places = [(y, x) for y in range(height) for x in range(width)]

    def kernels(i, j):
        squared = (i[0] - j[0]) ** 2 + (i[1] - j[1]) ** 2
        colours = float((image[:, i[0], i[1]] - image[:, j[0], j[1]]).square().sum())
        appearance = math.exp(-squared / (2 * config.place**2) - colours / (2 * config.colour**2))
        return appearance, math.exp(-squared / (2 * config.near**2))

    totals = {i: [sum(kernels(i, j)[m] for j in places) for m in (0, 1)] for i in places}
    believed = probabilities.clone()
    for _ in range(config.rounds):
        update = torch.zeros_like(believed)
        for i in places:
            for label in range(classes):
                cost = 0.0
                for m, weight in enumerate((config.appearance, config.smoothness)):
                    for j in places:
                        if j != i:
                            k = kernels(i, j)[m] / math.sqrt(totals[i][m] * totals[j][m])
                            cost += weight * k * float(1 - believed[label, j[0], j[1]])
                update[label, i[0], i[1]] = probabilities[label, i[0], i[1]] * math.exp(-cost)
        believed = update / update.sum(dim=0)
    return believed


def test_it_is_the_algorithm_of_the_paper_where_all_pixels_are_within_reach():
    torch.manual_seed(0)
    image = torch.rand(3, 3, 4, dtype=torch.float64)
    probabilities = torch.softmax(torch.randn(3, 3, 4, dtype=torch.float64), dim=0)
    config = MeanFieldConfig(appearance=2.0, place=2.0, colour=0.5, smoothness=1.0, near=1.0, reach=4, rounds=3)
    torch.testing.assert_close(mean_field(probabilities, image, config), _slowly(probabilities, image, config))


def test_two_pixels_by_hand():
    # Two pixels of one colour, one apart, the kernel of place alone with deviation 1: k = exp(-1/2) = .6065, and both
    # normalisers are 1.6065, so each hears .6065 / 1.6065 * 2 = .7551 of the other. The first is sure of label 0
    # (.8), the second undecided, so one round gives the second e^(.7551 * .8) : e^(.7551 * .2).
    probabilities = torch.tensor([[[0.8, 0.5]], [[0.2, 0.5]]])
    config = MeanFieldConfig(appearance=0.0, smoothness=2.0, near=1.0, reach=1, rounds=1)
    found = mean_field(probabilities, torch.zeros(3, 1, 2), config)
    assert found[0, 0, 1].item() == pytest.approx(1 / (1 + math.exp(-0.7551 * 0.6)), abs=1e-4)
    # The undecided one says nothing to the first.
    assert found[0, 0, 0].item() == pytest.approx(0.8, abs=1e-4)


def test_noise_goes_and_the_edge_stays():
    # A picture of two colours, each with its label; a tenth of the pixels say the wrong one.
    torch.manual_seed(0)
    image = torch.zeros(3, 24, 32)
    image[:, :, 15:] = 1.0
    truth = (image[0] > 0.5).long()
    said = torch.where(torch.rand(24, 32) < 0.1, 1 - truth, truth)
    probabilities = 0.6 * torch.nn.functional.one_hot(said, 2).movedim(-1, 0) + 0.2
    found = mean_field(probabilities, image, MeanFieldConfig(smoothness=1.0)).argmax(dim=0)
    assert (said != truth).float().mean() > 0.05
    assert torch.equal(found, truth)


@pytest.mark.parametrize("weights", [{"appearance": 0.0, "smoothness": 0.0}])
def test_without_weights_nothing_changes(weights):
    probabilities = torch.softmax(torch.randn(3, 5, 6), dim=0)
    found = mean_field(probabilities, torch.rand(3, 5, 6), MeanFieldConfig(**weights))
    torch.testing.assert_close(found, probabilities)


def test_it_knows_neither_left_from_right_nor_one_label_from_another():
    torch.manual_seed(0)
    probabilities, image = torch.softmax(torch.randn(4, 6, 9), dim=0), torch.rand(3, 6, 9)
    config = MeanFieldConfig(reach=3, rounds=4)
    found = mean_field(probabilities, image, config)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(6, 9))
    torch.testing.assert_close(mean_field(probabilities.flip(-1), image.flip(-1), config), found.flip(-1))
    torch.testing.assert_close(mean_field(probabilities.flip(1), image.flip(1), config), found.flip(1))
    torch.testing.assert_close(mean_field(probabilities.flip(0), image, config), found.flip(0))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_pictures_smaller_than_the_reach(size):
    probabilities = torch.softmax(torch.randn(2, *size), dim=0)
    found = mean_field(probabilities, torch.rand(3, *size), MeanFieldConfig())
    assert found.shape == (2, *size)
    assert torch.isfinite(found).all()


def test_labels_agree_with_those_of_pydensecrf2():
    pydensecrf = pytest.importorskip(
        "pydensecrf.densecrf",
        reason="pydensecrf2, which wraps the authors' code, is not installed: pip install -e .[crf]",
    )
    torch.manual_seed(0)
    height, width = 20, 28
    image = torch.zeros(3, height, width)
    image[:, :, 12:] = 0.6
    image[0, 10:] += 0.3
    image = (image + 0.02 * torch.randn_like(image)).clamp(0, 1)
    truth = (torch.arange(width) >= 12).long() + 2 * (torch.arange(height)[:, None] >= 10).long()
    said = torch.where(torch.rand(height, width) < 0.15, torch.randint(4, (height, width)), truth)
    probabilities = 0.5 * torch.nn.functional.one_hot(said, 4).movedim(-1, 0) + 0.125
    config = MeanFieldConfig(place=10.0, colour=0.1, reach=28, rounds=10)
    theirs = pydensecrf.DenseCRF2D(width, height, 4)
    theirs.setUnaryEnergy((-probabilities.log()).reshape(4, -1).numpy().copy(order="C"))
    theirs.addPairwiseGaussian(sxy=config.near, compat=config.smoothness)
    pixels = (255 * image).round().byte().permute(1, 2, 0).contiguous().numpy()
    theirs.addPairwiseBilateral(sxy=config.place, srgb=255 * config.colour, rgbim=pixels, compat=config.appearance)
    labels = torch.from_numpy(np.array(theirs.inference(config.rounds))).reshape(4, height, width).argmax(dim=0)
    ours = mean_field(probabilities, image, config).argmax(dim=0)
    # Theirs is an approximation on a lattice, and hears itself.
    assert (ours == labels).float().mean() > 0.98
    assert (said == labels).float().mean() < 0.95
