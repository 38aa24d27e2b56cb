"""check_routers.py - `cocktail routers` and `eval --routers` against numpy (routers.py), with fresh weights and
texts for each of SEEDS ($COCKTAIL_PARITY_SEEDS, separated by commas).

Counts agree exactly: routers.py takes only texts whose choices do not hang on rounding. The program computes logits
in float32; what becomes of them agrees to TOLERANCE of 1, or of the value where that is larger.
"""

import csv
import io
import json
import os

from harness import FIXTURES, case_for, cocktail, cocktail_json, run, scratch

import routers

SEEDS = [int(seed) for seed in os.environ.get("COCKTAIL_PARITY_SEEDS", "101,102").split(",")]
MODELS = [*routers.MODELS, "olmoe-bf16", "mixtral-k1-bf16", "qwen3-moe-f16", "switch-transformers-bias-f16"]
TOLERANCE = 2e-5


def expect_same(got, wanted, where=""):
    if isinstance(wanted, dict):
        assert got.keys() == wanted.keys(), f"{where}: {sorted(got.keys() ^ wanted.keys())}"
        for name, value in wanted.items():
            expect_same(got[name], value, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert len(got) == len(wanted), where
        for i, value in enumerate(wanted):
            expect_same(got[i], value, f"{where}[{i}]")
    elif isinstance(wanted, int) or wanted is None:
        assert got == wanted, f"{where}: {got}, expected {wanted}"
    else:
        assert abs(got - wanted) <= TOLERANCE * max(1, abs(wanted)), f"{where}: {got}, expected {wanted}"


def make_case(model, seed, n_models):
    """Noisy copies of a model, examples, and what numpy makes of them; other seeds until it is clear."""
    for attempt in range(50):
        folders = [scratch() / f"{attempt}-{i}" for i in range(n_models)]
        for i, folder in enumerate(folders):
            routers.add_noise(FIXTURES / "models" / model, folder, 1000 * seed + 10 * attempt + min(i, 1), 0.2)
        examples = routers.make_examples(1000 * seed + attempt, 20)
        try:
            watched = [routers.watch(folder, examples) for folder in folders]
        except routers.Unclear:
            continue
        path = scratch() / "examples.jsonl"
        routers.write_examples(path, examples)
        return folders, path, watched
    raise AssertionError("no seed gives clear choices")


@case_for([(model, seed) for model in MODELS for seed in SEEDS])
def statistics_are_those_of_numpy(model, seed):
    (folder,), examples, (watched,) = make_case(model, seed, 1)
    wanted = routers.describe_model(watched)
    got = cocktail_json("routers", folder, "--examples", examples)
    assert got["n_examples"] == 20
    expect_same(got["models"][0]["routers"], wanted)
    expect_same(cocktail_json("eval", folder, "--examples", examples, "--routers")["routers"], wanted)


@case_for([(model, seed) for model in ("mixtral", "jetmoe-bf16", "switch-transformers-bf16") for seed in SEEDS])
def agreement_is_that_of_numpy(model, seed):
    folders, examples, watched = make_case(model, seed, 2)
    got = cocktail_json("routers", *folders, "--examples", examples)
    expect_same(got["agreement"], routers.describe_agreement(*watched))
    for model, routers_of in zip(got["models"], watched):
        expect_same(model["routers"], routers.describe_model(routers_of))


@case_for(SEEDS)
def csv_has_what_json_has(seed):
    (folder,), examples, _ = make_case("jetmoe-bf16", seed, 1)
    groups = cocktail_json("routers", folder, "--examples", examples)["models"][0]["routers"]
    rows = list(csv.DictReader(io.StringIO(cocktail("routers", folder, "--examples", examples, "--csv")[0])))
    layers = [(key, layer) for key, kind in groups.items() for layer in kind["layers"]]
    assert [f"{row['stack']}_{row['part']}" for row in rows] == [key for key, _ in layers]
    for row, (_, layer) in zip(rows, layers):
        for name, value in layer.items():
            if not isinstance(value, list):
                assert row[name] == ("" if value is None else row[name]) and (
                    value is None or float(row[name]) == value), name


run()
