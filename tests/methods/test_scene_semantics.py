import pytest
import torch

from scene3d.errors import ConfigError
from scene3d.fusion.refinement import RefinementConfig
from scene3d.methods import Method
from scene3d.methods.distillation import TeacherConfig
from scene3d.methods.scene_completion import SceneCompletionConfig
from scene3d.methods.scene_semantics import BallConfig, SceneSemanticsConfig
from scene3d.nn.cluster_probe import ClusterProbeConfig
from scene3d.nn.image_encoder import UNetEncoderConfig
from scene3d.nn.labeller import Labeller
from scene3d.nn.mean_field import MeanFieldConfig
from scene3d.nn.resnet import SmallResNetConfig
from scene3d.nn.vit import ViTEncoderConfig, ViTFeaturesConfig
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, IGNORE
from scene3d.volume.views import draw_view

pytest.importorskip("transformers", reason="the teacher of these tests is a ViT, which transformers reads")

BALLS = BallConfig(rays=64, count=3, points=8, tries=2, density=0.0)


@pytest.fixture(scope="module")
def completion(tmp_path_factory):
    """A tiny field with a random teacher of 16 channels."""
    folder = tmp_path_factory.mktemp("teacher")
    random = ViTEncoderConfig(weights="random", width=16, depth=1, heads=2, patch=8, layers=(0, 0, 0)).build()
    random.network.save_pretrained(folder)
    encoder = UNetEncoderConfig(pyramid=SmallResNetConfig(widths=(8, 8, 16, 16, 16)), widths=(8, 8, 8, 8), channels=8)
    teacher = TeacherConfig(extractor=ViTFeaturesConfig(kind="dino", weights=str(folder)), channels=4, hidden=8)
    return SceneCompletionConfig(encoder=encoder, hidden=8, samples=8, teacher=teacher, chunk=2**14)


def _frames(batch=2, views=3):
    K = torch.tensor([[40.0, 0, 32], [0, 40, 16], [0, 0, 1]]).expand(batch, views, 3, 3).clone()
    velodyne_to_cam = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    return Frames(
        image=torch.rand(batch, views, 3, 32, 64),
        K=K,
        present=torch.ones(batch, views, dtype=torch.bool),
        cam_to_world=torch.eye(4).expand(batch, views, 4, 4).clone(),
        grid_to_cam=velodyne_to_cam.expand(batch, 4, 4).clone(),
    )


def _method(completion, **settings):
    torch.manual_seed(0)
    return SceneSemanticsConfig(
        completion=completion, **{"codes": 8, "balls": BALLS, "bank": 12, "clusters": 5, "refit": 3, **settings}
    ).build()


def test_it_is_a_method_that_trains_its_head_alone(completion):
    method = _method(completion).train()
    assert isinstance(method, Method)
    assert not method.completion.training
    (group,) = method.parameter_groups()
    assert {id(p) for p in group["params"]} == {id(p) for p in method.parameters() if p.requires_grad}
    for step in range(2):
        method.zero_grad()
        method.training_step(_frames(), step).total().backward()
    assert all(p.grad is not None and p.grad.any() for p in method.head.parameters())


def test_the_first_step_has_no_others_to_compare_with_and_the_second_has(completion):
    method = _method(completion)
    first = method.training_step(_frames(), 0)
    assert set(first.terms) == {"same", "neighbour", "random"}
    assert first.terms["neighbour"] == 0
    assert first.terms["random"] == 0
    assert method.bank.filled == 6
    second = method.training_step(_frames(), 1)
    assert second.terms["neighbour"] != 0
    assert second.terms["random"] != 0


def test_views_without_a_full_ball_do_no_harm(completion):
    frames = _frames(batch=3)
    valid = torch.ones(3, 3, 32, 64, dtype=torch.bool)
    valid[1] = False
    frames = Frames(**{**vars(frames), "valid": valid})
    method = _method(completion)
    terms = method.training_step(frames, 0)
    # Two of three snippets have balls, all of them full.
    torch.testing.assert_close(terms.observed["full_balls"], torch.tensor(2 / 3))


def test_an_empty_field_costs_nothing_and_has_a_gradient_of_zero(completion):
    method = _method(completion, balls=BALLS.model_copy(update={"density": 1e9}))
    terms = method.training_step(_frames(), 0)
    assert terms.observed["full_balls"] == 0
    terms.total().backward()
    assert terms.total() == 0
    assert not any(p.grad.any() for p in method.head.parameters())


