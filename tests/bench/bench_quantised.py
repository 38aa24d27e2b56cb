"""bench_quantised.py PROGRAM [FORMAT ...] - how fast quantised matrices become floats, as a Markdown table.

All formats, or those named; of each a matrix of SIZE x SIZE, its file in the page cache. One thread, GB
of floats a second, best of ROUNDS:

  whole   into an array that holds all of it
  chunks  into a buffer of 1.5 MB, of 6 MB where rows are best read together, as `mix` and `convert` do
  peer    what the compressed-tensors package decompresses to, with its scales in float32, or, of formats
          that it does not have, the formula in torch; from tensors in memory

The first line says what memory does on one thread: memcpy, and a loop of ordinary stores. The decoders
are measured through tests/bench/dequantize_folder.c, built with the library beside PROGRAM. Without torch
there are no peers.

  ROUNDS     default 5
  SIZE       default 4096
  BENCH_DIR  where the driver is built and the matrices lie (default build/bench), 400 MB
"""

import importlib.util
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", 5))
SIZE = int(os.environ.get("SIZE", 4096))
GROUP = 128
LIBRARIES = ["libcjson", "zlib", "libpcre2-8", "libutf8proc", "yaml-0.1"]  # as the Makefile links them
BENCH_DIR = Path(os.environ.get("BENCH_DIR", "build/bench"))
HERE = Path(__file__).resolve().parent
MODULE = "model.layers.0.self_attn.o_proj"
EXPERTS = "model.layers.0.mlp.experts.down_proj"
ITEM_BYTES = {"I64": 8, "I32": 4, "U32": 4, "F32": 4, "F16": 2, "BF16": 2}
FP4 = [0, .5, 1, 1.5, 2, 3, 4, 6, -0.0, -.5, -1, -1.5, -2, -3, -4, -6]
AWQ_ORDER = [0, 4, 1, 5, 2, 6, 3, 7]
rng = random.Random(1)


# ---- stored tensors: (dtype, shape, bytes) ----

def pack(dtype, code, values):
    return dtype, [len(values)], struct.pack(f"<{len(values)}{code}", *values)


def repeat(dtype, shape, item):
    count = 1
    for n in shape:
        count *= n
    return dtype, shape, item * count


def any_bits(dtype, *shape, mask=None):
    n_bytes = ITEM_BYTES.get(dtype, 1)
    for n in shape:
        n_bytes *= n
    data = rng.randbytes(n_bytes)
    return dtype, list(shape), bytes(b & mask for b in data) if mask else data


def ones(dtype, *shape):
    return repeat(dtype, list(shape), {"F32": struct.pack("<f", 1), "F16": struct.pack("<e", 1), "BF16": b"\x80\x3f",
                                       "F8_E4M3": b"\x38", "U8": b"\x7f"}[dtype])


def fp8(*shape):
    return any_bits("F8_E4M3", *shape, mask=0xBF)  # no NaN


