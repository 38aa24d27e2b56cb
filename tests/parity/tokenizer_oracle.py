"""tokenizer_oracle.py - what `cocktail tokenize DIR` must agree with, as an object of the package `tokenizers`.

load() reads a directory: tokenizer.json with what tokenizer_config.json, special_tokens_map.json and
added_tokens.json change in it, or the files of models that have none, as the converters of transformers
4.57 do. Also here: writing such files.
"""

import base64
import json
import struct
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
LLAMA_LIKE = ("Llama", "CodeLlama", "Gemma")
PREFIX_SPACE = ("GPT2", "Roberta", "Bart", "CodeGen", "Longformer")
LOWER_ONE = "\u2581"
LLAMA3_REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
                r"\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN_REGEX = LLAMA3_REGEX.replace("{1,3}", "")
LLAMA3_SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_special_token_{i}|>" for i in range(4)), "<|start_header_id|>",
                   "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>", *(f"<|reserved_special_token_{i}|>" for i in range(5, 251))]


def content(token):
    return token["content"] if isinstance(token, dict) else token


def added(token, special=True):
    """An AddedToken from a string or an object with properties."""
    flags = token if isinstance(token, dict) else {}
    names = ("single_word", "lstrip", "rstrip", "normalized")
    return AddedToken(content(token), special=flags.get("special", special), **{name: flags.get(name, False) for name in names})


def class_of(config):
    return (config.get("tokenizer_class") or "").removesuffix("Fast").removesuffix("Tokenizer")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# ---- the bytes of byte-level vocabularies


def byte_characters():
    shown = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}


TO_CHARACTER = byte_characters()
TO_BYTE = {c: b for b, c in TO_CHARACTER.items()}


def spelled(token):
    return "".join(TO_CHARACTER[b] for b in token)


# ---- protocol buffers


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece_model(pieces, model=1, charsmap=b"", unk_id=0):
    """ModelProto of (piece, score, type) triples; with fields that a reader must skip."""
    out = b""
    for piece, score, kind in pieces:
        out += field(1, field(1, piece) + field(2, float(score)) + (field(3, kind) if kind != 1 else b""))
    trainer = field(1, "input.txt") + field(3, model) + field(4, len(pieces)) + field(10, 0.9995) + field(35, 1) + field(40, unk_id)
    normalizer = field(1, "nmt_nfkc") + (field(2, charsmap) if charsmap else b"") + field(3, 1)
    return out + field(2, trainer) + field(3, normalizer) + field(9, b"\1\2") + field(200, 77)


def read_proto(data):
    """A message as {field: [values]}."""
    res, i = {}, 0

    def number():
        nonlocal i
        value = shift = 0
        while True:
            byte = data[i]
            i += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while i < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        elif key & 7 == 1:
            value, i = data[i:i + 8], i + 8
        elif key & 7 == 2:
            n = number()
            value, i = data[i:i + n], i + n
        else:
            value, i = struct.unpack("<f", data[i:i + 4])[0], i + 4
        res.setdefault(key >> 3, []).append(value)
    return res


# ---- the kinds of files


def scored_merges(pieces):
    """Merges of (piece, score) pairs in the order of transformers' converter."""
    ids = {piece: i for i, (piece, _) in enumerate(pieces)}
    res = []
    for piece, score in pieces:
        local = [(piece[:k], piece[k:], score) for k in range(1, len(piece)) if piece[:k] in ids and piece[k:] in ids]
        res += sorted(local, key=lambda x: (ids[x[0]], ids[x[1]]))
    return [(a, b) for a, b, _ in sorted(res, key=lambda x: (x[2], len(x[0]), len(x[1])), reverse=True)]


def ranked_merges(ids):
    """Merges of a vocabulary whose ids are ranks."""
    res = []
    for piece in sorted(ids, key=ids.get):
        local = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in ids and piece[k:] in ids]
        res += sorted(local, key=lambda x: (ids[x[0]], ids[x[1]]))
    return res


def byte_level(vocab, merges, pattern=None, prefix_space=False, **options):
    tokenizer = Tokenizer(models.BPE(vocab, merges, **options))
    if pattern:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                           pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def template(tokenizer, single, pair, tokens):
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair,
                                                             special_tokens=[(t, tokenizer.token_to_id(t)) for t in tokens])


