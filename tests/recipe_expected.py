"""recipe_expected.py FOLDER - what the recipes of fixtures/recipes/ make, computed once more.

FOLDER/NAME is what NAME.yml has made. The formulas are those of mergekit's methods, in double; what is
only moved must be equal, what is computed may be a step of the stored dtype off, at few elements. Run
where `fixtures` lies.
"""
import math
import os
import re
import struct
import sys

from golden_compare import read_model, values

MODELS = {name: read_model(f"fixtures/decoder-{name}")
          for name in ("base", "arithmetic", "tense", "translation")}
N_LAYERS = 4


def layer_of(name):
    found = re.search(r"\.layers\.(\d+)\.", name)
    return int(found[1]) if found else None


def along(numbers, name, n_layers=N_LAYERS):
    """The value of a list at the layer of the tensor; outside of the layers its first."""
    layer = layer_of(name)
    place = 0 if layer is None else layer / (n_layers - 1) * (len(numbers) - 1)
    low = int(place)
    high = min(low + 1, len(numbers) - 1)
    return (1 - place + low) * numbers[low] + (place - low) * numbers[high]


def stored(dtype, shape, numbers):
    if dtype == "F32":
        return dtype, struct.pack(f"<{len(numbers)}f", *numbers), shape
    bits = struct.unpack(f"<{len(numbers)}I", struct.pack(f"<{len(numbers)}f", *numbers))
    return dtype, b"".join((b + 0x7FFF + (b >> 16 & 1) >> 16).to_bytes(2, "little") for b in bits), shape


def differ(expected, found):
    """What is wrong; None: nothing. Where terms cancel, a step is less than what floats are off by."""
    if expected[0] != found[0] or expected[2] != found[2]:
        return "has another dtype or shape"
    wanted, numbers = values(expected), values(found)
    least = 1e-6 * max(0.25, *map(abs, wanted))
    off = [(abs(x - y), max(abs(x), abs(y))) for x, y in zip(wanted, numbers) if abs(x - y) > least]
    step = 2.0 ** -7 if found[0] == "BF16" else 2.0 ** -23
    if any(distance > step * 2.0 ** (math.frexp(size)[1] - 1) for distance, size in off):
        return f"is off by {max(off)}"
    return None if len(off) <= 2 + 0.001 * len(wanted) else f"has {len(off)} others"


def average(tensors, weights):
    total = sum(weights)
    return [math.fsum(w * x for w, x in zip(weights, xs)) / total
            for xs in zip(*map(values, tensors))]


def gradient(name):
    if "self_attn" in name:
        weights = along([0.1, 0.613, 1], name), along([0.9, 0.387, 0], name)
    elif "mlp" in name:
        weights = along([0.913, 0.287], name), along([0.087, 0.713], name)
    else:
        weights = 0.713, 0.287
    return average([MODELS["base"][name], MODELS["tense"][name]], weights)


def slerp(name):
    t = along([0, 1], name) if "self_attn" in name else 0.3
    a, b = values(MODELS["base"][name]), values(MODELS["translation"][name])
    cosine = sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)
    if abs(cosine) > 0.9995:
        return [(1 - t) * x + t * y for x, y in zip(a, b)]
    angle = math.acos(cosine)
    p, q = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    return [p * x + q * y for x, y in zip(a, b)]


def ties(name):
    """Of equal magnitudes the first ones stay."""
    base = values(MODELS["base"][name])
    deltas = []
    for model, weight, density in ("arithmetic", 0.613, 0.5), ("tense", 0.487, along([0.3, 0.7], name)):
        delta = [x - b for x, b in zip(values(MODELS[model][name]), base)]
        kept = sorted(range(len(delta)), key=lambda i, d=delta: (-abs(d[i]), i))
        kept = set(kept[:max(1, int(density * len(delta)))])
        deltas.append((weight, [d if i in kept else 0.0 for i, d in enumerate(delta)]))
    result = []
    for i, b in enumerate(base):
        terms = [(weight * delta[i], weight) for weight, delta in deltas]
        sign = 1 if sum(term for term, _ in terms) >= 0 else -1
        won = [(term, weight) for term, weight in terms if term * sign > 0]
        result.append(b + (sum(t for t, _ in won) / sum(w for _, w in won) if won else 0))
    return result


def stages(name):
    """The first merge is rounded to the dtype of the second, as all its inputs are."""
    base = values(MODELS["base"][name])
    first = average([MODELS["arithmetic"][name], MODELS["tense"][name]], [0.5, 0.5])
    first = values(stored("BF16", None, first))
    return [b + 0.75 * (x - b) for b, x in zip(base, first)]


def slices(name):
    layer, base, tense = layer_of(name), MODELS["base"], MODELS["tense"]
    if layer is None:
        if "embed" not in name:
            return values(tense[name])
        return average([base[name], tense[name]], [0.25, 0.75])
    if layer == 2:
        return values(tense[name.replace(".2.", ".3.", 1)])
    return average([base[name], tense[name.replace(f".{layer}.", f".{layer + 2}.", 1)]], [0.25, 0.75])


def same_names(n_layers):
    """The shapes that a model of so many layers has."""
    names = {}
    for name, (_, _, shape) in MODELS["base"].items():
        if layer_of(name) in (None, 0):
            for layer in range(n_layers if layer_of(name) == 0 else 1):
                names[name.replace(".0.", f".{layer}.", 1)] = shape
    return names


def layers(name):
    layer = layer_of(name)
    if layer is None:
        return MODELS["base" if "embed" in name else "tense"][name]
    return MODELS["base" if layer < 3 else "tense"][name.replace(f".{layer}.", f".{layer - 2 * (layer > 2)}.", 1)]


def windows(found):
    own = read_model("fixtures/models/qwen2-window-f16")
    for layer, source in enumerate((1, 2, 0, 1)):
        for name in [name for name in own if layer_of(name) == source]:
            if found.pop(name.replace(f".{source}.", f".{layer}.", 1), None) != own[name]:
                yield f"windows: layer {layer} is not layer {source}: '{name}'"
    for name in found:
        if found[name] != own.get(name) or layer_of(name) is not None:
            yield f"windows: '{name}'"


def check(name, found, make, dtype, n_layers=N_LAYERS):
    shapes = same_names(n_layers)
    if set(shapes) != set(found):
        yield f"{name}: other tensors: {sorted(set(shapes) ^ set(found))[:4]}"
        return
    for tensor, shape in shapes.items():
        made = make(tensor)
        expected = made if isinstance(made, tuple) and isinstance(made[0], str) else stored(dtype, shape, made)
        wrong = differ(expected, found[tensor])
        if name == "layers" and expected != found[tensor]:
            wrong = "has other bytes"
        if wrong:
            yield f"{name}: '{tensor}' {wrong}"


def main():
    folder = sys.argv[1]
    found = {name: read_model(os.path.join(folder, name)) for name in os.listdir(folder)}
    wrong = list(windows(found["windows"]))
    for name, make, dtype, n_layers in (("gradient", gradient, "BF16", 4), ("slerp", slerp, "BF16", 4),
                                        ("ties", ties, "BF16", 4), ("stages", stages, "BF16", 4),
                                        ("slices", slices, "F32", 3), ("layers", layers, "BF16", 6)):
        wrong += check(name, found[name], make, dtype, n_layers)
    print("\n".join(wrong) if wrong else "as computed")


main()
