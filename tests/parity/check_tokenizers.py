"""check_tokenizers.py - ids and texts, compared with the package `tokenizers` to the last one.

Real tokenizers come from $COCKTAIL_TEST_DATA/tokenizers/NAME/ (files may end in .gz), with golden ids
in $COCKTAIL_TEST_DATA/golden/tokenizers/; without that variable only the fixtures and the synthetic
tokenizers of tokenizer_zoo.py are compared.
"""

import base64
import gzip
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import tokenizer_oracle as oracle
import tokenizer_texts as texts
import tokenizer_zoo as zoo
from harness import COCKTAIL, Skip, case, case_for, fixture, run, scratch

SEED = 20240
N_RANDOM = 20000  # texts a tokenizer
N_PAIRS = 1500
N_PART, CHARACTERS_PART = 2000, 200000  # at once
DATA = Path(os.environ["COCKTAIL_TEST_DATA"]) if os.environ.get("COCKTAIL_TEST_DATA") else None
REAL = sorted(p.name for p in (DATA / "tokenizers").iterdir() if p.is_dir()) if DATA else []


# ---- running


def tokenize(directory, lines, *options):
    """Output lines of `tokenize --jsonl`, one an item."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([COCKTAIL, "tokenize", str(directory), "--jsonl", *options], input=text.encode(), capture_output=True, timeout=600)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr.decode(errors='replace')}"
    out = done.stdout.decode().split("\n")[:-1]
    assert len(out) == len(lines), f"{len(lines)} texts, {len(out)} lines"
    return out


def ids_of(directory, lines, *options):
    return [[int(i) for i in line.split()] for line in tokenize(directory, lines, *options)]


def decoded(directory, lists, *options):
    text = "".join(" ".join(map(str, ids)) + "\n" for ids in lists)
    done = subprocess.run([COCKTAIL, "tokenize", str(directory), "--decode", "--json", *options], input=text.encode(), capture_output=True, timeout=600)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr.decode(errors='replace')}"
    return [json.loads(line)["text"] for line in done.stdout.decode().split("\n")[:-1]]


def shortened(text, differs):
    """A short text that still differs: pieces are left out while it does."""
    size = len(text)
    while size > 0:
        candidates = [text[:i] + text[i + size:] for i in range(0, len(text), size)]
        better = next((c for c, bad in zip(candidates, differs(candidates)) if bad), None) if len(text) > 1 else None
        if better is None:
            size = size // 2
        else:
            text, size = better, min(size, len(better))
    return text


def in_parts(items):
    """Lists of at most N_PART items and CHARACTERS_PART characters. A longer text stands alone: the
    encodings of the reference take hundreds of bytes a character."""
    part, size = [], 0
    for item in items:
        n = sum(map(len, item)) if isinstance(item, tuple) else len(item)
        if part and (len(part) == N_PART or size + n > CHARACTERS_PART):
            yield part
            part, size = [], 0
        part.append(item)
        size += n
    if part:
        yield part


def quietly(function, *arguments, **options):
    """Without what a panic prints: descriptor 2 leads nowhere meanwhile."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return function(*arguments, **options)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def or_none(function, *arguments, **options):
    """What the function gives, or None where the reference raises, or panics (which is no Exception)."""
    try:
        return quietly(function, *arguments, **options)
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            return None
        raise


def reference_ids(tokenizer, items, special):
    """Few at once: what is cut off comes along, for a pair each rest of one with each rest of the other."""
    return [e.ids for i in range(0, len(items), 25) for e in tokenizer.encode_batch(items[i:i + 25], add_special_tokens=special)]


def reference_texts(tokenizer, lists, skip):
    together = or_none(tokenizer.decode_batch, lists, skip_special_tokens=skip)
    return together or [or_none(tokenizer.decode, ids, skip_special_tokens=skip) for ids in lists]


def lines_of(items):
    return [{"text": item[0], "pair": item[1]} if isinstance(item, tuple) else item for item in items]


def flags_of(special, options):
    return [*options] + ([] if special else ["--no-special"])


def described(directory, tokenizer, wrong, n_items, special, options):
    """What differs, on a text as short as could be found."""
    item = min(wrong, key=len)
    flags = flags_of(special, options)

    def both(items):
        return list(zip(ids_of(directory, lines_of(items), *flags), reference_ids(tokenizer, items, special)))

    if isinstance(item, str) and len(item) < 300 and not options:
        item = shortened(item, lambda candidates: [a != b for a, b in both(candidates)])
    ours, theirs = both([item])[0]
    return f"{len(wrong)} of {n_items} differ; {item!r} {flags}: {ours[:60]}, expected {theirs[:60]}"


