#!/usr/bin/env python3
"""Write a model directory once more with other tensors or settings, without any package.

    rewrite_model.py FROM TO [OPERATION …]      operations are applied in this order of the command line

    drop=REGEX            leave out the tensors whose whole name matches
    rename=REGEX=TEXT     re.sub on all names
    copy=NAME=OTHER       the tensor NAME once more as OTHER
    scale=REGEX=NUMBER    multiply the values (F32, BF16 and F16; exact for powers of two)
    pad=NAME=ROWS         append ROWS rows of zeros
    cut=NAME=ROWS         keep the first ROWS rows
    empty=REGEX           shape [0]
    fuse=LAYERS           the experts of each layer LAYERS.N.*.experts.E.{w1,w3,w2 | gate,up,down}_proj as
                          LAYERS.N.mlp.experts.{gate_up_proj,down_proj}; Mixtral's router goes along
    set=KEY=JSON          a setting of config.json; unset=KEY takes it out
    metadata=KEY=VALUE    of the safetensors header
"""
import json, os, re, shutil, struct, sys

SIZES = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "U8": 1}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__", None)
    return metadata, {name: [entry["dtype"], entry["shape"],
                             data[8 + n + entry["data_offsets"][0]:8 + n + entry["data_offsets"][1]]]
                      for name, entry in header.items()}


def write(path, metadata, tensors):
    header, begin = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + len(data)]}
        begin += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def scaled(dtype, data, factor):
    if dtype == "BF16":
        wide = b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))
        return b"".join(wide_bytes[2:] for wide_bytes in
                        (struct.pack("<f", v[0] * factor) for v in struct.iter_unpack("<f", wide)))
    code = {"F32": "<f", "F16": "<e"}[dtype]
    return b"".join(struct.pack(code, v[0] * factor) for v in struct.iter_unpack(code, data))


def fuse(tensors, layers):
    pattern = re.compile(rf"({re.escape(layers)}\.\d+)\.(\w+)\.experts\.(\d+)\.(w1|w3|w2|gate_proj|up_proj|down_proj)\.weight")
    kinds = {"w1": 0, "gate_proj": 0, "w3": 1, "up_proj": 1, "w2": 2, "down_proj": 2}
    found, result = {}, {}
    for name, tensor in tensors.items():
        match = pattern.fullmatch(name)
        if match:
            found.setdefault(match[1], {}).setdefault(int(match[3]), {})[kinds[match[4]]] = tensor
        else:
            result[name.replace("block_sparse_moe.gate.", "mlp.gate.")] = tensor
    for layer, experts in found.items():
        dtype, (inner, hidden), _ = experts[0][0]
        n = len(experts)
        result[layer + ".mlp.experts.gate_up_proj"] = [dtype, [n, 2 * inner, hidden], b"".join(
            experts[e][0][2] + experts[e][1][2] for e in range(n))]
        result[layer + ".mlp.experts.down_proj"] = [dtype, [n, hidden, inner], b"".join(
            experts[e][2][2] for e in range(n))]
    return result


def rows(tensor, n):
    dtype, shape, data = tensor
    width = SIZES[dtype]
    for size in shape[1:]:
        width *= size
    return [dtype, [n] + shape[1:], data[:n * width].ljust(n * width, b"\0")]


def main():
    source, target = sys.argv[1:3]
    shutil.copytree(source, target)
    for folder, _, names in os.walk(target):
        for name in names:
            os.chmod(os.path.join(folder, name), 0o644)
    weights = os.path.join(target, "model.safetensors")
    metadata, tensors = read(weights)
    with open(os.path.join(target, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    for operation in sys.argv[3:]:
        kind, value = operation.split("=", 1)
        if kind == "drop":
            tensors = {k: v for k, v in tensors.items() if not re.fullmatch(value, k)}
        elif kind == "rename":
            old, new = value.rsplit("=", 1)
            tensors = {re.sub(old, new, k): v for k, v in tensors.items()}
        elif kind == "copy":
            old, new = value.split("=")
            tensors[new] = tensors[old]
        elif kind == "scale":
            pattern, factor = value.rsplit("=", 1)
            for k, v in tensors.items():
                if re.fullmatch(pattern, k) and v[0] in ("F32", "BF16", "F16"):
                    tensors[k] = [v[0], v[1], scaled(v[0], v[2], float(factor))]
        elif kind in ("pad", "cut"):
            name, n = value.split("=")
            n_rows = tensors[name][1][0]
            tensors[name] = rows(tensors[name], n_rows + int(n) if kind == "pad" else int(n))
        elif kind == "empty":
            tensors = {k: [v[0], [0], b""] if re.fullmatch(value, k) else v for k, v in tensors.items()}
        elif kind == "fuse":
            tensors = fuse(tensors, value)
        elif kind == "set":
            key, text = value.split("=", 1)
            config[key] = json.loads(text)
        elif kind == "unset":
            config.pop(value, None)
        elif kind == "metadata":
            key, text = value.split("=", 1)
            metadata = {**(metadata or {}), key: text}
        else:
            sys.exit(f"unknown operation '{operation}'")
    write(weights, metadata, tensors)
    with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


main()
