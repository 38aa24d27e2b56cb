"""move_expected.py make FOLDER | check FOLDER RESULT METHOD [K [VARIANT]] | check-tied FOLDER RESULT

`tokenizer move`, computed once more.

`make` writes two small models with tokenizers that differ: FOLDER/own (pieces of sentencepiece, with bytes) and
FOLDER/donor (byte-level, another width, ids without a token, tokens without a row), and tied versions of both.
`check` compares RESULT, made of own and donor, with what the rules of docs/tokenizers.md give here, in double.
"""
import json
import math
import os
import random
import struct
import subprocess
import sys

from golden_compare import read_model, values

WORDS = "the cat sat on a mat then dog sun run".split()
BYTE_MARK, MARK = "\u0120", "\u2581"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def own_tokens():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokens += [MARK] + sorted({c for word in WORDS for c in word}) + ["B", "?"]
    for word in WORDS:
        for text in (word, MARK + word):
            tokens += [text[:n] for n in range(2, len(text) + 1)]
    return list(dict.fromkeys(tokens))


def donor_tokens():
    """Token -> id; no token has 40, and the last two have no row."""
    tokens = ["<|end|>", "A", "B", "C", "<0x42>", "?", "\u010a", "\u00c3", BYTE_MARK, "!"]
    tokens += sorted({c for word in WORDS for c in word})
    for word in WORDS + ["sunny", "doghouse", "running"]:
        tokens += [word, BYTE_MARK + word]
    tokens += [BYTE_MARK + "xyz", "\u010a\u010a", BYTE_MARK + "3"]
    tokens = list(dict.fromkeys(tokens))
    return {token: i + (i >= 40) for i, token in enumerate(tokens)}


def merges_of(tokens):
    known, found = set(tokens), []
    for token in tokens:
        for cut in range(len(token) - 1, 0, -1):
            if token[:cut] in known and token[cut:] in known and not token.startswith("<"):
                found.append([token[:cut], token[cut:]])
                break
    return found


def special(token, i):
    return {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True}


def write_tokenizers(own, donor):
    tokens = own_tokens()
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
             "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges_of(tokens)}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    write_json(f"{own}/tokenizer.json", {
        "version": "1.0", "added_tokens": [special(t, i) for i, t in enumerate(tokens[:3])], "model": model,
        "normalizer": replace, "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{**replace, "pattern": {"String": MARK}, "content": " "},
                                                     {"type": "ByteFallback"}, {"type": "Fuse"}]}})
    write_json(f"{own}/tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>",
                                                "bos_token": "<s>", "eos_token": "</s>"})
    ids = donor_tokens()
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "vocab": ids, "merges": merges_of(ids)}
    write_json(f"{donor}/tokenizer.json", {
        "version": "1.0", "added_tokens": [special("<|end|>", 0)], "model": model, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level})
    write_json(f"{donor}/tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|end|>",
                                                  "eos_token": "<|end|>", "chat_template": "{{ messages }}"})


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def write_model(path, seed, n_rows, width, is_tied, config):
    rng = random.Random(seed)
    inner, at = 12, "model.layers.0."
    shapes = {EMBEDDING: [n_rows, width], "model.norm.weight": [width], at + "input_layernorm.weight": [width],
              at + "post_attention_layernorm.weight": [width], at + "mlp.gate_proj.weight": [inner, width],
              at + "mlp.up_proj.weight": [inner, width], at + "mlp.down_proj.weight": [width, inner]}
    shapes |= {f"{at}self_attn.{name}_proj.weight": [width, width] for name in "qkvo"}
    if not is_tied:
        shapes[HEAD] = [n_rows, width]
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape in shapes.items():
        n = math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * n]}
        data += struct.pack(f"<{n}f", *(rng.gauss(0, 0.3) for _ in range(n)))
    text = json.dumps(header).encode()
    with open(f"{path}/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    write_json(f"{path}/config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": n_rows,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": is_tied,
        "torch_dtype": "float32", **config})