def different_texts(directory, tokenizer, lists, skip):
    """(ids, our text, theirs) where the texts of ids differ."""
    got = decoded(directory, lists, *(["--skip-special"] if skip else []))
    expected = reference_texts(tokenizer, lists, skip)
    return [row for row in zip(lists, got, expected) if row[2] is not None and row[1] != row[2]]


def expect_same(directory, items, tokenizer=None):
    """Ids with and without special tokens, and their text."""
    tokenizer = tokenizer or oracle.load(directory)
    wrong, wrong_texts = {True: [], False: []}, {True: [], False: []}
    for part in in_parts(items):
        for special in (True, False):
            got = ids_of(directory, part, *flags_of(special, []))
            expected = reference_ids(tokenizer, part, special)
            wrong[special] += [item for item, a, b in zip(part, got, expected) if a != b]
        for skip in (True, False):
            wrong_texts[skip] += different_texts(directory, tokenizer, expected, skip)
    problems = [described(directory, tokenizer, wrong[special], len(items), special, []) for special in wrong if wrong[special]]
    for skip, rows in wrong_texts.items():
        if rows:
            ids, ours, theirs = min(rows, key=lambda row: len(row[0]))
            problems.append(f"{len(rows)} of {len(items)} texts differ; that of {ids}, skipping {skip}: {ours!r}, expected {theirs!r}")
    assert not problems, "; ".join(problems)
    return len(items)


def expect_same_cut(directory, tokenizer, items, special, length, side):
    options = ["--max-length", str(length)] if length else []
    wrong = []
    if length:
        tokenizer.enable_truncation(length, direction=side)
    for part in in_parts(items):
        got = ids_of(directory, lines_of(part), *flags_of(special, options))
        wrong += [item for item, a, b in zip(part, got, reference_ids(tokenizer, part, special)) if a != b]
    problem = described(directory, tokenizer, wrong, len(items), special, options) if wrong else None
    tokenizer.no_truncation()
    assert not problem, problem


def expect_same_pairs(directory, items, tokenizer=None, lengths=(None, 4, 5, 6, 9, 17), side="right"):
    """Pairs and single texts, cut and whole."""
    tokenizer = tokenizer or oracle.load(directory)
    pairs = list(zip(items[::2], items[1::2]))
    for special in (True, False):
        for length in lengths:
            expect_same_cut(directory, tokenizer, pairs, special, length, side)
            expect_same_cut(directory, tokenizer, items[:len(pairs)], special, length, side)
    return len(pairs)


def added_contents(tokenizer, most=80):
    contents = sorted(t.content for t in tokenizer.get_added_tokens_decoder().values())
    return contents if len(contents) <= most else random.Random(SEED).sample(contents, most)


def compare(directory, n_random=N_RANDOM, tokenizer=None, seed=SEED, listed=True):
    """Everything for one directory; the remark for its line."""
    tokenizer = tokenizer or oracle.load(directory)
    contents = added_contents(tokenizer)
    items = (texts.listed(contents) if listed else []) + texts.at_random(seed, n_random, contents)
    n = expect_same(directory, items, tokenizer)
    pairs = texts.at_random(seed + 1, min(2 * N_PAIRS, n_random), contents, 4)
    n_pairs = expect_same_pairs(directory, pairs, tokenizer)
    return f"{n} texts, {n_pairs} pairs"


# ---- directories


def real(name, files=None, **config):
    """A directory of the test data, unpacked; `files` chooses and renames, `config` is written beside."""
    if not DATA:
        raise Skip("COCKTAIL_TEST_DATA does not name the real tokenizers")
    target = scratch() / f"{name}-{len(list(scratch().iterdir()))}"
    target.mkdir()
    for path in (DATA / "tokenizers" / name).iterdir():
        plain = path.name.removesuffix(".gz")
        if files is None or plain in files:
            data = path.read_bytes()
            (target / (files[plain] if files else plain)).write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
    if config:
        write_json(target / "tokenizer_config.json", config)
    return target


def made(name, **files):
    """A directory with these files: bytes, text, or what becomes JSON; __ stands for a dot."""
    target = scratch() / name
    target.mkdir()
    for file, value in files.items():
        path = target / file.replace("__", ".")
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif isinstance(value, str):
            path.write_text(value, encoding="utf-8", newline="")
        else:
            write_json(path, value)
    return target


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