def gptq(is_shuffled):
    groups = [i // GROUP for i in range(SIZE)]
    if is_shuffled:
        rng.shuffle(groups)
    return {"qweight": any_bits("I32", SIZE // 8, SIZE), "qzeros": any_bits("I32", SIZE // GROUP, SIZE // 8),
            "scales": ones("F16", SIZE // GROUP, SIZE), "g_idx": pack("I32", "i", groups)}


def awq():
    return {"qweight": any_bits("I32", SIZE, SIZE // 8), "qzeros": any_bits("I32", SIZE // GROUP, SIZE // 8),
            "scales": ones("F16", SIZE // GROUP, SIZE)}


def ct_int4():
    return {"weight_packed": any_bits("I32", SIZE, SIZE // 8), "weight_scale": ones("BF16", SIZE, SIZE // GROUP),
            "weight_shape": pack("I64", "q", [SIZE, SIZE])}


def nvfp4():
    return {"weight_packed": any_bits("U8", SIZE, SIZE // 2), "weight_scale": ones("F8_E4M3", SIZE, SIZE // 16),
            "weight_global_scale": ones("F32", 1)}


def bnb4(kind, is_nested):
    n = SIZE * SIZE
    state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": [SIZE, SIZE]}
    tensors = {"weight": any_bits("U8", n // 2, 1), "weight.quant_map": pack("F32", "f", [i / 8 - 1 for i in range(16)])}
    if is_nested:
        state.update(nested_blocksize=256, nested_dtype="float32", nested_offset=0.5)
        tensors.update({"weight.absmax": any_bits("U8", n // 64), "weight.nested_absmax": ones("F32", n // 64 // 256),
                        "weight.nested_quant_map": pack("F32", "f", [i / 128 - 1 for i in range(256)])})
    else:
        tensors["weight.absmax"] = ones("F32", n // 64)
    text = json.dumps(state).encode()
    tensors["weight.quant_state.bitsandbytes__" + kind] = "U8", [len(text)], text
    return tensors


# ---- settings ----

def gptq_settings(is_shuffled):
    return {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": is_shuffled, "sym": False}


def ct_settings(form, **weights):
    return {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed", "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"symmetric": True, "dynamic": False, **weights}}}}


def bnb_settings(bits, kind="fp4", is_nested=False):
    return {"quant_method": "bitsandbytes", "load_in_4bit": bits == 4, "load_in_8bit": bits == 8,
            "bnb_4bit_quant_type": kind, "bnb_4bit_use_double_quant": is_nested}


INT4 = dict(num_bits=4, type="int", strategy="group", group_size=GROUP)
INT8 = dict(num_bits=8, type="int", strategy="channel")
FP8_CHANNEL = dict(num_bits=8, type="float", strategy="channel")
FP8_BLOCK = dict(num_bits=8, type="float", strategy="block", block_structure=[128, 128])
NVFP4 = dict(num_bits=4, type="float", strategy="tensor_group", group_size=16)
MXFP4 = dict(num_bits=4, type="float", strategy="group", group_size=32, scale_dtype="torch.uint8")


# ---- peers: torch tensors by name -> a tensor of float32 ----

def compressed(form, weights):
    def run(t):
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

        args = QuantizationArgs(symmetric=True, **weights)
        scheme = QuantizationScheme(targets=["Linear"], weights=args)
        wide = {k: v.float() if k == "weight_scale" and v.element_size() > 1 else v for k, v in t.items()}
        return BaseCompressor.get_value_from_registry(form).decompress(wide, scheme)["weight"]
    return run


def fields(words, dim):
    import torch

    parts = [(words >> 4 * i) & 15 for i in range(8)]
    return torch.stack(parts, dim + 1).flatten(dim, dim + 1)


def torch_gptq(t):
    groups = t["g_idx"].long()
    zeros = fields(t["qzeros"], 1) + 1
    return (t["scales"].float()[groups] * (fields(t["qweight"], 0) - zeros[groups]).float()).T.contiguous()


def torch_awq(t):
    def unpack(words):
        return fields(words, 1).reshape(words.shape[0], -1, 8)[:, :, AWQ_ORDER].reshape(words.shape[0], -1)

    values = unpack(t["qweight"]) - unpack(t["qzeros"]).repeat_interleave(GROUP, 0)
    return (values.float() * t["scales"].float().repeat_interleave(GROUP, 0)).T.contiguous()


def torch_fp8_blocks(t):
    scales = t["weight_scale_inv"].repeat_interleave(128, 0).repeat_interleave(128, 1)
    return t["weight"].float() * scales


def nibbles(bytes_, high_first):
    import torch

    pair = [bytes_ & 15, bytes_ >> 4]
    return torch.stack(pair[::-1] if high_first else pair, -1).flatten(-2).int()


def torch_bnb4(t):
    absmax = t["weight.absmax"]
    if "weight.nested_absmax" in t:
        absmax = t["weight.nested_quant_map"][absmax.int()] * t["weight.nested_absmax"].repeat_interleave(256) + .5
    values = t["weight.quant_map"][nibbles(t["weight"].flatten(), True)].reshape(-1, 64)
    return (values * absmax[:, None]).reshape(SIZE, SIZE)


def torch_bnb8(t):
    return t["weight"].float() * t["SCB"][:, None] * (1 / 127)


def torch_mlx(t):
    import torch

    values = fields(t["weight"].view(torch.int32), 1).float().reshape(SIZE, -1, GROUP)
    return (values * t["scales"].float()[:, :, None] + t["biases"].float()[:, :, None]).reshape(SIZE, SIZE)


def torch_mxfp4(t):
    import torch

    values = torch.tensor(FP4)[nibbles(t["_blocks"], False)]
    scales = torch.exp2(t["_scales"].float() - 127)
    return (values * scales[..., None]).reshape(1, SIZE, SIZE).transpose(1, 2).contiguous()


# name: (settings, tensors, peer); where a module's tensors are called otherwise, its name
FORMATS = {
    "GPTQ-4": (gptq_settings(False), lambda: gptq(False), torch_gptq),
    "GPTQ-4, act-order": (gptq_settings(True), lambda: gptq(True), torch_gptq),
    "AWQ": ({"quant_method": "awq", "version": "gemm", "bits": 4, "group_size": GROUP, "zero_point": True}, awq, torch_awq),
    "compressed-tensors int4": (ct_settings("pack-quantized", **INT4), ct_int4, compressed("pack-quantized", INT4)),
    "compressed-tensors int8": (ct_settings("int-quantized", **INT8),
                                lambda: {"weight": any_bits("I8", SIZE, SIZE), "weight_scale": ones("BF16", SIZE, 1)},
                                compressed("int-quantized", INT8)),
    "compressed-tensors fp8, channel": (ct_settings("float-quantized", **FP8_CHANNEL),
                                        lambda: {"weight": fp8(SIZE, SIZE), "weight_scale": ones("BF16", SIZE, 1)},
                                        compressed("float-quantized", FP8_CHANNEL)),
    "compressed-tensors fp8, block": (ct_settings("float-quantized", **FP8_BLOCK),
                                      lambda: {"weight": fp8(SIZE, SIZE), "weight_scale": ones("BF16", SIZE // 128, SIZE // 128)},
                                      compressed("float-quantized", FP8_BLOCK)),
    "compressed-tensors nvfp4": (ct_settings("nvfp4-pack-quantized", **NVFP4), nvfp4, compressed("nvfp4-pack-quantized", NVFP4)),
    "compressed-tensors mxfp4": (ct_settings("mxfp4-pack-quantized", **MXFP4),
                                 lambda: {"weight_packed": any_bits("U8", SIZE, SIZE // 2),
                                          "weight_scale": ones("U8", SIZE, SIZE // 32)},
                                 compressed("mxfp4-pack-quantized", MXFP4)),
    "fp8 blocks": ({"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3", "weight_block_size": [128, 128]},
                   lambda: {"weight": fp8(SIZE, SIZE), "weight_scale_inv": ones("F32", SIZE // 128, SIZE // 128)},
                   torch_fp8_blocks),
    "bitsandbytes nf4": (bnb_settings(4, "nf4", True), lambda: bnb4("nf4", True), torch_bnb4),
    "bitsandbytes fp4": (bnb_settings(4), lambda: bnb4("fp4", False), torch_bnb4),
    "bitsandbytes int8": (bnb_settings(8),
                          lambda: {"weight": any_bits("I8", SIZE, SIZE), "SCB": ones("F32", SIZE),
                                   "weight_format": ("U8", [], b"\0")}, torch_bnb8),
    "MLX 4 bit": ({"group_size": GROUP, "bits": 4, "mode": "affine"},
                  lambda: {"weight": any_bits("U32", SIZE, SIZE // 8), "scales": ones("BF16", SIZE, SIZE // GROUP),
                           "biases": ones("BF16", SIZE, SIZE // GROUP)}, torch_mlx),
    "MXFP4 of gpt-oss": ({"quant_method": "mxfp4"},
                         lambda: {"_blocks": any_bits("U8", 1, SIZE, SIZE // 32, 16), "_scales": ones("U8", 1, SIZE, SIZE // 32)},
                         torch_mxfp4),
}


# ---- measuring ----

def write_model(folder, settings, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        full = EXPERTS + name if name.startswith("_") else f"{MODULE}.{name}"
        header[full] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    folder.mkdir(parents=True)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)
    key = "quantization_config" if "quant_method" in settings else "quantization"
    (folder / "config.json").write_text(json.dumps({key: settings}))


def build(program):
    library = Path(program).resolve().parent / "common.a"
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    driver = BENCH_DIR.resolve() / "dequantize_folder"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", *LIBRARIES], check=True, stdout=subprocess.PIPE, text=True).stdout
    subprocess.run([compiler, "-std=c11", "-O2", "-pthread", "-D_GNU_SOURCE", f"-I{HERE.parents[1]}/common", "-o", driver,
                    HERE / "dequantize_folder.c", library, *flags.split(), "-lm"], check=True)
    return driver


def measure_cocktail(driver, folder):
    """(copy, store), (whole, chunks)"""
    lines = subprocess.run([driver, str(ROUNDS), folder], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    memory, rates = ([float(x) for x in line.split()[-2:]] for line in lines)
    return memory, rates


def measure_peer(tensors, peer):
    import torch

    torch.set_num_threads(1)
    kinds = {"I64": torch.int64, "I32": torch.int32, "U32": torch.uint32, "F32": torch.float32, "F16": torch.float16,
             "BF16": torch.bfloat16, "U8": torch.uint8, "I8": torch.int8, "F8_E4M3": torch.float8_e4m3fn}
    stored = {name: torch.frombuffer(bytearray(data), dtype=kinds[dtype]).reshape(shape)
              for name, (dtype, shape, data) in tensors.items()}
    best = None
    for _ in range(max(ROUNDS // 2, 1)):
        start = time.perf_counter()
        values = peer(stored)
        seconds = time.perf_counter() - start
        best = seconds if best is None else min(best, seconds)
    return values.numel() * 4 / best * 1e-9


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: bench_quantised.py PROGRAM [FORMAT ...]")
    has_peers = all(importlib.util.find_spec(name) for name in ("torch", "compressed_tensors"))
    if not has_peers:
        print(f"skipped the peers: torch or compressed-tensors is not installed in {Path(sys.executable).name}", file=sys.stderr)
    driver, folder, memories, rows = build(sys.argv[1]), BENCH_DIR / "quantised", [], []
    for name, (settings, make, peer) in FORMATS.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        tensors = make()
        write_model(folder, settings, tensors)
        memory, (whole, chunks) = measure_cocktail(driver, folder)
        other = measure_peer(tensors, peer) if has_peers else None
        memories.append(memory)
        rows.append([name, f"{whole:.1f}", f"{chunks:.1f}", f"{memory[0]:.1f}", f"{chunks / memory[0]:.2f}", f"{memory[1]:.1f}",
                     f"{other:.3f}" if other else "", f"{chunks / other:.0f}" if other else ""])
    shutil.rmtree(folder, ignore_errors=True)
    print(f"Load: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores.")
    print("\n**GB of floats a second, one thread**\n\n"
          "| format | whole | chunks | memcpy | chunks of memcpy | stores | peer | chunks times peer |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {' | '.join(row)} |")


main()