def make(folder):
    for tied in (False, True):
        own, donor = (f"{folder}/{name}{'-tied' if tied else ''}" for name in ("own", "donor"))
        for path in (own, donor):
            os.makedirs(path)
        write_tokenizers(own, donor)
        write_model(own, 1 + tied, len(own_tokens()) + 5, 8, tied,
                    {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "bad_words_ids": [[7]]})
        write_model(donor, 3 + tied, max(donor_tokens().values()) - 1, 12, tied, {"eos_token_id": [0, 5]})
        write_json(f"{own}/generation_config.json", {"eos_token_id": 2, "bos_token_id": 1, "temperature": 0.5})


# ---- what must come out


def key_of(token, mark, roles):
    if token.startswith(mark):
        return "word", token[len(mark):]
    return ("role", roles[token]) if token in roles else ("plain", token)


def byte_key(key):
    kind, text = key
    if kind == "plain" and len(text) == 1 and ord(text) < 256:
        return "plain", f"<0x{ord(text):02X}>"
    if kind == "plain" and len(text) == 6 and text.startswith("<0x"):
        return "plain", chr(int(text[3:5], 16))
    return None


def match(keys, key, places):
    if key in keys:
        return keys[key], "copied"
    if "byte" in places and byte_key(key) in keys:
        return keys[byte_key(key)], "matched"
    for n in range(len(key[1]) - 1, 0, -1) if "prefix" in places and key[0] != "role" else ():
        if (key[0], key[1][:n]) in keys:
            return keys[key[0], key[1][:n]], "matched"
    return None, "made"


def dot(x, y):
    return math.fsum(a * b for a, b in zip(x, y))


def solve(matrix, right):
    """By Gauss, with the largest pivot."""
    rows = [row[:] + [b] for row, b in zip(matrix, right)]
    n = len(rows)
    for i in range(n):
        best = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[best] = rows[best], rows[i]
        for r in range(n):
            if r != i:
                share = rows[r][i] / rows[i][i]
                rows[r] = [a - share * b for a, b in zip(rows[r], rows[i])]
    return [rows[i][n] / rows[i][i] for i in range(n)]


def fit(points, y, sums_to_one=False):
    """The weights for which the points make y as well as they can."""
    matrix = [[dot(a, b) for b in points] for a in points]
    right = [dot(p, y) for p in points]
    if sums_to_one:
        matrix = [row + [1.0] for row in matrix] + [[1.0] * len(points) + [0.0]]
        right.append(1.0)
    return solve(matrix, right)[:len(points)]


def omp(y, points, k, _variant):
    chosen, rest, weights = [], y, []
    for _ in range(k):
        chosen.append(max((i for i in range(len(points)) if i not in chosen),
                          key=lambda i: abs(dot(rest, points[i]))))
        weights = fit([points[i] for i in chosen], y)
        rest = [v - math.fsum(w * points[i][c] for w, i in zip(weights, chosen)) for c, v in enumerate(y)]
    return chosen, weights


def interpolation(y, points, k, variant):
    size = lambda x: math.sqrt(dot(x, x))
    cosine = [dot(y, p) / max(size(y) * size(p), 1e-6) for p in points]
    away = [size([a - b for a, b in zip(y, p)]) for p in points]
    is_cosine = "cosine" in variant
    nearest = sorted(range(len(points)), key=lambda i: -cosine[i] if is_cosine else away[i])[:k]
    if "least_squares" in variant or "barycentric" in variant:
        return nearest, fit([points[i] for i in nearest], y, "barycentric" in variant)
    weights = [cosine[i] if is_cosine else 1 / max(away[i], 1e-6) for i in nearest]
    return nearest, [w / max(math.fsum(weights), 1e-6) for w in weights]


def pieces_of(token, own):
    """By the model's own tokenizer, of the text that the donor's token stands for."""
    if token.startswith("<|"):
        text = token
    else:
        shown = {"\u0120": " ", "\u010a": "\n"}
        text = "".join(shown.get(c, c) for c in token)
    done = subprocess.run(["cocktail", "tokenize", own, "--jsonl", "--no-special"], input=json.dumps(text).encode(),
                          capture_output=True, check=True)
    return [int(i) for i in done.stdout.split()]


