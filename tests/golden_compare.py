"""golden_compare.py - models that were written against what mergekit has made of a config.

For scripts that run in a folder with models, cases/NAME.safetensors and the entries of cases.json, which
say how each case is compared.
"""
import json
import math
import os
import struct

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def read_tensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], data[entry["data_offsets"][0]:entry["data_offsets"][1]],
                   entry["shape"]) for name, entry in header.items()}


def read_model(path):
    tensors = {}
    for name in sorted(os.listdir(path)):
        if name.endswith(".safetensors"):
            tensors.update(read_tensors(os.path.join(path, name)))
    return tensors


def stacked(tensors, name, used):
    """The experts of a layer as mergekit stacks them: [E, 2 I, H] and [E, H, I]; None without any."""
    prefix, what = name.rsplit(".", 1)
    parts = {"gate_up_proj": ("w1", "w3"), "down_proj": ("w2",)}[what]
    prefix = prefix.replace(".mlp.experts", ".block_sparse_moe.experts")
    data, dtype, shape, n = b"", None, None, 0
    while f"{prefix}.{n}.{parts[0]}.weight" in tensors:
        for part in parts:
            used.add(f"{prefix}.{n}.{part}.weight")
            dtype, own, shape = tensors[f"{prefix}.{n}.{part}.weight"]
            data += own
        n += 1
    return (dtype, data, [n, len(parts) * shape[0], shape[1]]) if n else None


def values(tensor):
    dtype, data, _ = tensor
    n = len(data) // SIZES[dtype]
    if dtype == "BF16":
        return struct.unpack(f"<{n}f", b"".join(b"\0\0" + data[i:i + 2]
                                                for i in range(0, len(data), 2)))
    return struct.unpack(f"<{n}{ {'F32': 'f', 'F64': 'd', 'F16': 'e', 'I64': 'q'}[dtype]}", data)


def distance(expected, found, tied):
    """Of floats: the largest difference over the largest value, or over 0.25."""
    if len(expected) != len(found):
        return math.inf
    largest = max([abs(x) for x in expected if x == x] + [0.25])
    return max([abs(x - y) for i, (x, y) in enumerate(zip(expected, found)) if i not in tied],
               default=0) / largest


def ordered(dtype, data):
    """Items of two bytes as numbers in their order."""
    bits = struct.unpack(f"<{len(data) // 2}H", data)
    return [b if b < 0x8000 else 0x8000 - b for b in bits]


def compare(kind, expected, found, tied):
    """What is wrong with a tensor; None: nothing."""
    if found is None or expected[0] != found[0] or expected[2] != found[2]:
        return "is not there, or has another dtype or shape"
    if kind == "exact" or expected[0] == "I64":
        return None if expected[1] == found[1] else "has other bytes"
    if expected[0] in ("F32", "F64"):
        far = distance(values(expected), values(found), tied)
        return None if far <= 1e-6 else f"is off by {far:.3g}"
    pairs = [(x, y) for i, (x, y) in enumerate(zip(ordered(*expected[:2]), ordered(*found[:2])))
             if i not in tied]
    off = [abs(x - y) for x, y in pairs if x != y]
    if not off:
        return None
    if max(off) > 1:
        return f"is off by {max(off)} units"
    return None if len(off) <= max(1, 0.001 * len(pairs)) else f"has {len(off)} others"


def outcomes(stat, base, deltas, scales):
    """What an element may become: (result, which models are kept)."""
    n = len(deltas)
    for mask in range(1 << n):
        terms = [stat["models"][i]["weight"] * deltas[i] * scales[i] if mask >> i & 1 else 0.0
                 for i in range(n)]
        if stat["consensus"]:
            sign = 1 if sum(terms) >= 0 else -1
            counts = [i for i, term in enumerate(terms) if term * sign > 0]
            total = sum(terms[i] for i in counts)
            weight = sum(stat["models"][i]["weight"] for i in counts) or 1
        else:
            total, weight = sum(terms), sum(model["weight"] for model in stat["models"])
        yield base + (total / weight if stat["normalize"] else total), mask


def check_stat(stat, found):
    base = read_model(stat["base"])
    models = [read_model(model["path"]) for model in stat["models"]]
    expected_sum = variance = kept = 0.0
    for name, tensor in base.items():
        start, result = values(tensor), values(found[name])
        deltas = [[x - b for x, b in zip(values(model[name]), start)] for model in models]
        row = tensor[2][-1] if tensor[2] else 1
        scales = [1.0] * len(models)
        if stat["rescale"] and len(models) == 1:
            left = [d for d, b, r in zip(deltas[0], start, result) if r != b]
            if left:
                scales[0] = sum(map(abs, deltas[0])) / sum(map(abs, left))
        for first in range(0, len(start), row):
            ranks = [{i: r for r, i in enumerate(sorted(range(first, first + row),
                                                        key=lambda i: abs(delta[i])))}
                     for delta in deltas]
            for i in range(first, first + row):
                own = [delta[i] for delta in deltas]
                fits = [mask for value, mask in outcomes(stat, start[i], own, scales)
                        if abs(value - result[i]) <= 1e-6 * max(1, abs(value))]
                if not fits:
                    return f"{name}[{i}]: {result[i]} is none of what it may be"
                if len(models) > 1 or own[0] == 0:
                    continue
                model = stat["models"][0]
                p = model["density"]
                if stat["kind"] == "della":
                    p += model["epsilon"] * (2 * ranks[0][i] / (row - 1) - 1)
                expected_sum += p
                variance += p * (1 - p)
                kept += fits == [1]
    if len(models) == 1 and abs(kept - expected_sum) > 5 * math.sqrt(variance):
        return f"{kept} are kept, not about {expected_sum:.0f}"
    return None


def expected_tensors(case):
    """Experts one by one where the case has both."""
    path = f"cases/{case['name']}.by-name.safetensors"
    return read_tensors(path if os.path.exists(path) else f"cases/{case['name']}.safetensors")


def stored_dtype(case):
    stored = [tensor[0] for tensor in expected_tensors(case).values() if tensor[0] != "I64"] \
        if case["compare"] != "stat" else []
    return stored[0] if stored else "F32"


def find(tensors, name, used):
    """The tensor, under this name or, of experts, as it is stored before transformers 5."""
    if name not in tensors and ".mlp.experts." in name:
        return stacked(tensors, name, used)
    if name not in tensors and name.endswith(".mlp.gate.weight"):
        name = name.replace(".mlp.gate.", ".block_sparse_moe.gate.")
    used.add(name)
    return tensors.get(name)


def check_case(case, folder):
    """What is wrong with the model in the folder; None: nothing."""
    found, used = read_model(folder), set()
    if case["compare"] == "stat":
        return check_stat(case["stat"], found)
    for name, tensor in expected_tensors(case).items():
        tied = set(case.get("tied", {}).get(name, ()))
        wrong = compare(case["compare"], tensor, find(found, name, used), tied)
        if wrong:
            return f"'{name}' {wrong}"
    if set(found) - used:
        return f"has {sorted(set(found) - used)[:3]}, which should not be there"
    if "layers" in case:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            n_layers = json.load(file)["num_hidden_layers"]
        if n_layers != case["layers"]:
            return f"config.json says {n_layers} layers"
    return None
