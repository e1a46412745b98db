from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from scene3d.config import Config, apply_overrides, differing_keys, dump, load_yaml, parse, to_yaml
from scene3d.errors import ConfigError


class Net(Config):
    kind: Literal["net"] = "net"
    width: int = Field(default=8, ge=1)
    weights: Path | None = None


class Table(Config):
    kind: Literal["table"] = "table"
    rows: tuple[Path, ...] = ()
    labels: dict[str, str] = {}


class View(Config):
    sensor: str
    offset: int | tuple[int, int] = 0


class Train(Config):
    steps: int = 10
    rate: float = 0.1
    precision: Literal["fp32", "bf16"] = "fp32"


class Everything(Config):
    method: Annotated[Net | Table, Field(discriminator="kind")]
    train: Train = Train()
    views: tuple[View, ...] = ()


def read(folder: Path, text: str, *overrides: str) -> Everything:
    file = folder / "recipe.yaml"
    file.write_text(text)
    return parse(Everything, apply_overrides(load_yaml(file), overrides), file)


def complaint(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, *overrides)
    return str(caught.value)


def test_what_the_file_leaves_out_is_default(tmp_path):
    assert read(tmp_path, "method: {kind: net}") == Everything(method=Net())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: {kind: net, widht: 3}", "method.widht: unknown key; did you mean 'width'?"),
        ("method: {kind: net}\ntrain: {stesp: 3}", "train.stesp: unknown key; did you mean 'steps'?"),
        ("metod: {kind: net}", "metod: unknown key; did you mean 'method'?"),
        (
            "method: {kind: nets}",
            "method.kind: expected one of net, table, got 'nets'; did you mean 'net'?",
        ),
        ("method: {width: 3}", "method.kind: expected one of net, table, got none"),
        ("method: {kind: net, width: wide}", "method.width: expected an integer, got 'wide'"),
        (
            "method: {kind: net, width: 0}",
            "method.width: expected greater than or equal to 1, got 0",
        ),
        ("method: {kind: net, width: true}", "method.width: expected a number, got true"),
        ("method: 3", "method: expected a mapping, got 3"),
        ("method: {kind: net}\nviews: [{offset: 1}]", "views.0.sensor: expected a value, got none"),
        (
            "method: {kind: net}\nviews: [{sensor: left, offset: far}]",
            "views.0.offset: expected an integer or a list, got 'far'",
        ),
        (
            "method: {kind: net}\ntrain: {precision: fp31}",
            "train.precision: expected 'fp32' or 'bf16', got 'fp31'; did you mean 'fp32'?",
        ),
        ("method: {kind: table, labels: {a: 7}}", "method.labels.a: expected a string"),
    ],
)
def test_a_mistake_names_file_key_and_the_nearest_known_name(tmp_path, text, said):
    assert f"{tmp_path / 'recipe.yaml'}: {said}" in complaint(tmp_path, text)


def test_each_mistake_has_a_line_of_its_own(tmp_path):
    lines = complaint(tmp_path, "method: {kind: net, width: x}\ntrain: {stesp: 1, rate: y}").splitlines()
    assert len(lines) == 3
    assert all(line.startswith(str(tmp_path / "recipe.yaml")) for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!python/object/apply:os.system [ls]", "got the tag"),
        ("a: !mine 3", "got the tag !mine"),
        ("a: &x [1]\nb: *x", "got the alias *x"),
        ("a: 1\na: 2", "the key 'a' twice"),
        ("a: {b: 1, b: 2}", "the key 'b' twice"),
        ("1: 2", "a key that is not a string"),
        ("[1, 2", "expected YAML"),
        ("[1, 2]", "expected a mapping of keys to values, got a list"),
        ("a: " + "[" * 40 + "]" * 40, "at most 32 levels"),
        ("", "got nothing"),
    ],
)
def test_yaml_that_is_not_plain_is_refused_in_words(tmp_path, text, said):
    assert said in complaint(tmp_path, text)


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path):
    levels = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "alias" in complaint(tmp_path, "\n".join(levels))


