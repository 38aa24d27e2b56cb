"""check_readers.py - what torch.save writes is read as torch.load reads it.

Each case saves seeded tensors both with torch.save and as safetensors; `cocktail inspect` must list
the same tensors and `cocktail diff` find no difference.
"""

import json
from collections import OrderedDict

import torch
from harness import case, case_for, cocktail, cocktail_json, fixture, mix, raw_bytes, run, scratch, tensors_of
from safetensors.torch import save_file

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
WHOLE = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
NEW = [torch.float8_e4m3fn, torch.float8_e5m2, torch.uint16, torch.uint32, torch.uint64]
FORMATS = ["zip", "legacy", "zip-protocol-4"]
NAMES = {  # as safetensors writes them
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.uint16: "U16",
    torch.uint32: "U32", torch.uint64: "U64",
}


def random_tensor(shape, dtype, generator):
    values = torch.randn(shape, generator=generator) * 10
    if dtype == torch.bool:
        return values > 0
    return (values if dtype.is_floating_point else values.abs()).to(dtype)


def save(value, path, form):
    if form == "legacy":
        torch.save(value, path, _use_new_zipfile_serialization=False)
    elif form == "zip-protocol-4":
        torch.save(value, path, pickle_protocol=4)
    else:
        torch.save(value, path)


def expect_read(value, expected, form, file="pytorch_model.bin"):
    """`value` is saved with torch; cocktail must read from it the tensors `expected`."""
    saved, plain = scratch() / "saved", scratch() / "plain"
    saved.mkdir()
    plain.mkdir()
    save(value, saved / file, form)
    copies = {name: tensor.detach().clone().contiguous() for name, tensor in expected.items()}
    save_file(copies, plain / "model.safetensors")

    rows = cocktail_json("inspect", "--tensors", saved)["tensors"]
    got = {row["name"]: (row["dtype"], tuple(row["shape"]), row["size_bytes"]) for row in rows}
    wanted = {name: (NAMES[t.dtype], tuple(t.shape), len(raw_bytes(t))) for name, t in copies.items()}
    assert got == wanted, sorted(got.items() ^ wanted.items())

    for a, b in ((saved, plain), (plain, saved)):
        found = cocktail_json("diff", "--tensors", a, b)
        assert found["identical"] and not found["only_in_a"] and not found["only_in_b"], found
        assert all(row["identical"] for row in found["tensors"]), found
        assert len(found["tensors"]) == len(copies)
    cocktail("diff", "--exit-code", saved, plain)
    return f"{len(copies)} tensors"


@case_for([(str(dtype).removeprefix("torch."), form) for dtype in FLOATS + WHOLE + NEW for form in FORMATS])
def every_dtype(dtype, form):
    dtype = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(1)
    shapes = [(), (1,), (7,), (3, 5), (2, 3, 4), (0,), (3, 0), (1025,)]
    tensors = {f"t.{i}": random_tensor(shape, dtype, generator) for i, shape in enumerate(shapes)}
    return expect_read(tensors, tensors, form)


@case_for(FORMATS)
def transposed_and_permuted_views(form):
    generator = torch.Generator().manual_seed(2)
    tensors = {}
    for dtype in FLOATS + [torch.int64, torch.bool]:
        name = str(dtype).removeprefix("torch.")
        matrix = random_tensor((37, 53), dtype, generator)
        cube = random_tensor((5, 7, 11), dtype, generator)
        tensors[f"{name}.transposed"] = matrix.t()
        tensors[f"{name}.columns"] = matrix[:, 3:50:7]
        tensors[f"{name}.rows"] = matrix[5:30:4]
        tensors[f"{name}.permuted"] = cube.permute(2, 0, 1)
        tensors[f"{name}.diagonal"] = matrix.diagonal()
        tensors[f"{name}.expanded"] = cube[:, :1].expand(5, 9, 11)
        tensors[f"{name}.scalar"] = matrix[4, 4]
    return expect_read(tensors, tensors, form)


@case_for(FORMATS)
def large_strided_views(form):
    """More than one chunk of reading, with strides in several dimensions."""
    generator = torch.Generator().manual_seed(3)
    matrix = random_tensor((1031, 701), torch.float32, generator)
    cube = random_tensor((61, 67, 71), torch.bfloat16, generator)
    tensors = {"t": matrix.t(), "part": matrix[13:1000, 7:699:3], "cube": cube.permute(1, 2, 0)[3:, ::2, 1:60:5]}
    return expect_read(tensors, tensors, form)


@case_for(FORMATS)
def storages_that_several_tensors_share(form):
    generator = torch.Generator().manual_seed(4)
    buffer = random_tensor((1000,), torch.float16, generator)
    matrix = buffer[:600].view(20, 30)
    tensors = {"all": buffer, "again": buffer, "head": buffer[:10], "tail": buffer[990:],
               "middle": buffer[333:777], "matrix": matrix, "matrix.t": matrix.t(), "same": matrix,
               "other": random_tensor((3,), torch.float32, generator)}
    return expect_read(tensors, tensors, form)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(7, 5)
        self.norm = torch.nn.BatchNorm1d(5)
        self.tied = self.first
        self.register_buffer("mask", torch.ones(3, 3, dtype=torch.bool).tril())