# ---- real tokenizers and fixtures


@case_for(REAL or ["(none)"])
def ids_of_the_golden_set(name):
    directory = real(name)
    golden = DATA / "golden" / "tokenizers"
    items = [json.loads(line) for line in gzip.open(golden / "texts.jsonl.gz", "rt", encoding="utf-8")]
    expected = [json.loads(line) for line in gzip.open(golden / "expected" / f"{name}.jsonl.gz", "rt", encoding="utf-8")]
    assert ids_of(directory, items) == [e["ids"] for e in expected], "ids differ"
    raw = [e["raw"] if "raw" in e else e["ids"][e["trim"][0]:len(e["ids"]) - e["trim"][1]] for e in expected]
    assert ids_of(directory, items, "--no-special") == raw, "ids without special tokens differ"
    chosen = [e for e in expected if "decoded" in e]
    assert decoded(directory, [e["ids"] for e in chosen]) == [e["decoded"] for e in chosen], "texts differ"
    return f"{len(items)} texts, {len(chosen)} decoded"


TABLE = {  # text: Mistral, Gemma 3, Llama 3, Qwen 3
    "Hello world": ("1 22557 1526", "2 9259 1902", "9906 1917", "9707 1879"),
    "  two  spaces ": ("1 259 989 28705 10599 28705", "2 138 13498 138 35220 236743", "220 1403 220 12908 220", "220 1378 220 12621 220"),
    "\n\n": ("1 28705 13 13", "2 108", "271", "271"),
    "a\0b": ("1 264 3 28726", "2 236746 238 236763", "64 188 65", "64 188 65"),
    "\u65e5\u672c\u8a9e \u30c6\u30b9\u30c8": ("1 28705 29142 29119 30321 28705 29610 29109 29123", "2 94951 71919 9045", "102433 102158 113545 71634",
                                    "101059 102819 20711 228 70534"),
    "e\u0301": ("1 317 28949", "2 236744 238288", "68 54939", "963"),
    "<s>hi</s>": ("1 1 12014 2", "2 203 2202 212", "45147 29 6151 524 82 29", "44047 29 6023 522 82 29"),
    "12345678": ("1 28705 28740 28750 28770 28781 28782 28784 28787 28783", "2 236770 236778 236800 236812 236810 236825 236832 236828",
                 "4513 10961 2495", "16 17 18 19 20 21 22 23"),
    "I\u2019ll": ("1 315 28809 584", "2 236777 236858 859", "40 4805", "40 4700"),
    "\ufffd": ("1 28705 29137", "2 238479", "5809", "5691"),
}


@case_for(list(enumerate(["mistral-7b", "gemma-3", "llama-3", "qwen3"])))
def ids_of_the_golden_table(column, name):
    got = tokenize(real(name), list(TABLE))
    assert got == [row[column] for row in TABLE.values()], got


@case_for(REAL or ["(none)"])
def random_texts_of_real_tokenizers(name):
    return compare(real(name))


@case_for(["decoder-base", "encoder-base"])
def random_texts_of_fixtures(name):
    return compare(fixture(name))


@case_for(["llama-2", "gpt2", "encoder-base"])
def ill_formed_text(name):
    """Each maximal ill-formed part is one U+FFFD, as Python's decoder has it."""
    directory = fixture(name) if name == "encoder-base" else real(name)
    tokenizer = oracle.load(directory)
    r = random.Random(SEED)
    parts = [b"\x80", b"\xc3", b"\xe6\x97", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xe0\x80\x80", b"a", b" ",
             "\u00e9".encode(), "\U0001f600".encode(), b"<s>", b"[SEP]", b"\xf0\x80\x80\x80", b"\xf1\x80\x80", b"\xfe"]
    lines = parts + [b"".join(r.choice(parts) for _ in range(r.randint(1, 8))) for _ in range(3000)]
    done = subprocess.run([COCKTAIL, "tokenize", str(directory), "--lines"], input=b"\n".join(lines) + b"\n", capture_output=True, check=True)
    got = [[int(i) for i in line.split()] for line in done.stdout.decode().split("\n")[:-1]]
    for line, ids in zip(lines, got):
        expected = tokenizer.encode(line.decode(errors="replace")).ids
        assert ids == expected, f"{line}: {ids}, expected {expected}"
    return f"{len(lines)} texts"