def test_half_of_the_views_are_the_reference_and_absent_ones_are_never_chosen():
    frames = _frames(batch=400, views=3)
    index = torch.arange(3.0)[None, :, None, None, None].expand_as(frames.image)
    present = torch.tensor([[True, False, True]]).expand(400, 3).clone()
    present[300:, 2] = False
    image, K, mask = draw_view(Frames(image=index.clone(), K=frames.K, present=present))
    chosen = image[:, 0, 0, 0]
    assert K.shape == (400, 3, 3)
    assert mask.all()
    assert (chosen[300:] == 0).all()
    assert set(chosen[:300].tolist()) == {0.0, 2.0}
    assert 100 < (chosen[:300] == 0).sum() < 200


def test_clusters_are_found_on_the_way_and_a_new_search_forgets_the_names(completion):
    method = _method(completion)
    for step in range(3):
        assert not method.centres.any()
        method.training_step(_frames(), step)
    torch.testing.assert_close(method.centres.norm(dim=1), torch.ones(5))
    method.name_clusters(torch.tensor([0, 1, 2, 8, IGNORE]))
    method.fit_clusters([_frames(), _frames(batch=1)])
    assert (method.cluster_to_class == IGNORE).all()


def test_without_names_there_are_no_classes(completion):
    prediction = _method(completion).eval().predict(_frames(batch=1))
    assert prediction.classes is None
    assert prediction.labels is None


def test_names_turn_clusters_into_labels_and_classes_of_occupied_cells(completion):
    method = _method(completion).eval()
    method.fit_clusters([_frames()])
    frames = _frames(batch=1)
    # Road, building, sky, car, car: two clusters share a class.
    names = torch.tensor([CITYSCAPES.index(name) for name in ("road", "building", "sky", "car", "car")])
    method.name_clusters(names)
    method.completion.threshold.fill_(0.69)
    prediction = method.predict(frames)
    assert torch.equal(prediction.labels, names[method.clusters_of_pixels(frames)])
    occupied = prediction.density >= prediction.threshold
    assert occupied.any()
    assert not occupied.all()
    assert (prediction.classes[~occupied] == 0).all()
    # Road is 7 in voxels, building 9, car 1; what looks like sky is empty.
    assert set(prediction.classes[occupied].unique().tolist()) <= {0, 1, 7, 9}
    assert prediction.classes[occupied].any()


def test_prediction_is_the_same_each_time(completion):
    method = _method(completion)
    method.fit_clusters([_frames()])
    method.eval().name_clusters(torch.arange(5))
    frames = _frames(batch=1)
    assert torch.equal(method.predict(frames).labels, method.predict(frames).labels)


@pytest.mark.parametrize("names", [[0, 1], [0, 1, 2, 3, 19], [-1, 0, 0, 0, 0]])
def test_names_that_do_not_fit_are_refused(names, completion):
    with pytest.raises(ValueError, match="classes: expected"):
        _method(completion).name_clusters(torch.tensor(names))


def test_a_field_without_features_is_refused():
    with pytest.raises(ConfigError, match="completion.teacher"):
        SceneSemanticsConfig(completion=SceneCompletionConfig()).build()


def test_a_saved_method_goes_on_as_if_it_never_stopped(completion):
    method, other = _method(completion), _method(completion)
    method.training_step(_frames(), 0)
    other.load_state_dict(method.state_dict())
    frames = _frames()
    totals = []
    for each in (method, other):
        torch.manual_seed(5)
        totals.append(each.training_step(frames, 1).total())
    assert torch.equal(*totals)


def test_labels_are_never_looked_at_in_training(completion):
    frames = _frames()
    labels = torch.randint(19, (2, 3, 32, 64))
    totals = []
    for each in (frames, Frames(**{**vars(frames), "labels": labels})):
        method = _method(completion)
        torch.manual_seed(5)
        totals.append([method.training_step(each, step).total().detach() for step in range(3)])
    assert totals[0] == totals[1]


def test_others_may_read_the_same_features(completion):
    method = _method(completion).eval()
    method.fit_clusters([_frames()])
    frames = _frames(batch=2)
    method.completion.threshold.fill_(0.69)
    nameless = method.predict(frames)
    assert nameless.classes is None
    road = Labeller(lambda features: method.expand(features)[:, :2], torch.tensor([0, 0]))
    field = method.encode(frames.image[:, 0], frames.K[:, 0])
    told = method.relabel(nameless, field, frames, road)
    assert (told.labels == 0).all()
    occupied = nameless.density >= nameless.threshold
    assert torch.equal(told.classes, torch.where(occupied, 7, 0))
    # It said so of this prediction alone.
    assert method.predict(frames).classes is None
    assert method.relabel(nameless, field, frames) is nameless


