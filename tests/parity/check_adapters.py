"""check_adapters.py - MODEL+ADAPTER is what PEFT's merge_and_unload makes of it, on fresh seeds."""

import os
import random

import harness
from harness import case_for, need, run, scratch

need("peft")

import adapter_cases  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))


def compare(found, expected, tolerance):
    assert sorted(found) == sorted(expected), sorted(set(found) ^ set(expected))[:5]
    worst = 0.0
    for name, tensor in expected.items():
        other = found[name]
        assert tensor.dtype == other.dtype and tensor.shape == other.shape, name
        if torch.equal(tensor, other):
            continue
        difference = ((tensor.double() - other.double()).abs().max() / tensor.double().abs().max()).item()
        worst = max(worst, difference)
        assert difference <= tolerance, f"{name}: {difference} (SEED={SEED})"
    return f"differs by {worst:.2g}" if worst else "the same bits"


@case_for(list(adapter_cases.CASES))
def merges_as_peft(name):
    kind, _, tolerance = adapter_cases.CASES[name]
    base, adapter = scratch() / "base", scratch() / "adapter"
    adapter_cases.make_base(kind, base, SEED)
    adapter_cases.make_adapter(name, base, adapter, SEED + 1)
    expected = adapter_cases.merged(name, base, adapter, scratch() / "merged")
    if name == "old-names":  # which today's PEFT cannot load
        adapter_cases.rename(adapter)
    harness.cocktail("mix", "-q", "--weights", "1", f"{base}+{adapter}", "-o", scratch() / "out")
    return compare(load_file(scratch() / "out" / "model.safetensors"), expected, tolerance)


run()