@case_for(REAL or ["(none)"])
def very_long_texts(name):
    directory = real(name)
    items = ["a" * 100000, " " * 100000, "ab\u00e9 " * 20000, "\u65e5\u672c" * 20000, "x" + "\n" * 30000, "." * 50000]
    return expect_same(directory, items)


@case_for(["gpt2", "llama-3", "phi-2", "roberta-base", "qwen3"])
def byte_level_text_survives(name):
    import unicodedata

    directory = real(name)
    items = texts.listed() + texts.at_random(SEED + 7, 3000)
    back = decoded(directory, ids_of(directory, items, "--no-special"))
    for text, got in zip(items, back):
        if name == "qwen3":  # NFC of Unicode 9, which for marks of later versions is not Python's
            got, text = unicodedata.normalize("NFC", got), unicodedata.normalize("NFC", text)
        assert got == text, f"{text!r}: {got!r}"
    return f"{len(items)} texts"


# ---- synthetic tokenizers


@case_for(sorted(zoo.TOKENIZERS))
def texts_of_synthetic_tokenizers(name):
    directory = made(name, **zoo.TOKENIZERS[name]())
    return compare(directory, 3000)


def normal_form(tokenizer, text):
    return or_none(tokenizer.normalizer.normalize_str, text) if tokenizer.normalizer else text


def is_comparable(tokenizer, added):
    """Not so: an added token that is normalized to nothing (the reference cuts between all bytes, and
    panics inside of characters), and two that become the same (its hash decides which is found)."""
    contents = {t["content"] for t in added if t["normalized"]}
    normal = {normal_form(tokenizer, content) for content in contents}
    return len(normal) == len(contents) and not normal & {"", None}


@case_for(range(8))
def tokenizers_at_random(part):
    """Components, models and added tokens thrown together."""
    r = random.Random(SEED + part)
    n = n_texts = 0
    while n < 60:
        value = zoo.random_tokenizer(r)
        tokenizer = or_none(oracle.Tokenizer.from_str, json.dumps(value))
        if not tokenizer:
            continue  # a combination that cannot be
        if not is_comparable(tokenizer, value["added_tokens"]):
            continue
        directory = made(f"random{n}", tokenizer__json=value)
        contents = [t["content"] for t in value["added_tokens"]]
        items = [zoo.random_word(r, contents) for _ in range(150)] + texts.at_random(r.random(), 100, contents, 3)
        usable = [item for item in items if or_none(tokenizer.encode, item)]  # without an unk token some fail
        try:
            n_texts += expect_same(directory, usable, tokenizer)
            expect_same_pairs(directory, usable, tokenizer, (None, 5, 8))
        except AssertionError as error:
            keep = os.environ.get("KEEP_TOKENIZERS")
            if keep:
                shutil.copytree(directory, Path(keep) / f"{part}-{n}", dirs_exist_ok=True)
            raise AssertionError(f"{error}: {json.dumps(value)}") from None
        n += 1
    return f"{n} tokenizers, {n_texts} texts"


# ---- directories without tokenizer.json


def parts_of(name):
    return json.loads((real(name) / "tokenizer.json").read_text(encoding="utf-8"))


def merges_text(model, header="#version: 0.2\n"):
    return header + "".join((m if isinstance(m, str) else " ".join(m)) + "\n" for m in model["merges"])


