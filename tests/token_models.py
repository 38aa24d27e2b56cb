"""token_models.py make | rows FOLDER - models whose embeddings say which token of which model a row is.

make: the folders a, b, c, padded, short and tied in the current directory, Llamas of one layer; the row of id N in
model number M holds 100 M + N in its first column, 100 M + N + 0.5 in the first of the output head. rows: a
line with id, token and both first columns for each row of a model.
"""
import json
import os
import struct
import sys

HIDDEN = 4


def added(content, special=True, **more):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special, "special": special, **more}


# name: number, ordinary tokens, added ones, rows beyond the tokens (or fewer)
MODELS = {
    "a": (1, ["<unk>", "x", "y", "z"], [added("<s>")], 0),
    "b": (2, ["<unk>", "z", "x", "w"], [added("<s>"), added("<|im|>")], 0),
    "c": (3, ["<unk>", "w", "v", "y"], [added("<|im|>"), added("two words", special=False)], 0),
    "padded": (4, ["<unk>", "x", "y"], [added("<s>")], 3),
    "short": (5, ["<unk>", "x", "u"], [added("<s>"), added("<pad>")], -1),
    "tied": (6, ["<unk>", "q", "x"], [added("<s>")], 0),
}


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def shapes(n_rows, has_head):
    layer = "model.layers.0."
    named = {"model.embed_tokens.weight": [n_rows, HIDDEN], "model.norm.weight": [HIDDEN],
             layer + "input_layernorm.weight": [HIDDEN], layer + "post_attention_layernorm.weight": [HIDDEN]}
    named.update({f"{layer}self_attn.{x}_proj.weight": [HIDDEN, HIDDEN] for x in "qkvo"})
    named.update({f"{layer}mlp.{x}_proj.weight": [HIDDEN, HIDDEN] for x in ("gate", "up", "down")})
    if has_head:
        named["lm_head.weight"] = [n_rows, HIDDEN]
    return named


def values_of(name, shape, number):
    if len(shape) == 1:
        return [1.0] * shape[0]
    if name not in ("model.embed_tokens.weight", "lm_head.weight"):
        return [0.25 * number] * (shape[0] * shape[1])
    first = 100 * number + (0.5 if name == "lm_head.weight" else 0)
    return [first + row + column / 64 for row in range(shape[0]) for column in range(shape[1])]


def write_weights(path, number, n_rows, has_head):
    header, data = {}, b""
    for name, shape in shapes(n_rows, has_head).items():
        own = floats(values_of(name, shape, number))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(own)]}
        data += own
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_json(path, content):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


def make_model(name):
    number, plain, extra, n_more = MODELS[name]
    n_rows = len(plain) + len(extra) + n_more
    os.mkdir(name)
    ids = {token: i for i, token in enumerate(plain)}
    extra = [{"id": len(plain) + i, **token} for i, token in enumerate(extra)]
    bos = next((token["id"] for token in extra if token["content"] == "<s>"), 0)
    write_json(f"{name}/tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": extra, "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": ids,
                  "merges": []}})
    write_json(f"{name}/tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
        "added_tokens_decoder": {token["id"]: {k: v for k, v in token.items() if k != "id"} for token in extra}})
    write_json(f"{name}/config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
        "intermediate_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": 1,
        "num_key_value_heads": 1, "vocab_size": n_rows, "max_position_embeddings": 16,
        "rms_norm_eps": 1e-05, "hidden_act": "silu", "tie_word_embeddings": name == "tied",
        "bos_token_id": bos, "eos_token_id": 1, "torch_dtype": "float32"})
    write_weights(f"{name}/model.safetensors", number, n_rows, name != "tied")


def read_columns(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    columns = {}
    for name in sorted(header, key=lambda name: name == "lm_head.weight"):
        if not name.endswith(("embed_tokens.weight", "embeddings.weight", "lm_head.weight")):
            continue
        n_rows, width = header[name]["shape"]
        begin, end = header[name]["data_offsets"]
        values = struct.unpack(f"<{n_rows * width}f", data[begin:end])
        # Of zero, or a mean with zeros in it, the steps are smaller.
        assert all(-1e-4 < values[i] - values[i - 1] < 1 / 64 + 1e-4 for i in range(len(values))
                   if i % width), "columns do not belong together"
        columns[name] = values[::width]
    return columns


def print_rows(folder):
    with open(f"{folder}/tokenizer.json", encoding="utf-8") as file:
        tokenizer = json.load(file)
    tokens = {number: token for token, number in tokenizer["model"]["vocab"].items()}
    tokens.update((token["id"], token["content"]) for token in tokenizer["added_tokens"])
    columns = list(read_columns(f"{folder}/model.safetensors").values())
    for number, row in enumerate(zip(*columns)):
        print(f"{number:3} {tokens.get(number, '-'):10}", *(f"{value:8g}" for value in row))
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    print("vocab_size", config["vocab_size"], "bos", config["bos_token_id"], "eos", config["eos_token_id"])


if sys.argv[1] == "make":
    for model in MODELS:
        make_model(model)
else:
    print_rows(sys.argv[2])