def test_features_of_the_field_are_the_same_however_they_are_asked_for(completion):
    method, frames = _method(completion).eval(), _frames(batch=2)
    pixels = method.features_of_pixels(frames)
    torch.testing.assert_close(pixels.movedim(-1, 1), method.predict(frames).features)
    field, points = method.encode(frames.image[:, 0], frames.K[:, 0]), torch.rand(2, 5, 3) + 3
    torch.testing.assert_close(method.features_at(frames, points), field(points).features)
    assert method.expand(pixels).shape[-1] == 16
    # Three balls a view of eight points each, if all are full, and eight pixels.
    assert method.draw_features([frames]).shape == (2 * 4 * 8, 4)


def test_a_config_that_smooths_does_so_in_every_prediction(completion):
    plain, frames = _method(completion).eval(), _frames(batch=1)
    plain.fit_clusters([_frames()])
    plain.name_clusters(torch.arange(5))
    plain.completion.threshold.fill_(0.69)
    refine = RefinementConfig(smoothing=3, crf=MeanFieldConfig(reach=3, rounds=2))
    smooth = _method(completion, refine=refine).eval()
    smooth.load_state_dict(plain.state_dict())
    field = plain.encode(frames.image[:, 0], frames.K[:, 0])
    expected = plain.relabel(plain.complete(field, frames), field, frames, refine=refine)
    found = smooth.predict(frames)
    assert torch.equal(found.classes, expected.classes)
    assert torch.equal(found.labels, expected.labels)
    assert not torch.equal(found.classes, plain.predict(frames).classes)
    # Smoothing moves no surface: what is empty stays so.
    assert not found.classes[found.density < found.threshold].any()


def test_the_head_starts_from_whitened_features_and_only_then_learns(completion):
    method, frames = _method(completion, whiten=8, codes=8), _frames()
    method.prepare([frames, _frames()])
    features = method.draw_features([frames])
    given = method.whitening(method.expand(features))
    assert given.shape == (len(features), 8)
    torch.testing.assert_close(
        method.head.eval()(given), torch.nn.functional.normalize(given, dim=-1), atol=1e-5, rtol=1e-5
    )
    method.train()
    for step in range(2):
        method.training_step(frames, step).total().backward()
    assert method.head.linear.weight.grad.any()
    other = _method(completion, whiten=8, codes=8)
    other.load_state_dict(method.state_dict())
    torch.testing.assert_close(other.whitening.directions, method.whitening.directions)
    # Without it, there is nothing to measure.
    plain = _method(completion)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    plain.prepare([frames])
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


def test_clusters_learned_by_gradient_leave_the_head_alone_and_learn_at_a_rate_of_their_own(completion):
    plain, probed = _method(completion), _method(completion, clustering=ClusterProbeConfig(rate=7.0))
    probed.load_state_dict(plain.state_dict() | {"probe.raw": torch.randn(5, 8)})
    frames = _frames()
    losses = []
    for method in (plain, probed):
        torch.manual_seed(1)
        losses.append(method.train().training_step(frames, 0))
        losses[-1].total().backward()
    assert set(losses[1].terms) - set(losses[0].terms) == {"clusters"}
    for mine, other in zip(plain.head.parameters(), probed.head.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    head, probe = probed.parameter_groups()
    assert (head["scale"], probe["scale"]) == (1.0, 7.0)
    assert probe["params"][0].grad.any()


def test_learned_clusters_are_taken_at_the_end_without_names_and_name_pixels_like_others(completion):
    method = _method(completion, clustering=ClusterProbeConfig())
    assert method.probe is not None
    method.name_clusters(torch.arange(5))
    method.fit_clusters([])
    torch.testing.assert_close(method.centres, method.probe.centres.detach())
    assert not method.labeller.named
    method.name_clusters(torch.tensor([0, 2, 8, 10, 13]))
    prediction = method.eval().predict(_frames())
    assert prediction.labels is not None and set(prediction.labels.unique().tolist()) <= {0, 2, 8, 10, 13}


def test_learned_clusters_go_on_as_if_they_never_stopped(completion):
    def run(method, optimiser, steps):
        for step in steps:
            torch.manual_seed(step)
            optimiser.zero_grad()
            method.training_step(_frames(), step).total().backward()
            optimiser.step()

    def made():
        method = _method(completion, clustering=ClusterProbeConfig()).train()
        return method, torch.optim.Adam(method.parameter_groups(), lr=1e-2)

    whole, stopped, resumed = made(), made(), made()
    run(*whole, range(4))
    run(*stopped, range(2))
    for fresh, old in zip(resumed, stopped, strict=True):
        fresh.load_state_dict(old.state_dict())
    run(*resumed, range(2, 4))
    for one, other in zip(whole[0].state_dict().values(), resumed[0].state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(whole[0].probe.raw, stopped[0].probe.raw)