@case_for([("gpt2", {}), ("gpt2", {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "bos_token": "<|bos|>"}),
           ("roberta-base", {"tokenizer_class": "RobertaTokenizer", "mask_token": {"content": "<mask>", "lstrip": True}, "bos_token": "<s>"}),
           ("roberta-base", {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True, "pad_token": "<pad>"}),
           ("qwen3", {"tokenizer_class": "Qwen2Tokenizer", "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}),
           ("phi-2", {"tokenizer_class": "CodeGenTokenizer"})])
def vocab_json_and_merges_txt(name, config):
    if name == "gpt2":
        return compare(real(name, None, **config), 6000)
    model = parts_of(name)["model"]
    files = {"tokenizer_config__json": config} if config else {}
    return compare(made("files", vocab__json=model["vocab"], merges__txt=merges_text(model), **files), 6000)


@case_for([{}, {"do_lower_case": False}, {"do_lower_case": False, "strip_accents": True, "tokenizer_class": "BertTokenizer"},
           {"strip_accents": False, "tokenize_chinese_chars": False, "tokenizer_class": "DistilBertTokenizer", "mask_token": {"content": "[MASK]", "lstrip": True}}])
def vocab_txt(config):
    directory = made("files", vocab__txt=(fixture("encoder-base") / "vocab.txt").read_bytes(), tokenizer_config__json=config)
    return compare(directory, 6000)


def mpnet_vocab_txt():
    lines = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>", *zoo.wordpiece_vocab()[5:]]
    config = {"tokenizer_class": "MPNetTokenizer", "bos_token": "<s>", "mask_token": {"content": "<mask>", "lstrip": True}}
    return compare(made("files", vocab__txt="".join(f"{line}\n" for line in dict.fromkeys(lines)), tokenizer_config__json=config), 3000)


mpnet_vocab_txt = case(mpnet_vocab_txt)


@case_for([{"tokenizer_class": "LlamaTokenizer"}, {"tokenizer_class": "LlamaTokenizer", "legacy": False}, {},
           {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, "add_eos_token": True, "pad_token": "<pad>"},
           {"tokenizer_class": "CodeLlamaTokenizer", "bos_token": {"content": "<s>", "normalized": True}, "additional_special_tokens": ["<pre>", "<suf>"]}])
def sentencepiece_bpe(config):
    directory = real("llama-2", {"tokenizer.model": "tokenizer.model"})
    if config:
        write_json(directory / "tokenizer_config.json", config)
    return compare(directory, 6000)


def t5_pieces():
    value = parts_of("t5-small")
    kinds = {"<pad>": 3, "</s>": 3, "<unk>": 2}
    pieces = [(p, score, kinds.get(p, 1)) for p, score in value["model"]["vocab"] if not p.startswith("<extra_id_")]
    return pieces, base64.b64decode(value["normalizer"]["precompiled_charsmap"])


@case_for([("spiece.model", {"tokenizer_class": "T5Tokenizer"}), ("spiece.model", {}), ("tokenizer.model", {"bos_token": "<bos>"}),
           ("sentencepiece.bpe.model", {"tokenizer_class": "XLMRobertaTokenizer"}), ("sentencepiece.bpe.model", {}),
           ("tokenizer.model", {"tokenizer_class": "XLMRobertaTokenizerFast"})])
def sentencepiece_unigram(file, config):
    pieces, charsmap = t5_pieces()
    unk_id = 2
    if "bpe" in file or "XLM" in str(config):
        pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)] + pieces[3:]
        unk_id = 0
    pieces[100] = (*pieces[100][:2], 4)  # user-defined: an added token that is not special
    pieces[200] = (*pieces[200][:2], 5)
    directory = made("files", **{file.replace(".", "__"): oracle.sentencepiece_model(pieces, 1, charsmap, unk_id)})
    write_json(directory / "tokenizer_config.json", config)
    return compare(directory, 6000)


