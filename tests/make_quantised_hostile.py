#!/usr/bin/env python3
"""Small quantised checkpoints of every way of storing, whole ones and such with one defect each.

    make_quantised_hostile.py DIRECTORY

Writes DIRECTORY/NAME/ for each, and DIRECTORY/EXPECTED.tsv: name, exit status, a part of the message. After those
come random ones, from a fixed seed: tensors left out, with other shapes, dtypes and bytes; of these the status is
"any"."""
import json
import random
import struct
import sys
from pathlib import Path

FORMAT, UNSUPPORTED = 3, 10
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E8M0": 1, "I8": 1, "U8": 1, "I32": 4, "U32": 4, "I64": 8}
M = "model.layers.0.mlp.down_proj"
rng = random.Random(15)


def n_items(shape):
    n = 1
    for size in shape:
        n *= size
    return n


def t(dtype, shape, content=None):
    n = n_items(shape) * SIZES[dtype]
    if content is None:
        content = bytes(rng.randrange(1, 120) for _ in range(n)) if SIZES[dtype] == 1 else \
            (struct.pack("<f", .5) if dtype == "F32" else b"\0\x38" if dtype != "I32" else b"\x77" * 4) * n
        content = content[:n]
    return dtype, shape, content


def ints(dtype, *values):
    return t(dtype, [len(values)], b"".join(struct.pack("<i" if SIZES[dtype] == 4 else "<q", v) for v in values))


def quantised(**settings):
    return {"quantization_config": settings}


def ct(fmt, **weights):
    return quantised(quant_method="compressed-tensors", format=fmt,
                     config_groups={"group_0": {"targets": ["Linear"], "weights": weights}})


