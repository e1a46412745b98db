import torch

from scene3d.nn.feature_codec import FeatureExpansion, PatchDownsampler


def test_the_weights_of_a_patch_are_positive_and_sum_to_one():
    down = PatchDownsampler(5, patch=4)
    weights = down.weights(10 * torch.randn(3, 7, 4, 4, 5))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=(-2, -1)), torch.ones(3, 7))


def test_a_patch_of_one_feature_is_that_feature():
    down = PatchDownsampler(5, patch=4)
    feature = torch.randn(2, 5)
    torch.testing.assert_close(down(feature[:, None, None].expand(2, 4, 4, 5)), feature)


def test_without_salience_the_patch_is_its_mean():
    down = PatchDownsampler(3, patch=2)
    torch.nn.init.zeros_(down.salience.weight)
    torch.nn.init.zeros_(down.salience.bias)
    torch.nn.init.zeros_(down.offset)
    pixels = torch.randn(6, 2, 2, 3)
    torch.testing.assert_close(down(pixels), pixels.mean(dim=(1, 2)))


def test_a_salient_pixel_stands_for_its_patch():
    down = PatchDownsampler(2, patch=2)
    with torch.no_grad():
        down.salience.weight.copy_(torch.tensor([[50.0, 0.0]]))
    pixels = torch.tensor([[[0.0, 1.0], [0.0, 2.0]], [[1.0, 3.0], [0.0, 4.0]]])
    torch.testing.assert_close(down(pixels), torch.tensor([1.0, 3.0]), atol=1e-6, rtol=0)


def test_an_image_is_cut_into_patches_row_by_row():
    down = PatchDownsampler(3, patch=2)
    image = torch.randn(1, 3, 4, 6)
    small = down.image(image)
    assert small.shape == (1, 3, 2, 3)
    torch.testing.assert_close(small[0, :, 1, 2], down(image[0, :, 2:4, 4:6].permute(1, 2, 0)))


def test_expansion_gives_unit_vectors_of_the_teacher_s_size():
    expand = FeatureExpansion(4, 20, hidden=8)
    expanded = expand(torch.randn(2, 5, 4))
    assert expanded.shape == (2, 5, 20)
    torch.testing.assert_close(expanded.norm(dim=-1), torch.ones(2, 5))


def test_expansion_and_downsampling_learn_a_teacher_of_patches():
    # Patches of six kinds, each with its own feature of the teacher.
    colours = torch.randn(6, 12)
    expand, down = FeatureExpansion(6, 12, hidden=32), PatchDownsampler(12, patch=4)
    optimiser = torch.optim.Adam([*expand.parameters(), *down.parameters()], lr=1e-2)
    for _ in range(150):
        kinds = torch.randint(6, (32,))
        pixels = torch.nn.functional.one_hot(kinds, 6).float()[:, None, None].expand(32, 4, 4, 6)
        loss = 1 - torch.cosine_similarity(down(expand(pixels)), colours[kinds], dim=-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05