@case_for(["Gemma", "Llama"])
def sentencepiece_bpe_by_hand(name):
    model = zoo.sentencepiece_model()
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3, "\n": 4}
    pieces = [(p, -float(i // 3), kinds.get(p, 6 if p.startswith("<0x") else 1)) for p, i in model["vocab"].items()]
    if name == "Gemma":
        pieces[:3] = [("<pad>", 0.0, 3), ("<eos>", 0.0, 3), ("<bos>", 0.0, 3)]
        pieces.insert(3, ("<unk>", 0.0, 2))
    config = {"tokenizer_class": f"{name}Tokenizer", **({"bos_token": "<bos>", "eos_token": "<eos>"} if name == "Gemma" else {})}
    directory = made("files", tokenizer__model=oracle.sentencepiece_model(pieces, 2), tokenizer_config__json=config)
    return compare(directory, 3000)


@case
def tiktoken_file():
    vocab = {token: i for token, i in parts_of("llama-3")["model"]["vocab"].items() if i < 128000}
    lines = [f"{base64.b64encode(bytes(oracle.TO_BYTE[c] for c in token)).decode()} {i}\n" for token, i in sorted(vocab.items(), key=lambda x: x[1])]
    directory = made("files", tokenizer__model="".join(lines))
    items = texts.at_random(SEED + 9, 4000, ["<|begin_of_text|>", "<|eot_id|>"])
    same = expect_same(directory, items, oracle.Tokenizer.from_file(str(real("llama-3") / "tokenizer.json")))
    return f"{compare(directory, 4000)}; {same} as the tokenizer.json"


@case_for([True, False])
def tekken_json(names_specials):
    vocab = sorted(parts_of("llama-3")["model"]["vocab"].items(), key=lambda x: x[1])[:40000]
    entries = [{"rank": i, "token_bytes": base64.b64encode(bytes(oracle.TO_BYTE[c] for c in token)).decode(), "token_str": None} for token, i in vocab]
    value = {"config": {"pattern": zoo.O200K.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "").replace("{1,3}", ""), "num_vocab_tokens": 50000, "default_vocab_size": 39000,
                        "default_num_special_tokens": 20, "version": "v3"}, "vocab": entries}
    if names_specials:
        value["special_tokens"] = [{"rank": i, "token_str": t, "is_control": True} for i, t in enumerate(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"])]
    return compare(made("files", tekken__json=value), 4000)


# ---- what the files beside tokenizer.json change


FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


@case_for([
    ("sentencepiece-llama", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True}),
    ("sentencepiece-llama", {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, "add_eos_token": False}),
    ("sentencepiece-llama", {"tokenizer_class": "GemmaTokenizer", "add_eos_token": True, "bos_token": {"content": "</s>"}, "eos_token": "<s>"}),
    ("sentencepiece-llama", {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>"}),
    ("sentencepiece-llama", {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_eos_token": True}),
    ("byte-level-qwen", {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": True, "bos_token": "<|im_start|>"}),
    ("byte-level-qwen", {"added_tokens_decoder": {"100000": {"content": "<far>", **FLAGS}, "300": {"content": "<taken>", **FLAGS, "special": False},
                                                  "99999": {"content": " near ", **FLAGS, "lstrip": True, "rstrip": True, "normalized": True}}}),
    ("byte-level-gpt2", {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}),
    ("byte-level-roberta", {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": False}),
    ("byte-level-gpt2", {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": True}),
    ("byte-level-llama3", {"bos_token": "<|new|>", "eos_token": {"content": "<|end|>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": True},
                           "additional_special_tokens": ["<x>", {"content": "<y>", "rstrip": True}], "pad_token": None, "extra_special_tokens": {"image": "<img>"}}),
    ("wordpiece-uncased", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}),
    ("wordpiece-cased", {"tokenizer_class": "BertTokenizer"}),
    ("wordpiece-cased", {"tokenizer_class": "BertTokenizerFast", "do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}),
    ("wordpiece-uncased", {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": False}),
])
def tokenizer_config(name, config):
    directory = made("files", **zoo.TOKENIZERS[name](), tokenizer_config__json=config)
    return compare(directory, 1000, listed=False)


@case_for([({"bos_token": "<b>", "additional_special_tokens": ["<c>", {"content": "<d>", "lstrip": True}]}, {"<c>": 5000, "<e>": 4999, "caf\u00e9": 5001}),
           ({"bos_token": {"content": "<b>", "normalized": True}}, None), (None, {"<e>": 7000, "Hello": 6999})])
def legacy_files(special, numbered):
    files = {"special_tokens_map__json": special} if special else {}
    if numbered:
        files["added_tokens__json"] = numbered
    directory = made("files", **zoo.TOKENIZERS["byte-level-qwen"](), **files, tokenizer_config__json={"eos_token": "<f>"})
    return compare(directory, 1000, listed=False)


@case_for(["BPE", "WordPiece", "WordLevel", "Unigram"])
def old_files_without_types(kind):
    name = {"BPE": "byte-level-roberta", "WordPiece": "wordpiece-cased", "WordLevel": "wordlevel-splits", "Unigram": "unigram-t5"}[kind]
    value = zoo.TOKENIZERS[name]()["tokenizer__json"]
    assert value["model"].pop("type") == kind
    if kind in ("BPE", "WordPiece"):
        del value["post_processor"]["type"]
    del value["version"], value["truncation"]
    return compare(made("files", tokenizer__json=value), 1000, listed=False)


@case
def stored_truncation_and_padding_do_nothing():
    value = zoo.TOKENIZERS["wordpiece-uncased"]()["tokenizer__json"]
    value["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    value["padding"] = {"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    return compare(made("files", tokenizer__json=value), 500, listed=False)


@case
def truncation_on_the_left():
    directory = made("files", **zoo.TOKENIZERS["wordpiece-uncased"](), tokenizer_config__json={"truncation_side": "left"})
    return expect_same_pairs(directory, texts.at_random(SEED, 800, [], 4), side="left")


if __name__ == "__main__":
    run(apart=True)
