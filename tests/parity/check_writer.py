"""check_writer.py - the files that `cocktail mix` writes against those of the reference writers.

model.safetensors byte by byte as safetensors.torch.save_file writes the same tensors; the split
into shards as huggingface_hub's split_torch_state_dict_into_shards makes it of the same tensors in
the same order; the index as transformers writes it.
"""

import json
import random

import torch
from harness import (DTYPES, case, case_for, expect_same_tensors, family, mix, run, scratch, tensors_of,
                     weights_files, write_tensors)
from safetensors import safe_open
from safetensors.torch import load_file, save_file

MODELS = ["decoder", "encoder", "reranker"]


def expect_reference_bytes(path):
    """The file is what save_file makes of its own tensors."""
    reference = scratch() / "reference.safetensors"
    save_file(load_file(path), reference, metadata={"format": "pt"})
    assert path.read_bytes() == reference.read_bytes(), f"{path.name} differs from save_file's"


def mix_files(tensors, *options, second=None):
    """Mixes two models that are a single file each, with half the weight each."""
    for name, content in (("a", tensors), ("b", second or tensors)):
        (scratch() / name).mkdir()
        write_tensors(scratch() / name, content)
    files = [scratch() / name / "model.safetensors" for name in "ab"]
    return mix(files, [0.5, 0.5], *options)


def random_tensors(seed, n):
    """Tensors of all dtypes that both sides know, with names that sort in interesting ways."""
    generator = torch.Generator().manual_seed(seed)
    rng = random.Random(seed)
    floats = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
    small = [torch.float8_e4m3fn, torch.float8_e5m2]
    whole = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.uint16,
             torch.uint32, torch.uint64]
    names = ["a", "A", "a.1", "a.10", "a.2", "Z", "_", "b\u00fc", "\u6a21\u578b", "a-b", "\"q\"", "back\\slash",
             "x" * 200, "z.\U0001f378"]
    tensors = {}
    for i in range(n):
        dtype = rng.choice(floats * 2 + small + whole)
        shape = rng.choice([(), (0,), (3,), (2, 5), (4, 0, 2), (1, 1, 7), (129,), (16, 33)])
        values = torch.randn(shape, generator=generator) * 3
        name = f"{rng.choice(names)}.{i}" if i >= len(names) else names[i]
        if dtype == torch.bool:
            tensors[name] = values > 0
        else:
            tensors[name] = (values.abs() if dtype in whole else values).to(dtype)
    return tensors


@case_for([(kind, dtype) for kind in MODELS for dtype in (None, "f32", "f16", "bf16")])
def one_file_is_the_reference_writers(kind, dtype):
    output = mix(family(kind, 2), [0.25, 0.75], *(["--dtype", dtype] if dtype else []))
    expect_reference_bytes(output / "model.safetensors")


@case_for(range(8))
def random_tensors_come_out_in_the_reference_layout(seed):
    tensors = random_tensors(seed, 60)
    output = mix_files(tensors)
    path = output / "model.safetensors"
    expect_reference_bytes(path)
    got = load_file(path)
    expect_same_tensors(got, tensors)  # half of a value, twice: exact
    return f"{len(tensors)} tensors"


@case_for(range(3))
def the_metadata_says_pt(seed):
    path = mix_files(random_tensors(seed, 5)) / "model.safetensors"
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()


def reference_split(tensors, size):
    from huggingface_hub import split_torch_state_dict_into_shards

    return split_torch_state_dict_into_shards(tensors, max_shard_size=size)


def expect_reference_shards(output, size):
    """The output is split as huggingface_hub splits the same tensors in our order, which is the one
    they have in a single file. Returns the number of shards."""
    files = weights_files(output)
    tensors = tensors_of(output)
    whole = scratch() / "whole.safetensors"
    save_file(tensors, whole, metadata={"format": "pt"})
    with safe_open(whole, "pt") as file:
        ordered = {name: tensors[name] for name in file.offset_keys()}
    split = reference_split(ordered, size)
    index_path = output / "model.safetensors.index.json"
    assert sorted(path.name for path in output.glob("*.safetensors")) == sorted(split.filename_to_tensors)
    for path in files:
        expect_reference_bytes(path)
    if not split.is_sharded:
        assert not index_path.exists()
        return 1
    n_parameters = sum(t.numel() for t in tensors.values())
    total_size = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_parameters": n_parameters, "total_size": total_size},
             "weight_map": split.tensor_to_filename}
    expected = json.dumps(index, indent=2, sort_keys=True) + "\n"  # as transformers writes it
    assert index_path.read_text() == expected, "the index differs"
    assert split.metadata["total_size"] == total_size
    return len(files)


@case_for([(kind, size) for kind in MODELS for size in ("100KB", "333KB", "500KB", "1MB", "5GB")])
def shards_are_the_reference_split(kind, size):
    output = mix(family(kind, 2), [0.5, 0.5], "--shard-size", size)
    return f"{expect_reference_shards(output, size)} shards"


@case_for(range(6))
def random_sizes_are_split_alike(seed):
    rng = random.Random(seed)
    sizes = [rng.choice([1, 10, 100, 1000, 2500, 2501, 5000]) for _ in range(40)]
    tensors = {f"t.{i}": torch.full((size,), float(i)) for i, size in enumerate(sizes)}
    return f"{expect_reference_shards(mix_files(tensors, '--shard-size', '10KB'), '10KB')} shards"


@case
def the_index_is_what_save_pretrained_writes():
    """Line by line, but for the file names: it splits another order of the tensors."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=2, tie_word_embeddings=False)
    model = LlamaForCausalLM(config)
    for name in "ab":
        model.save_pretrained(scratch() / name, max_shard_size="9KB")
    output = mix([scratch() / "a", scratch() / "b"], [0.5, 0.5], "--shard-size", "9KB")
    texts = [(path / "model.safetensors.index.json").read_text() for path in (scratch() / "a", output)]
    theirs, ours = map(json.loads, texts)
    assert ours["metadata"] == theirs["metadata"], (ours["metadata"], theirs["metadata"])
    assert ours["weight_map"].keys() == theirs["weight_map"].keys()
    lines = [text.splitlines() for text in texts]
    assert len(lines[0]) == len(lines[1])
    for line, other in zip(*lines):
        assert line.split('": "model-')[0] == other.split('": "model-')[0], (line, other)


@case_for([("f32", None), ("bf16", None), ("f32", "f16")])
def mixing_with_itself_gives_the_same_file(stored, dtype):
    torch.manual_seed(5)
    tensors = {f"w.{i}": torch.randn(100, 7).to(DTYPES[stored]) for i in range(5)}
    output = mix_files(tensors, *(["--dtype", dtype] if dtype else []))
    expected = {name: t.to(DTYPES[dtype or stored]) for name, t in tensors.items()}
    write_tensors(scratch(), expected)
    assert (output / "model.safetensors").read_bytes() == (scratch() / "model.safetensors").read_bytes()


run()