def load_vocab_txt(path, config):
    vocab = {}
    for i, line in enumerate(path.read_bytes().decode().removesuffix("\n").split("\n")):
        vocab[line] = i
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = bert_normalizer(config)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    if class_of(config) == "MPNet":
        template(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
        return tokenizer, []
    template(tokenizer, "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", ["[CLS]", "[SEP]"])
    return tokenizer, ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"]


def load_vocab_json(path, config):
    vocab = json.loads(path.read_text(encoding="utf-8"))
    lines = (path.parent / "merges.txt").read_bytes().decode().split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    name = class_of(config)
    if name == "Qwen2":
        tokenizer = byte_level(vocab, merges, QWEN_REGEX)
        tokenizer.normalizer = normalizers.NFC()
    else:
        tokenizer = byte_level(vocab, merges, prefix_space=config.get("add_prefix_space", False))
    if name in ("Roberta", "Bart"):
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", vocab["</s>"]), ("<s>", vocab["<s>"]))
        return tokenizer, []
    return tokenizer, ["<|endoftext|>"]


def load_proto(path, config):
    try:
        proto = read_proto(path.read_bytes())
        pieces = [(m[1][0].decode(), m.get(2, [0.0])[0], m.get(3, [1])[0]) for m in map(read_proto, proto[1])]
    except (IndexError, KeyError, TypeError, struct.error, UnicodeDecodeError):
        return load_tiktoken(path)
    trainer, norm = read_proto(proto[2][0]), read_proto(proto[3][0])
    name = class_of(config)
    extra = []
    if trainer.get(3, [1])[0] == 2:
        tokenizer = load_scored(pieces, config)
        specials = [] if name == "Gemma" else ["<unk>", "<s>", "</s>"]
    else:
        vocab = [(piece, score) for piece, score, _ in pieces]
        specials = ["<unk>", "<s>", "</s>"]
        unk_id = trainer.get(40, [0])[0]
        if path.name == "sentencepiece.bpe.model" or name == "XLMRoberta":
            vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *vocab[3:], ("<mask>", 0.0)]
            unk_id = 3
            extra = [AddedToken("<pad>", normalized=False, special=True), AddedToken("<mask>", lstrip=True, normalized=False, special=True)]
        if name == "T5":
            vocab += [(f"<extra_id_{i}>", 0.0) for i in range(99, -1, -1)]
            specials = []
        tokenizer = Tokenizer(models.Unigram(vocab, unk_id, False))
        charsmap = norm.get(2, [b""])[0]
        first = [normalizers.Precompiled(charsmap)] if charsmap else []
        tokenizer.normalizer = normalizers.Sequence([*first, normalizers.Strip(left=False, right=True),
                                                     normalizers.Replace(Regex(" {2,}"), LOWER_ONE)])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        if extra:
            template(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
        elif name == "T5":
            template(tokenizer, "$A </s>", "$A </s> $B </s>", ["</s>"])
    for piece, _, kind in pieces:
        if kind in (3, 4):
            add = tokenizer.add_special_tokens if kind == 3 else tokenizer.add_tokens
            add([AddedToken(piece, normalized=False, special=kind == 3)])
    tokenizer.add_special_tokens(extra)
    return tokenizer, specials


def load_scored(pieces, config):
    """The Llama and Gemma kind: BPE with merges derived from the scores."""
    vocab = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab, scored_merges([p[:2] for p in pieces]), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [decoders.Replace(LOWER_ONE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if class_of(config) == "Gemma":
        tokenizer.normalizer = normalizers.Replace(" ", LOWER_ONE)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    else:
        steps.append(decoders.Strip(" ", 1, 0))
        if config.get("legacy") is False:
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        else:
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(LOWER_ONE), normalizers.Replace(" ", LOWER_ONE)])
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def load_tiktoken(path):
    vocab = {}
    for line in path.read_text().splitlines():
        token, rank = line.split()
        vocab[spelled(base64.b64decode(token))] = int(rank)
    tokenizer = byte_level(vocab, ranked_merges(vocab), LLAMA3_REGEX, ignore_merges=True)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in LLAMA3_SPECIALS])
    return tokenizer, []