def test_files_that_are_no_recipe_are_refused_in_words(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long.yaml").write_text("a: " + "x" * 1_000_000)
    for name, said in [("binary", "UTF-8"), ("long", "at most 1000000 bytes"), ("absent", "no such file")]:
        with pytest.raises(ConfigError, match=said):
            load_yaml(tmp_path / f"{name}.yaml")


def test_scalars_are_those_of_yaml_1_2(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1e-4\nb: on\nc: 07\nd: 2011-09-26\ne: true\nf: -3\ng: 2011_09_26\nh:\n")
    expected = {"a": 1e-4, "b": "on", "c": "07", "d": "2011-09-26", "e": True, "f": -3, "g": "2011_09_26", "h": None}
    assert load_yaml(tmp_path / "a.yaml") == expected


def test_a_child_merges_mappings_and_replaces_lists(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "parent.yaml").write_text(
        "method: {kind: net, width: 3, weights: w.st}\ntrain: {steps: 5, rate: 0.5}\n"
        "views: [{sensor: left}, {sensor: right}]"
    )
    made = read(tmp_path, "extends: base/parent.yaml\ntrain: {steps: 7}\nviews: [{sensor: back}]")
    assert made.train == Train(steps=7, rate=0.5)
    assert [view.sensor for view in made.views] == ["back"]
    # A path of the parent's starts where the parent lies.
    assert made.method == Net(width=3, weights=tmp_path / "base" / "w.st")


def test_another_kind_starts_from_nothing(tmp_path):
    (tmp_path / "parent.yaml").write_text("method: {kind: net, width: 3}")
    assert read(tmp_path, "extends: parent.yaml\nmethod: {kind: table}").method == Table()


def test_extending_oneself_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml")
    (tmp_path / "b.yaml").write_text("extends: a.yaml")
    with pytest.raises(ConfigError, match="extends itself"):
        load_yaml(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="extends: expected the path of one parent"):
        read(tmp_path, "extends: [a.yaml, b.yaml]")


def test_overrides_win_and_are_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = read(
        tmp_path,
        "method: {kind: net}\nviews: [{sensor: left}]",
        *("train.steps=100", "train.rate=1e-3", "views.0.offset=[1, 2]", "method.weights=a/b"),
    )
    assert made.train == Train(steps=100, rate=1e-3)
    assert made.views == (View(sensor="left", offset=(1, 2)),)
    # On the command line a path starts in the current folder.
    assert made.method == Net(weights=tmp_path / "a" / "b")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.steps", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("train.steps.more=3", "train.steps: expected a mapping, got 5"),
        ("views.4.sensor=x", "views: expected a mapping, got a list"),
        ("train.stesp=3", "did you mean 'steps'?"),
        ("train.steps=!!int 3", "tag"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path, override, said):
    assert said in complaint(tmp_path, "method: {kind: net}\ntrain: {steps: 5}\nviews: []", override)


def test_overriding_leaves_the_tree_as_it_was():
    tree = {"a": {"b": [1]}}
    assert apply_overrides(tree, ["a.b.0=2"]) == {"a": {"b": [2]}}
    assert tree == {"a": {"b": [1]}}


def test_what_is_dumped_loads_back_equal(tmp_path):
    made = Everything(
        method=Table(rows=(tmp_path / "a", tmp_path / "b"), labels={"x": "on", "y": "1e-4", "z": "07", "w": ""}),
        train=Train(rate=1e-7),
        views=(View(sensor="left", offset=(1, 2)),),
    )
    assert read(tmp_path, to_yaml(dump(made))) == made


def test_a_dump_without_places_does_not_tell_folders(tmp_path):
    tree = dump(Everything(method=Net(weights=tmp_path / "secret" / "w.st")), places=False)
    assert tree["method"]["weights"] == "w.st"


def test_differences_name_both_values():
    left, right = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}}
    assert differing_keys(left, right) == ["a.c: 2 != 4", "d: 3 != None"]
    assert differing_keys(left, left) == []


def test_a_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Train().steps = 3
