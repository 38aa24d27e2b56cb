"""check_heads.py - heads beside the weights: what torch.load reads of what `cocktail mix` writes.

The values are those of torch's own average in double, rounded once; sentence-transformers loads a
folder whose Dense module was mixed.
"""

import random
import shutil
import zipfile

import torch
from harness import DTYPES, case, case_for, cocktail_json, expect_same_tensors, family, mix, run, scratch

NAMES = ["colbert_linear.pt", "sparse_linear.pt"]


def models(heads):
    """Copies of two encoders, each with these files beside its weights: {name: [state dict, …]}."""
    folders = []
    for i, source in enumerate(family("encoder", 2)):
        folder = scratch() / f"model-{i}"
        shutil.copytree(source, folder)
        for name, states in heads.items():
            torch.save(states[i], folder / name)
        folders.append(folder)
    return folders


def average(states, weights):
    """Of floating-point tensors; others as the first has them."""
    result = {}
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            total = torch.zeros(tensor.shape, dtype=torch.float64)
            for state, weight in zip(states, weights):
                total += weight * state[name].double()
            tensor = total.to(tensor.dtype)
        result[name] = tensor
    return result


def expect_written(path, expected):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    for mmap in (False, True):
        got = torch.load(path, weights_only=True, mmap=mmap)
        expect_same_tensors(dict(got), expected)


@case_for([(name, dtype) for name in NAMES for dtype in DTYPES])
def a_linear_head_is_torchs_average(name, dtype):
    torch.manual_seed(7)
    n_out = 96 if name == NAMES[0] else 1
    states = [torch.nn.Linear(96, n_out).to(DTYPES[dtype]).state_dict() for _ in range(2)]
    weights = [0.375, 0.625]
    output = mix(models({name: states}), weights, "--pooling", "cls")
    expect_written(output / name, average(states, weights))
    torch.nn.Linear(96, n_out).load_state_dict(torch.load(output / name, weights_only=True))


@case_for(range(6))
def random_state_dicts_are_torchs_average(seed):
    generator = torch.Generator().manual_seed(seed)
    rng = random.Random(seed)
    dtypes = [*DTYPES.values(), torch.float8_e4m3fn, torch.float8_e5m2, torch.int64, torch.int32, torch.int16,
              torch.int8, torch.uint8, torch.bool, torch.uint16, torch.uint32]
    states = [{}, {}]
    for i in range(40):
        dtype = rng.choice(dtypes)
        shape = rng.choice([(), (0,), (3,), (300,), (2, 5), (4, 0, 2), (1, 70000), (1, 1, 7), (33, 70)])
        for state in states:
            values = torch.randn(shape, generator=generator) * 3
            state[f"layer.{i}.\u00fc"] = values > 0 if dtype == torch.bool else \
                values.to(dtype) if dtype.is_floating_point else values.abs().to(dtype)
    output = mix(models({"own_head.pth": states}), [0.5, 0.5], "--pooling", "cls")
    expect_written(output / "own_head.pth", average(states, [0.5, 0.5]))
    n_bytes = sum(t.numel() * t.element_size() for t in states[0].values())
    found = [t for t in cocktail_json("inspect", output, "--tensors")["tensors"] if t["file"] == "own_head.pth"]
    assert len(found) == 40 and sum(t["size_bytes"] for t in found) == n_bytes
    return f"{n_bytes} bytes"


@case
def a_mixed_dense_module_is_loaded_by_sentence_transformers():
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Pooling, Transformer

    folders = []
    for i, source in enumerate(family("encoder", 2)):
        torch.manual_seed(i)
        transformer = Transformer(str(source))
        dense = Dense(96, 32)
        folders.append(scratch() / f"model-{i}")
        SentenceTransformer(modules=[transformer, Pooling(96, "mean"), dense], device="cpu").save(str(folders[-1]))
    denses = [SentenceTransformer(str(folder), device="cpu")[2].state_dict() for folder in folders]
    mixed = SentenceTransformer(str(mix(folders, [0.25, 0.75])), device="cpu")
    expect_same_tensors(dict(mixed[2].state_dict()), average(denses, [0.25, 0.75]))
    differs = cocktail_json("diff", *folders, "--tensors")
    assert {"2_Dense/linear.weight", "2_Dense/linear.bias"} <= {t["name"] for t in differs["tensors"]}
    parameters = sum(p.numel() for p in mixed.parameters())
    assert cocktail_json("inspect", scratch() / "mixed")["parameters"] == parameters


run()