def load_tekken(path, config):
    tekken = json.loads(path.read_text())
    n_special = tekken["config"]["default_num_special_tokens"]
    entries = tekken["vocab"][:tekken["config"]["default_vocab_size"] - n_special]
    vocab = {spelled(base64.b64decode(e["token_bytes"])): e["rank"] + n_special for e in entries}
    merges = ranked_merges(vocab)
    names = {e["rank"]: e["token_str"] for e in tekken.get("special_tokens", [])}
    usual = {} if "special_tokens" in tekken else {0: "<unk>", 1: "<s>", 2: "</s>"}
    specials = [names.get(i, usual.get(i, f"<SPECIAL_{i}>")) for i in range(n_special)]
    vocab |= {token: i for i, token in enumerate(specials)}
    tokenizer = byte_level(vocab, merges, tekken["config"]["pattern"], ignore_merges=True)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in specials])
    return tokenizer, []


LOADERS = {"vocab.txt": load_vocab_txt, "vocab.json": load_vocab_json, "tokenizer.model": load_proto, "spiece.model": load_proto,
           "sentencepiece.bpe.model": load_proto, "tekken.json": load_tekken}


# ---- what stands beside


def bert_normalizer(config):
    return normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=config.get("tokenize_chinese_chars", True),
                                      strip_accents=config.get("strip_accents"), lowercase=config.get("do_lower_case", True))


def add_config_tokens(tokenizer, directory, config, specials):
    """Tokens that the files beside name and the tokenizer does not know."""
    known = {t.content for t in tokenizer.get_added_tokens_decoder().values()}
    numbered = [(int(i), t) for i, t in config.get("added_tokens_decoder", {}).items()]
    maps = [config]
    if "added_tokens_decoder" not in config:
        maps.append(read_json(directory / "special_tokens_map.json"))
    first = {name: m[name] for m in reversed(maps) for name in NAMED if m.get(name)}
    lists = [t for m in maps for name in ("additional_special_tokens", "extra_special_tokens") if isinstance(m.get(name), list) for t in m[name]]
    named = [first[name] for name in NAMED if name in first] + lists
    if "added_tokens_decoder" not in config:
        special = {content(t) for t in named}
        for token, i in read_json(directory / "added_tokens.json").items():
            numbered.append((i, {"content": token, "special": token in special, "normalized": token not in special}))
    for i, token in sorted(numbered, key=lambda x: x[0]):
        if token["content"] not in known and tokenizer.id_to_token(i) in (None, token["content"]):
            known.add(token["content"])
            add = tokenizer.add_special_tokens if token.get("special") else tokenizer.add_tokens
            add([added(token, False)])
    for token in named + specials:
        if content(token) not in known:
            known.add(content(token))
            tokenizer.add_special_tokens([added(token)])


def apply_flags(tokenizer, config):
    bos, eos = content(config.get("bos_token") or "<s>"), content(config.get("eos_token") or "</s>")
    first = bos if config.get("add_bos_token", True) and config.get("add_bos_token") is not None or "add_bos_token" not in config else ""
    last = eos if config.get("add_eos_token") else ""
    parts = [[f"{token}:{i}" for token in (first, f"${name}", last) if token] for i, name in enumerate("AB")]
    template(tokenizer, " ".join(parts[0]), " ".join(parts[0] + parts[1]), [t for t in (first, last) if t])


def load(directory):
    directory = Path(directory)
    config = read_json(directory / "tokenizer_config.json")
    name, specials = class_of(config), []
    has_json = (directory / "tokenizer.json").exists()
    if has_json:
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    else:
        file = next(f for f in LOADERS if (directory / f).exists())
        tokenizer, specials = LOADERS[file](directory / file, config)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    add_config_tokens(tokenizer, directory, config, specials)
    if name in LLAMA_LIKE and ("add_bos_token" in config or "add_eos_token" in config or not has_json):
        apply_flags(tokenizer, config)
    if name == "Bert" and has_json and isinstance(tokenizer.normalizer, normalizers.BertNormalizer):
        tokenizer.normalizer = bert_normalizer(config)
    if name in PREFIX_SPACE and "add_prefix_space" in config and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel):
        tokenizer.pre_tokenizer.add_prefix_space = config["add_prefix_space"]
    return tokenizer