def subword(token, own, rows, variant, is_head):
    ids = pieces_of(token, own)
    n = len(ids)
    weights = {"mean": [1 / n] * n, "sum": [1] * n,
               "weighted_mean": [(n - i if is_head else i + 1) / (n * (n + 1) / 2) for i in range(n)],
               "first_last": [float(i == (0 if is_head else n - 1)) for i in range(n)]}[variant or "mean"]
    return [math.fsum(w * rows[i][c] for w, i in zip(weights, ids)) for c in range(len(rows[0]))]


def expected_rows(folder, name, own, donor, method, k, variant):
    """Rows, and how they come about."""
    is_head = name == HEAD
    places = {place for place in ("byte", "prefix") if f"{place}={'head' if is_head else 'embedding'}" in variant
              or f"{place}=both" in variant}
    P, Q = rows_of(donor.get(name, donor[EMBEDDING])), rows_of(own[name])
    tokens = {key_of(t, MARK, {"<s>": "bos", "</s>": "eos", "<unk>": "unk"}): i for i, t in enumerate(own_tokens())}
    wanted, n_rows = donor_tokens(), max(donor_tokens().values()) + 1
    keys = {t: key_of(t, BYTE_MARK, {"<|end|>": "bos"}) for t in wanted}
    shared = [(i, tokens[keys[t]]) for t, i in wanted.items() if keys[t] in tokens and i < len(P)]
    rows, kinds = [[0.0] * len(Q[0]) for _ in range(n_rows)], ["none"] * n_rows
    mean = [math.fsum(column) / len(Q) for column in zip(*Q)]
    for token, i in wanted.items():
        if i >= len(P):
            continue
        at, kinds[i] = match(tokens, keys[token], places)
        if at is not None:
            rows[i] = Q[at]
        elif method == "mean":
            rows[i] = mean
        elif method == "subword":
            rows[i] = subword(token, f"{folder}/own", Q, variant.split(",")[0], is_head)
        elif method != "zero":
            made = {"omp": omp, "common_interpolation": interpolation}[method]
            indices, weights = made(P[i], [P[d] for d, _ in shared], k, variant)
            rows[i] = [math.fsum(w * Q[shared[s][1]][c] for s, w in zip(indices, weights)) for c in range(len(Q[0]))]
    return rows, kinds


def rows_of(tensor):
    numbers, (n, width) = values(tensor), tensor[2]
    return [list(numbers[i * width:(i + 1) * width]) for i in range(n)]


def check(folder, result, method, k="0", variant=""):
    own, donor, made = (read_model(path) for path in (f"{folder}/own", f"{folder}/donor", result))
    assert set(made) == set(own), set(made) ^ set(own)
    for name, tensor in own.items():
        if name not in (EMBEDDING, HEAD):
            assert made[name] == tensor, name
            continue
        wanted, kinds = expected_rows(folder, name, own, donor, method, int(k), variant)
        found = rows_of(made[name])
        assert len(found) == len(wanted), (name, len(found), len(wanted))
        for i, (x, y, kind) in enumerate(zip(wanted, found, kinds)):
            limit = 2e-5 * max(1, *map(abs, x)) if kind == "made" else 0
            assert all(abs(a - b) <= limit for a, b in zip(x, y)), (name, i, kind, x, y)
    print(method, variant, {kind: kinds.count(kind) for kind in sorted(set(kinds))})


def check_tied(folder, result):
    """Own-tied by donor: one matrix, of the donor's embedding and the model's own."""
    own, made = read_model(f"{folder}/own-tied"), read_model(result)
    assert set(made) == set(own) and HEAD not in made
    wanted, kinds = expected_rows(folder, EMBEDDING, own, read_model(f"{folder}/donor"), "omp", 6, "")
    for x, y in zip(wanted, rows_of(made[EMBEDDING])):
        assert all(abs(a - b) <= 2e-5 * max(1, *map(abs, x)) for a, b in zip(x, y))


if sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "check-tied":
    check_tied(*sys.argv[2:])
else:
    check(*sys.argv[2:])