@case_for(FORMATS)
def the_state_dict_of_a_module(form):
    torch.manual_seed(5)
    state = Layer().state_dict()
    return expect_read(state, dict(state), form)


@case_for(FORMATS)
def parameters_with_gradients(form):
    torch.manual_seed(6)
    layer = Layer()
    layer.first(torch.ones(1, 7)).sum().backward()
    state = layer.state_dict(keep_vars=True)
    state["frozen"] = torch.nn.Parameter(torch.randn(4), requires_grad=False)
    return expect_read(state, dict(state), form)


@case_for([(form, key) for form in FORMATS for key in ("state_dict", "model", "module", "model_state_dict")])
def a_state_dict_inside_a_training_checkpoint(form, key):
    torch.manual_seed(7)
    state = Layer().state_dict()
    value = {"epoch": 3, "loss": 0.25, "history": [1.5, None, (True, "x")], "name": "run", key: state}
    return expect_read(value, dict(state), form)


@case_for(FORMATS)
def names_that_are_not_ascii(form):
    names = ["gr\u00fc\u00dfe", "\u6a21\u578b.weight", "a b", "q\"uote", "back\\slash", "x" * 300, "\U0001f378"]
    tensors = OrderedDict((name, torch.tensor([float(i)])) for i, name in enumerate(names))
    return expect_read(tensors, tensors, form)


@case_for(FORMATS)
def many_tensors(form):
    """More than the one-byte memo indices of the pickle reach."""
    tensors = {f"layer.{i}.weight": torch.full((3,), float(i)) for i in range(1500)}
    return expect_read(tensors, tensors, form)


@case_for(["model.pt", "model.pth", "weights.pt", "pytorch_model.pt"])
def other_file_names(file):
    torch.manual_seed(8)
    state = Layer().state_dict()
    return expect_read(state, dict(state), "zip", file)


@case_for([("F64", torch.complex128), ("C64", torch.complex64)])
def complex_numbers_are_listed(_, dtype):
    torch.save({"z": torch.randn(4, dtype=dtype)}, scratch() / "z.pt")
    rows = cocktail_json("inspect", "--tensors", scratch() / "z.pt")["tensors"]
    assert [row["dtype"] for row in rows] == ["C128" if dtype == torch.complex128 else "C64"], rows


@case
def sharded_bin_files():
    generator = torch.Generator().manual_seed(9)
    tensors = {f"t.{i}": random_tensor((50, i + 1), torch.bfloat16, generator) for i in range(6)}
    saved, plain = scratch() / "saved", scratch() / "plain"
    saved.mkdir()
    plain.mkdir()
    weight_map = {}
    for part in range(3):
        file = f"pytorch_model-{part + 1:05}-of-00003.bin"
        names = [name for i, name in enumerate(tensors) if i % 3 == part]
        torch.save({name: tensors[name] for name in names}, saved / file)
        weight_map.update(dict.fromkeys(names, file))
    index = {"metadata": {"total_size": 2}, "weight_map": weight_map}
    (saved / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    save_file(tensors, plain / "model.safetensors")
    assert cocktail_json("diff", saved, plain)["identical"]
    assert len(cocktail_json("inspect", saved)["files"]) == 3


@case
def diff_measures_as_torch_does():
    """Max abs, relative L2 and cosine against torch in double: the sums of diff run in another
    order, so they agree to 1e-12."""
    a, b = fixture("encoder-base"), fixture("encoder-parts")
    x, y = tensors_of(a), tensors_of(b)
    for tensors in (x, y):
        tensors[None] = torch.cat([tensors[name].reshape(-1) for name in x if name])
    found = cocktail_json("diff", "--tensors", a, b)
    rows = {None: found, **{row["name"]: row for row in found["tensors"]}}
    assert rows.keys() == x.keys()
    for name, row in rows.items():
        p, q = (v[name].double().reshape(-1) for v in (x, y))
        wanted = {"max_abs": (p - q).abs().max(), "relative_l2": (p - q).norm() / p.norm(),
                  "cosine": torch.dot(p, q) / (p.norm() * q.norm())}
        if p.norm() == 0 or q.norm() == 0:
            continue
        for key, value in wanted.items():
            error = abs(row[key] - value.item())
            assert error <= 1e-12 * max(1, abs(value.item())), (name, key, row[key], value.item())
        assert row["identical"] == torch.equal(p, q)
    return f"{len(rows)} tensors"


@case_for(FORMATS)
def mixing_views_gives_what_mixing_copies_gives(form):
    """The mixer reads ranges of strided tensors: the bytes must be those of contiguous ones."""
    generator = torch.Generator().manual_seed(10)
    files = {"strided": [], "plain": []}
    for i in range(2):
        matrix = random_tensor((401, 503), torch.float32, generator)
        tensors = {"t": matrix.t(), "part": matrix[3:333:2, 5:499:7], "same": matrix}
        for kind in files:
            files[kind].append(scratch() / f"{kind}-{i}.{'bin' if kind == 'strided' else 'safetensors'}")
        save(tensors, files["strided"][i], form)
        save_file({name: t.clone().contiguous() for name, t in tensors.items()}, files["plain"][i])
    outputs = [mix(files[kind], [0.3, 0.7], output=scratch() / f"mixed-{kind}") for kind in files]
    first, second = ((path / "model.safetensors").read_bytes() for path in outputs)
    assert first == second


run()