def gptq(n_in=64, n_out=32, bits=4, groups=2, maps=None):
    return {M + ".qweight": t("I32", [n_in * bits // 32, n_out]), M + ".qzeros": t("I32", [groups, n_out * bits // 32]),
            M + ".scales": t("F16", [groups, n_out]),
            M + ".g_idx": ints("I32", *(maps or [i * groups // n_in for i in range(n_in)]))}


def bnb(nested=True, state=None, n_blocks=4, **change):
    note = dict(quant_type="nf4", blocksize=64, dtype="bfloat16", shape=[4, 64], nested_blocksize=256,
                nested_dtype="float32", nested_offset=.25)
    note.update(change)
    note = json.dumps({k: v for k, v in note.items() if v != "absent"}) if state is None else state
    made = {M + ".weight": t("U8", [128, 1]), M + ".weight.absmax": t("U8" if nested else "F32", [n_blocks]),
            M + ".weight.quant_map": t("F32", [16]),
            M + ".weight.quant_state.bitsandbytes__nf4": t("U8", [len(note.encode())], note.encode())}
    if nested:
        made.update({M + ".weight.nested_absmax": t("F32", [1]), M + ".weight.nested_quant_map": t("F32", [256])})
    return made


GPTQ = quantised(quant_method="gptq", bits=4, group_size=32, desc_act=True, sym=True)
AWQ = quantised(quant_method="awq", bits=4, group_size=32, version="gemm", zero_point=True)
INT4 = ct("pack-quantized", num_bits=4, type="int", symmetric=True, strategy="group", group_size=32)
ASYM = ct("pack-quantized", num_bits=4, type="int", symmetric=False, strategy="group", group_size=32)
INT8 = ct("int-quantized", num_bits=8, type="int", symmetric=True, strategy="channel")
ROWS = ct("float-quantized", num_bits=8, type="float", symmetric=True, strategy="channel")
BLOCKS = quantised(quant_method="fp8", weight_block_size=[16, 48])
ONE = quantised(quant_method="fp8", weight_block_size=None)
NVFP4 = ct("nvfp4-pack-quantized", num_bits=4, type="float", symmetric=True, strategy="tensor_group", group_size=16)
BNB = quantised(quant_method="bitsandbytes", load_in_4bit=True)
MLX = {"quantization": {"bits": 4, "group_size": 32}}
OSS = quantised(quant_method="mxfp4")
MODELOPT = quantised(quant_method="modelopt", quant_algo="NVFP4")

WHOLE = {
    "gptq": (GPTQ, gptq()),
    "awq": (AWQ, {M + ".qweight": t("I32", [64, 4]), M + ".qzeros": t("I32", [2, 4]), M + ".scales": t("F16", [2, 32])}),
    "int4": (INT4, {M + ".weight_packed": t("I32", [32, 8]), M + ".weight_scale": t("BF16", [32, 2]),
                    M + ".weight_shape": ints("I64", 32, 64)}),
    "asym": (ASYM, {M + ".weight_packed": t("I32", [32, 8]), M + ".weight_scale": t("BF16", [32, 2]),
                    M + ".weight_shape": ints("I64", 32, 64), M + ".weight_zero_point": t("I32", [4, 2])}),
    "int8": (INT8, {M + ".weight": t("I8", [32, 64]), M + ".weight_scale": t("BF16", [32, 1])}),
    "rows": (ROWS, {M + ".weight": t("F8_E4M3", [32, 64]), M + ".weight_scale": t("BF16", [32, 1])}),
    "blocks": (BLOCKS, {M + ".weight": t("F8_E4M3", [40, 64]), M + ".weight_scale_inv": t("F32", [3, 2])}),
    "one": (ONE, {M + ".weight": t("F8_E4M3", [40, 64]), M + ".weight_scale_inv": t("BF16", [])}),
    "nvfp4": (NVFP4, {M + ".weight_packed": t("U8", [32, 32]), M + ".weight_scale": t("F8_E4M3", [32, 4]),
                      M + ".weight_global_scale": t("F32", [1])}),
    "modelopt": (MODELOPT, {M + ".weight": t("U8", [32, 32]), M + ".weight_scale": t("F8_E4M3", [32, 4]),
                            M + ".weight_scale_2": t("F32", [])}),
    "mxfp4": (OSS, {M + "_blocks": t("U8", [2, 32, 2, 16]), M + "_scales": t("U8", [2, 32, 2])}),
    "nf4": (BNB, bnb()),
    "flat": (BNB, bnb(nested=False)),
    "bnb8": (BNB, {M + ".weight": t("I8", [32, 64]), M + ".SCB": t("F32", [32]), M + ".weight_format": t("U8", [], b"\0")}),
    "mlx": (MLX, {M + ".weight": t("U32", [32, 8]), M + ".scales": t("BF16", [32, 2]), M + ".biases": t("BF16", [32, 2])}),
}
PRIMARY = {"gptq": ".qweight", "awq": ".qweight", "int4": ".weight_packed", "asym": ".weight_packed", "nvfp4": ".weight_packed",
           "mxfp4": "_blocks"}
OPTIONAL = {("gptq", ".g_idx"), ("awq", ".qzeros"), ("bnb8", ".weight_format")}
cases = []


def case(name, status, message, config, tensors):
    cases.append((name, status, message, config, tensors))


def changed(whole, name, status, message, **tensors):
    """One tensor in another form: by its ending, with __ for dots."""
    config, base = WHOLE[whole]
    made = dict(base)
    for ending, tensor in tensors.items():
        made[M + ending.replace("__", ".")] = tensor
    case(f"{whole}-{name}", status, message, config, made)


def said(whole, name, status, message, **settings):
    """Settings that are others than those of the tensors."""
    config = json.loads(json.dumps(WHOLE[whole][0]))
    inner = next(iter(config.values()))
    if "config_groups" in inner:
        inner = inner["config_groups"]["group_0"]["weights"]
    inner.update(settings)
    case(f"{whole}-{name}", status, message, config, WHOLE[whole][1])


for whole, (config, tensors) in WHOLE.items():
    case(f"{whole}-whole", 0, "", config, tensors)
    for name in tensors:
        ending = name[len(M):]
        rest = {k: v for k, v in tensors.items() if k != name}
        if (whole, ending) in OPTIONAL:
            continue
        message = "is none" if ending == PRIMARY.get(whole, ".weight") else "'" + M
        if ending == "_scales" and whole == "mxfp4":
            message = "there is no"
        case(f"{whole}-without{ending.replace('.', '-')}", FORMAT, message, config, rest)

changed("gptq", "group-2", FORMAT, "is of group 2, but there are 2", __g_idx=ints("I32", *[0] * 63, 2))
changed("gptq", "group-negative", FORMAT, "is of group -1", __g_idx=ints("I32", *[0] * 63, -1))
changed("gptq", "map-short", FORMAT, "has the shape [63]", __g_idx=ints("I32", *[0] * 63))
changed("gptq", "map-of-i64", FORMAT, "groups are numbered in I32", __g_idx=ints("I64", *[0] * 64))
changed("gptq", "zeros-wide", FORMAT, "has the shape [2, 5]", __qzeros=t("I32", [2, 5]))
changed("gptq", "zeros-of-one-group", FORMAT, "has the shape [1, 4]", __qzeros=t("I32", [1, 4]))
changed("gptq", "zeros-of-f32", FORMAT, "packed integers are I32", __qzeros=t("F32", [2, 4]))
changed("gptq", "scales-narrow", FORMAT, "has the shape [2, 31]", __scales=t("F16", [2, 31]))
changed("gptq", "scales-of-three-groups", FORMAT, "has the shape [3, 32]", __scales=t("F16", [3, 32]))
changed("gptq", "scales-of-i32", FORMAT, "scales are F32, F16 or BF16", __scales=t("I32", [2, 32]))
changed("gptq", "words-of-f32", FORMAT, "packed integers are I32", __qweight=t("F32", [8, 32]))
changed("gptq", "words-empty", FORMAT, "is empty", __qweight=t("I32", [0, 32]))
changed("gptq", "words-in-3-dimensions", UNSUPPORTED, "in 3 dimensions", __qweight=t("I32", [1, 8, 32]))
changed("gptq", "weight-too", FORMAT, "duplicate tensor", __weight=t("F16", [32, 64]))
said("gptq", "group-of-48", FORMAT, "has the shape [2, 32]; by", group_size=24)
said("gptq", "bits-8", FORMAT, "has the shape", bits=8)
said("gptq", "bits-3", FORMAT, "are not whole numbers of 3 bits", bits=3)
said("gptq", "group-beyond", FORMAT, "group_size must be", group_size=10 ** 12)
said("gptq", "bits-of-text", FORMAT, "bits must be", bits="four")
said("gptq", "is-awq", FORMAT, "", quant_method="awq")
said("gptq", "is-fp8", FORMAT, "is not quantised as config.json says (fp8)", quant_method="fp8")
said("gptq", "is-marlin", UNSUPPORTED, "marlin", checkpoint_format="marlin")
case("gptq-33-columns", FORMAT, "do not fill whole words", GPTQ, gptq(n_out=33))
said("awq", "gemv", UNSUPPORTED, "gemv", version="gemv")
said("awq", "group-of-24", FORMAT, "has the shape", group_size=24)
changed("awq", "zeros-wide", FORMAT, "has the shape", __qzeros=t("I32", [2, 5]))
changed("awq", "scales-wide", FORMAT, "has the shape", __scales=t("F16", [2, 40]))
changed("int4", "shape-negative", FORMAT, "is no number of rows", __weight_shape=ints("I64", -32, 64))
changed("int4", "shape-huge", FORMAT, "", __weight_shape=ints("I64", 32, 2 ** 62))
changed("int4", "shape-of-three", FORMAT, "two numbers", __weight_shape=ints("I64", 32, 64, 1))
changed("int4", "shape-turned", FORMAT, "has the shape", __weight_shape=ints("I64", 64, 32))
changed("int4", "scales-of-one-group", FORMAT, "has the shape", __weight_scale=t("BF16", [32, 1]))
changed("int4", "zeros-though-symmetric", FORMAT, "symmetric", __weight_zero_point=t("I32", [4, 2]))
said("int4", "not-symmetric", FORMAT, "no zero points", symmetric=False)
said("int4", "bits-8", FORMAT, "has the shape", num_bits=8)
said("int4", "of-float", FORMAT, "is not quantised as config.json says", type="float")
said("int4", "by-block", UNSUPPORTED, "one scale for a matrix or a block", strategy="block", block_structure=[4, 4])
changed("int4", "map-beyond", FORMAT, "is of group 7", __weight_g_idx=ints("I32", *[0] * 63, 7))
changed("asym", "zeros-short", FORMAT, "has the shape", __weight_zero_point=t("I32", [3, 2]))
changed("int8", "scales-short", FORMAT, "is not what config.json says", __weight_scale=t("BF16", [31, 1]))
changed("int8", "of-fp8", FORMAT, "is not what config.json says", __weight=t("F8_E4M3", [32, 64]))
changed("int8", "zero-points", UNSUPPORTED, "zero points", __weight_zero_point=t("I8", [32, 1]))
changed("rows", "one-scale", FORMAT, "is not what config.json says", __weight_scale=t("BF16", [1]))
changed("rows", "scales-of-i8", FORMAT, "scales are F32, F16 or BF16", __weight_scale=t("I8", [32, 1]))
changed("blocks", "too-few", FORMAT, "has the shape [2, 2]", __weight_scale_inv=t("F32", [2, 2]))
said("blocks", "of-zero", FORMAT, "weight_block_size must be", weight_block_size=[0, 48])
said("blocks", "of-three", FORMAT, "weight_block_size must be", weight_block_size=[16, 48, 1])
said("blocks", "not-said", FORMAT, "says nothing of blocks", weight_block_size=None)
changed("one", "scale-for-each-row", FORMAT, "40 scales, but", __weight_scale_inv=t("F32", [40, 1]))
changed("one", "vector", FORMAT, "is no matrix", __weight=t("F8_E4M3", [64]))
changed("nvfp4", "groups-of-32", FORMAT, "has the shape [32, 2]", __weight_scale=t("F8_E4M3", [32, 2]))
changed("nvfp4", "scales-of-f32", FORMAT, "scales of FP4 are bytes", __weight_scale=t("F32", [32, 4]))
changed("nvfp4", "global-of-two", FORMAT, "2 scales for 1 matrices", __weight_global_scale=t("F32", [2]))
changed("nvfp4", "rows-of-24", FORMAT, "are not whole groups of 16", __weight_packed=t("U8", [32, 12]))
changed("nvfp4", "vector", FORMAT, "has at least 2 dimensions", __weight_packed=t("U8", [32]))
changed("modelopt", "scales-turned", FORMAT, "has the shape", __weight_scale=t("F8_E4M3", [4, 32]))
changed("mxfp4", "blocks-of-8", FORMAT, "blocks of 8 bytes", _blocks=t("U8", [2, 32, 4, 8]))
changed("mxfp4", "scales-of-one-expert", FORMAT, "has the shape", _scales=t("U8", [1, 32, 2]))
changed("mxfp4", "blocks-of-no-expert", FORMAT, "none of 0", _blocks=t("U8", [0, 32, 2, 16]))
for name, change, message in [
        ("state-not-json", dict(state="{"), "JSON"), ("state-list", dict(state="[]"), "is not an object"),
        ("state-empty", dict(state=""), ""), ("block-0", dict(blocksize=0), "blocksize must be"),
        ("block-negative", dict(blocksize=-64), "blocksize must be"), ("block-huge", dict(blocksize=1e300), "blocksize must be"),
        ("block-text", dict(blocksize="64"), "blocksize must be"), ("shape-text", dict(shape="4x64"), "shape must be"),
        ("shape-empty", dict(shape=[]), "shape is empty"), ("shape-zero", dict(shape=[0, 64]), "each size of shape"),
        ("shape-larger", dict(shape=[8, 64]), "128 bytes for 512 items"), ("shape-2-60", dict(shape=[2 ** 30, 2 ** 30, 2 ** 30]), "overflows"),
        ("absmax-short", dict(n_blocks=3), "must be 4 items"), ("offset-text", dict(nested_offset="0"), "nested_offset must be"),
        ("no-offset", dict(nested_offset="absent"), "nested_offset must be"), ("nested-block-0", dict(nested_blocksize=0), "nested_blocksize"),
        ("nested-block-1", dict(nested_blocksize=1), "must be 4 items of F32")]:
    case(f"nf4-{name}", FORMAT, message, BNB, bnb(**change))
changed("nf4", "map-of-8", FORMAT, "must be 16 items", __weight__quant_map=t("F32", [8]))
changed("nf4", "map-of-f16", FORMAT, "must be 16 items of F32", __weight__quant_map=t("F16", [16]))
changed("nf4", "nested-map-of-16", FORMAT, "must be 256 items", __weight__nested_quant_map=t("F32", [16]))
case("nf4-absmax-of-floats-short", FORMAT, "must be 4 items", BNB, bnb(nested=False, n_blocks=5))
changed("bnb8", "format-1", UNSUPPORTED, "in format 1", __weight_format=t("U8", [], b"\1"))
changed("bnb8", "format-of-two", FORMAT, "must be one item", __weight_format=t("U8", [2]))
changed("bnb8", "scales-short", FORMAT, "has the shape [31]", __SCB=t("F32", [31]))
said("mlx", "bits-3", FORMAT, "are not whole numbers of 3 bits", bits=3)
said("mlx", "group-of-16", FORMAT, "has the shape", group_size=16)
said("mlx", "mode", UNSUPPORTED, "mode 'spiral'", mode="spiral")
changed("mlx", "biases-short", FORMAT, "has the shape [31, 2]", __biases=t("BF16", [31, 2]))
changed("mlx", "biases-of-i32", FORMAT, "scales are", __biases=t("I32", [32, 2]))
changed("mlx", "in-3-dimensions", UNSUPPORTED, "in 3 dimensions", __weight=t("U32", [2, 16, 8]))
for ending, method in [(".trellis", "exl3"), (".q_weight", "exl2"), (".codebooks", "aqlm"), (".W_q", "hqq"),
                       (".weight._data", "quanto"), (".Qidxs", "quip"), (".weight_scales", "eetq")]:
    case(f"other-{method}", UNSUPPORTED, f"quantised with {method}", {}, {M + ending: t("I32", [4, 4])})
for method in ("aqlm", "exl2", "exl3", "hqq", "quanto", "torchao", "vptq", "spqr", "higgs", "eetq", "bitnet", "quip"):
    case(f"said-{method}", UNSUPPORTED, f"is quantised ({method})", quantised(quant_method=method), {M + ".weight": t("F16", [4, 4])})
for n in (1000, 10000):
    case(f"config-nested-{n}", FORMAT, "", quantised(quant_method="gptq", dynamic="NEST" + str(n)), gptq())


def mutate(tensors):
    """Another shape of as many items, another dtype, other bytes, or nothing, for one or two tensors."""
    made = dict(tensors)
    for _ in range(rng.randrange(1, 3)):
        name = rng.choice(sorted(made)) if made else M
        dtype, shape, content = made.get(name, t("F32", [1]))
        shape, way = list(shape), rng.randrange(6)
        if way == 0:
            made.pop(name, None)
        elif way == 1:
            made[name] = t(rng.choice(sorted(SIZES)), shape)
        elif way == 2 and shape:
            shape[rng.randrange(len(shape))] = rng.choice([0, 1, 2, 3, 7, 31, 33, 64, 100])
            made[name] = t(dtype, shape)
        elif way == 3:
            made[name] = dtype, shape, bytes(rng.randrange(256) for _ in content)
        elif way == 4:
            made[name] = t(dtype, shape + [1] if rng.randrange(2) else [n_items(shape)])
        else:
            made[name] = t(dtype, shape[::-1])
    return made or {M: t("F32", [1])}


for i in range(240):
    whole = rng.choice(sorted(WHOLE))
    config, tensors = WHOLE[whole]
    case(f"random-{i:03}-{whole}", "any", "", config if rng.randrange(8) else {}, mutate(tensors))


def write(directory, config, tensors):
    directory.mkdir(parents=True)
    text = json.dumps(config)
    for n in (1000, 10000):
        text = text.replace(f'"NEST{n}"', '{"a":' * n + "1" + "}" * n)
    (directory / "config.json").write_text(text)
    head, at, body = {}, 0, b""
    for name, (dtype, shape, content) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
        body += content
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


out = Path(sys.argv[1])
for name, status, message, config, tensors in cases:
    write(out / name, config, {**tensors, "model.norm.weight": t("F32", [4])})
(out / "EXPECTED.tsv").write_text("".join(f"{n}\t{s}\t{m}\n" for n, s, m, _, _ in cases))
