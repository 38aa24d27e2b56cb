"""tokenizer_zoo.py - small tokenizers made by hand, and made at random, that use every component.

TOKENIZERS: {name: function that gives the files of a directory, as check_tokenizers.made() takes them}.
"""

import base64
import struct

SEEDS = ("the quick brown fox hello world ing er don't it's we'll 12 345 1999 def return self caf\u00e9 na\u00efve \u00fcber stra\u00dfe "
         "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u65e5\u672c\u8a9e \u4f60\u597d \u4e2d\u56fd \ud55c\uad6d\uc5b4 \u0939\u093f\u0928\u094d\u0926\u0940 "
         "\u0645\u0631\u062d\u0628\u0627 \U0001f600 \U0001f44d").split()
LETTERS = sorted({c for word in SEEDS for c in word})
GPT4 = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")
LOWER_ONE = "\u2581"


def numbered(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def byte_characters():
    shown = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {b: chr(b) for b in shown} | {b: chr(256 + i) for i, b in enumerate(hidden)}


CHARACTERS = byte_characters()


def spell(text):
    return "".join(CHARACTERS[b] for b in text.encode())


def merged(words):
    """Merges that build the words from the left, and the tokens that they make."""
    merges = []
    for word in words:
        for k in range(1, len(word)):
            if (word[:k], word[k]) not in merges:
                merges.append((word[:k], word[k]))
    return merges, [a + b for a, b in merges]


def token(content, **flags):
    return {"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **flags}


def tokenizer(model, **parts):
    value = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
             "post_processor": None, "decoder": None, **parts, "model": model}
    vocab = model["vocab"]
    ids = {p[0]: i for i, p in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)
    n = len(ids)
    for added in value["added_tokens"]:  # the ids that the library gives, whatever stands there
        added["id"] = ids.setdefault(added["content"], n)
        n = max(n, added["id"] + 1)
    return {"tokenizer__json": value}


def bpe(vocab, merges, **options):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
            "byte_fallback": False, "ignore_merges": False, "vocab": numbered(vocab), "merges": merges, **options}


def special(name, type_id=0):
    return {"SpecialToken": {"id": name, "type_id": type_id}}


def sequence(name, type_id=0):
    return {"Sequence": {"id": name, "type_id": type_id}}


def template(single, pair, **ids):
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {name: {"id": name, "ids": values, "tokens": [name] * len(values)} for name, values in ids.items()}}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


# ---- byte-level BPE


def byte_level_model(as_pairs=False, **options):
    words = [spell(" " + w) for w in SEEDS[:24]] + [spell(w) for w in SEEDS] + [spell(w) for w in ("\n\n", "    ", "\r\n", "'s", "...", "--")]
    merges, made = merged(words)
    return bpe([*CHARACTERS.values(), *made], [list(m) if as_pairs else " ".join(m) for m in merges], **options)


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
NO_REGEX = {**BYTE_LEVEL, "use_regex": False}


def byte_level_gpt2():
    return tokenizer(byte_level_model(), pre_tokenizer=BYTE_LEVEL, decoder=BYTE_LEVEL,
                     post_processor={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                     added_tokens=[token("<|endoftext|>"), token("  ", normalized=True, special=False), token("\t\t", normalized=True, special=False)])


def byte_level_roberta():
    return tokenizer(byte_level_model(), pre_tokenizer={**BYTE_LEVEL, "add_prefix_space": True}, decoder=BYTE_LEVEL,
                     post_processor={"type": "RobertaProcessing", "sep": ["</s>", 5], "cls": ["<s>", 4], "trim_offsets": True, "add_prefix_space": True},
                     added_tokens=[token("<s>"), token("</s>"), token("<mask>", lstrip=True), token("<pad>", normalized=True)])


def byte_level_llama3():
    return tokenizer(byte_level_model(True, ignore_merges=True), decoder=BYTE_LEVEL,
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [split({"Regex": LLAMA3}), NO_REGEX]},
                     post_processor={"type": "Sequence", "processors": [BYTE_LEVEL, template([special("<|bos|>"), sequence("A")],
                                     [special("<|bos|>"), sequence("A"), special("<|bos|>", 1), sequence("B", 1)], **{"<|bos|>": [7]})]},
                     added_tokens=[token("<|bos|>"), token("<|eot|>")])


def byte_level_qwen():
    return tokenizer(byte_level_model(), normalizer={"type": "NFC"}, decoder=BYTE_LEVEL,
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [split({"Regex": LLAMA3.replace("{1,3}", "")}), NO_REGEX]},
                     added_tokens=[token("<|im_start|>"), token("<|im_end|>"), token("<think>", special=False), token("caf\u00e9", normalized=True)])


def byte_level_o200k():
    return tokenizer(byte_level_model(), decoder=BYTE_LEVEL,
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [split({"Regex": O200K}, "Removed", True), NO_REGEX]})


def byte_level_gpt4():
    return tokenizer(byte_level_model(), decoder=BYTE_LEVEL, normalizer={"type": "NFKC"},
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [split({"Regex": GPT4}), NO_REGEX]})


def byte_level_deepseek():
    return tokenizer(byte_level_model(), decoder=BYTE_LEVEL, normalizer={"type": "Sequence", "normalizers": []},
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [
                         split({"Regex": r"\p{N}{1,3}"}), split({"Regex": "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"}),
                         split({"Regex": r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
                                         r"\s*[\r\n]+|\s+(?!\S)|\s+"}), NO_REGEX]},
                     added_tokens=[token("<\uff5cend\uff5c>", normalized=True)])


def byte_level_digits():
    return tokenizer(byte_level_model(), decoder=BYTE_LEVEL,
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]})


def byte_level_normalizer():
    return tokenizer(byte_level_model(), decoder=BYTE_LEVEL, normalizer={"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "ByteLevel"}]},
                     added_tokens=[token("na\u00efve", normalized=True)])


# ---- the sentencepiece kinds


def sentencepiece_model(byte_fallback=True, **options):
    words = [LOWER_ONE + w for w in SEEDS] + SEEDS[:8] + [LOWER_ONE * 2, LOWER_ONE * 4]
    merges, made = merged(words)
    vocab = ["<unk>", "<s>", "</s>", *([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []), LOWER_ONE, "\n", *LETTERS, *made]
    return bpe(vocab, [list(m) for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback, **options)


BOS = template([special("<s>"), sequence("A")], [special("<s>"), sequence("A"), special("<s>", 1), sequence("B", 1)], **{"<s>": [1]})
REPLACE = {"type": "Replace", "pattern": {"String": LOWER_ONE}, "content": " "}
FALLBACK = {"type": "Sequence", "decoders": [REPLACE, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
SPECIALS = ("<unk>", "<s>", "</s>")
TO_LOWER_ONE = {"type": "Replace", "pattern": {"String": " "}, "content": LOWER_ONE}


def sentencepiece_llama():
    return tokenizer(sentencepiece_model(), decoder=FALLBACK, post_processor=BOS, added_tokens=[token(t, normalized=True) for t in SPECIALS],
                     normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": LOWER_ONE}, TO_LOWER_ONE]})


def sentencepiece_metaspace():
    return tokenizer(sentencepiece_model(), decoder=FALLBACK, post_processor=BOS, added_tokens=[token(t, rstrip=t == "</s>") for t in SPECIALS],
                     pre_tokenizer={"type": "Metaspace", "replacement": LOWER_ONE, "prepend_scheme": "first", "split": False})


def sentencepiece_gemma():
    return tokenizer(sentencepiece_model(), post_processor=BOS, added_tokens=[*map(token, SPECIALS), token("\n\n", special=False), token(LOWER_ONE * 3, special=False)],
                     normalizer=TO_LOWER_ONE, pre_tokenizer=split({"String": " "}, "MergedWithPrevious"),
                     decoder={"type": "Sequence", "decoders": FALLBACK["decoders"][:3]})


def sentencepiece_unknown():
    """Without byte tokens: unknown letters become <unk>, neighbours one."""
    return tokenizer(sentencepiece_model(False), added_tokens=[token(t) for t in SPECIALS], decoder={"type": "Metaspace", "replacement": LOWER_ONE,
                     "prepend_scheme": "always", "split": True},
                     pre_tokenizer={"type": "Metaspace", "replacement": LOWER_ONE, "prepend_scheme": "always", "split": True})


def bpe_with_suffix():
    """The old kind with </w>: lower case, split at white space."""
    words = [[*w[:-1], w[-1] + "</w>"] for w in SEEDS]
    merges, made = [], []
    for parts in words:
        while len(parts) > 1:
            merges.append(" ".join(parts[:2]))
            made.append(parts[0] + parts[1])
            parts = [made[-1], *parts[2:]]
    vocab = ["<unk>", *LETTERS, *(c + "</w>" for c in LETTERS), *made]
    return tokenizer(bpe(vocab, list(dict.fromkeys(merges)), unk_token="<unk>", end_of_word_suffix="</w>"), decoder={"type": "BPEDecoder", "suffix": "</w>"},
                     normalizer={"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}]}, added_tokens=[token("<unk>")])


# ---- Unigram


def charsmap(rules):
    """A precompiled_charsmap: a double array over the keys, and the strings that replace them."""
    pool, trie = b"", {}
    for key, value in rules.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = len(pool)
        pool += value.encode() + b"\0"
    units = {0: 0}

    def place(node, at):
        base = next(b for b in range(1, 1 << 20) if all((b ^ at ^ label) not in units for label in node) and b != 0 and (b ^ at) not in units)
        start = at ^ base
        units[at] |= base << 10 | (0x100 if 0 in node else 0)
        for label in node:
            units[start ^ label] = node[0] | 0x80000000 if label == 0 else label
        units.setdefault(start, 0)
        for label, child in node.items():
            if label:
                place(child, start ^ label)

    place(trie, 0)
    size = (max(units) | 255) + 1
    data = struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size)))
    return base64.b64encode(struct.pack("<I", len(data)) + data + pool).decode()


RULES = {"\ufb01": "fi", "\r": " ", "\n": " ", "\t": " ", "e\u0301": "\u00e9", "A": "xx", "\u3000": " ", "\uff21": "A", "\u00ad": "", "\u200b": "", "\u2167": "VIII", "\u00bd": "1/2"}


def unigram_model(**options):
    pieces = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], [LOWER_ONE, -2.5]]
    pieces += [[LOWER_ONE + w, -5.0 - i / 7] for i, w in enumerate(SEEDS)] + [[w, -6.5 - i / 9] for i, w in enumerate(SEEDS)]
    pieces += [[c, -9.0 - i / 11] for i, c in enumerate(LETTERS)] + [["ab", -10.0], ["a", -5.0], ["b", -5.0], ["abab", -20.0]]
    seen, unique = set(), []
    for piece in pieces:
        if piece[0] not in seen:
            seen.add(piece[0])
            unique.append(piece)
    return {"type": "Unigram", "unk_id": 2, "vocab": unique, **options}


METASPACE = {"type": "Metaspace", "replacement": LOWER_ONE, "prepend_scheme": "always", "split": True}


def unigram_t5():
    end = template([sequence("A"), special("</s>")], [sequence("A"), special("</s>"), sequence("B"), special("</s>")], **{"</s>": [1]})
    return tokenizer(unigram_model(), normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap(RULES)}, decoder=METASPACE, post_processor=end,
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]},
                     added_tokens=[token("<pad>"), token("</s>"), token("<unk>"), token("<extra_id_0>"), token("<extra_id_10>"), token("<extra_id_1>")])


def unigram_xlmr():
    ends = template([special("</s>"), sequence("A"), special("</s>")],
                    [special("</s>"), sequence("A"), special("</s>"), special("</s>"), sequence("B"), special("</s>")], **{"</s>": [1]})
    return tokenizer(unigram_model(), decoder=METASPACE, post_processor=ends, pre_tokenizer=METASPACE,
                     normalizer={"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": charsmap(RULES)},
                                 {"type": "Strip", "strip_left": False, "strip_right": True},
                                 {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": LOWER_ONE}]},
                     added_tokens=[token("</s>"), token("<mask>", lstrip=True)])


def unigram_bytes():
    model = unigram_model(byte_fallback=True)
    model["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    return tokenizer(model, decoder=FALLBACK, normalizer={"type": "Nmt"}, added_tokens=[token("ab", single_word=True, special=False)],
                     pre_tokenizer={**METASPACE, "prepend_scheme": "never"})


# ---- WordPiece and WordLevel


def wordpiece_vocab():
    parts = [w[:k] for w in SEEDS for k in range(1, len(w) + 1)]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"!,.?'-:;()", *LETTERS, *("##" + c for c in LETTERS), *parts, *("##" + w for w in SEEDS[:12])]


def wordpiece_model(**options):
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": numbered(wordpiece_vocab()), **options}


BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS_SEP = template([special("[CLS]"), sequence("A"), special("[SEP]")],
                   [special("[CLS]"), sequence("A"), special("[SEP]"), sequence("B", 1), special("[SEP]", 1)], **{"[CLS]": [2], "[SEP]": [3]})


def wordpiece_uncased():
    return tokenizer(wordpiece_model(), normalizer=BERT, pre_tokenizer={"type": "BertPreTokenizer"}, post_processor=CLS_SEP,
                     decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, added_tokens=[token(t) for t in BERT_TOKENS])


def wordpiece_cased():
    return tokenizer(wordpiece_model(max_input_chars_per_word=8), normalizer={**BERT, "lowercase": False}, pre_tokenizer={"type": "BertPreTokenizer"},
                     post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False},
                     added_tokens=[token(t) for t in BERT_TOKENS])


def wordpiece_accents():
    return tokenizer(wordpiece_model(), normalizer={**BERT, "strip_accents": True, "handle_chinese_chars": False, "lowercase": False, "clean_text": False},
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithNext"}]},
                     added_tokens=[token("Hello", normalized=True, special=False), token("caf\u00e9", normalized=True, single_word=True, special=False)])


def wordlevel_scripts():
    vocab = numbered(["<unk>", *SEEDS, *LETTERS, ".", ",", "Hello", "'s"])
    return tokenizer({"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}, pre_tokenizer={"type": "UnicodeScripts"}, added_tokens=[token("<unk>")],
                     decoder={"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": ",", "cleanup": True})


def wordlevel_splits():
    vocab = numbered(["<unk>", *SEEDS, *LETTERS, ".", ",", "-", "_"])
    return tokenizer({"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
                     pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "CharDelimiterSplit", "delimiter": " "}, {"type": "Digits", "individual_digits": False},
                                    split({"String": "-"}, "Contiguous"), split({"Regex": "_+|x*"}, "MergedWithPrevious"), {"type": "FixedLength", "length": 5}]})


TOKENIZERS = {function.__name__.replace("_", "-"): function for function in (
    byte_level_gpt2, byte_level_roberta, byte_level_llama3, byte_level_qwen, byte_level_o200k, byte_level_gpt4, byte_level_deepseek, byte_level_digits,
    byte_level_normalizer, sentencepiece_llama, sentencepiece_metaspace, sentencepiece_gemma, sentencepiece_unknown, bpe_with_suffix, unigram_t5, unigram_xlmr,
    unigram_bytes, wordpiece_uncased, wordpiece_cased, wordpiece_accents, wordlevel_scripts, wordlevel_splits)}


# ---- at random

ALPHABET = [*"aabbc", "A", " ", " ", "\u00e9", "e\u0301", "\u65e5", LOWER_ONE, "-", "1", "\n", "<", ">", "##", "\u0130", "\uff21", "_", "'", ".", "\U0001f600", "\ufb01", "\u2167", "#", "\u0301",
            "\u200d", "\u3000", "\0"]


def random_word(r, contents):
    return "".join(r.choice(contents) if contents and r.random() < 0.2 else r.choice(ALPHABET) for _ in range(r.randint(0, r.choice([4, 9, 20]))))


def random_pattern(r):
    regex = r.choice([r"\s+", r"\p{L}+", r"\d", r"[^a]", "a*", r"\w+|\s", r"(?<=a)b", r"\b", r"(?i:a)b?", r"$", r"[[:alpha:]]+", r"a|ab", r"\p{Lu}\p{Ll}*", r"\S{2}"])
    return {"Regex": regex} if r.random() < 0.6 else {"String": r.choice([" ", "a", "ab", "-", LOWER_ONE, "\n", "<", "\u00e9"])}


def random_normalizer(r, depth=0):
    kind = r.randrange(16 if depth == 0 else 14)
    if kind >= 14:
        return {"type": "Sequence", "normalizers": [random_normalizer(r, 1) for _ in range(r.randint(0, 4))]}
    return [
        lambda: {"type": "BertNormalizer", "clean_text": r.random() < .7, "handle_chinese_chars": r.random() < .7, "strip_accents": r.choice([None, True, False]),
                 "lowercase": r.random() < .6},
        lambda: {"type": "Lowercase"}, lambda: {"type": "NFC"}, lambda: {"type": "NFD"}, lambda: {"type": "NFKC"}, lambda: {"type": "NFKD"},
        lambda: {"type": "StripAccents"}, lambda: {"type": "Strip", "strip_left": r.random() < .5, "strip_right": r.random() < .5},
        lambda: {"type": "Prepend", "prepend": r.choice([LOWER_ONE, "ab", " "])},
        lambda: {"type": "Replace", "pattern": random_pattern(r), "content": r.choice(["", LOWER_ONE, "b", "ab", " "])},
        lambda: {"type": "Replace", "pattern": {"String": " "}, "content": LOWER_ONE},
        lambda: {"type": "Nmt"}, lambda: {"type": "Precompiled", "precompiled_charsmap": charsmap(RULES)}, lambda: {"type": "ByteLevel"},
    ][kind]()


def random_pretokenizer(r, depth=0):
    kind = r.randrange(15 if depth == 0 else 12)
    behavior = r.choice(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
    if kind >= 12:
        return {"type": "Sequence", "pretokenizers": [random_pretokenizer(r, 1) for _ in range(r.randint(0, 3))]}
    return [
        lambda: {"type": "BertPreTokenizer"}, lambda: {"type": "Punctuation", "behavior": behavior}, lambda: {"type": "WhitespaceSplit"}, lambda: {"type": "Whitespace"},
        lambda: {"type": "CharDelimiterSplit", "delimiter": r.choice(" -a")}, lambda: {"type": "FixedLength", "length": r.randint(1, 6)},
        lambda: {"type": "Digits", "individual_digits": r.random() < .5},
        lambda: {"type": "ByteLevel", "add_prefix_space": r.random() < .5, "trim_offsets": True, "use_regex": r.random() < .6},
        lambda: {"type": "Metaspace", "replacement": r.choice([LOWER_ONE, LOWER_ONE, "_"]), "prepend_scheme": r.choice(["always", "first", "never"]), "split": r.random() < .6},
        lambda: split(random_pattern(r), behavior, r.random() < .3), lambda: split(random_pattern(r), behavior, r.random() < .3), lambda: {"type": "UnicodeScripts"},
    ][kind]()


def random_decoder(r, depth=0):
    kind = r.randrange(12 if depth == 0 else 9)
    if kind >= 9:
        return {"type": "Sequence", "decoders": [random_decoder(r, 1) for _ in range(r.randint(1, 4))]}
    return [
        lambda: BYTE_LEVEL, lambda: {"type": "Metaspace", "replacement": r.choice([LOWER_ONE, "_"]), "prepend_scheme": r.choice(["always", "first", "never"]), "split": True},
        lambda: {"type": "WordPiece", "prefix": r.choice(["##", "a"]), "cleanup": r.random() < .5},
        lambda: {"type": "Replace", "pattern": random_pattern(r), "content": r.choice(["", " ", "xy", "<0x41>"])}, lambda: {"type": "Fuse"}, lambda: {"type": "ByteFallback"},
        lambda: {"type": "Strip", "content": r.choice(" ab"), "start": r.randint(0, 3), "stop": r.randint(0, 3)}, lambda: {"type": "BPEDecoder", "suffix": r.choice(["</w>", "a", "b"])},
        lambda: {"type": "CTC", "pad_token": r.choice(["a", "<unk>"]), "word_delimiter_token": r.choice(["b", "|"]), "cleanup": r.random() < .5},
    ][kind]()


def random_model(r):
    letters = [*"abcAe1<>#_.'- ", LOWER_ONE, "\u00e9", "\u0301", "\u65e5", "\n", "\u0120", "\u00c3", "\u00a9", "\u0100", "\u010a", "\u00e2", "\u0138", "\u0123", "\u00ef", "\u00bc", "\u00a1"]
    r.shuffle(letters)
    letters = letters[:r.randint(8, len(letters))]
    kind = r.randrange(6)
    if kind < 3:
        merges, symbols = [], list(letters)
        for _ in range(r.choice([3, 12, 30])):
            merges.append([r.choice(symbols), r.choice(symbols)])
            symbols.append("".join(merges[-1]))
        fallback = r.random() < .4
        tokens = ["<unk>", *symbols, *([f"<0x{b:02X}>" for b in range(256)] if fallback else [])]
        return bpe(tokens, merges, unk_token=r.choice([None, "<unk>"]), fuse_unk=r.random() < .5, byte_fallback=fallback, ignore_merges=r.random() < .3)
    words = ["".join(r.choice(letters) for _ in range(r.randint(2, 4))) for _ in range(15)]
    if kind == 3:
        tokens = ["<unk>", *letters, *("##" + c for c in letters), *words, *("##" + w for w in words[:5])]
        return {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": r.choice([4, 100]), "vocab": numbered(tokens)}
    if kind == 4:
        tokens = ["<unk>", *dict.fromkeys(letters + words)]
        return {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [[t, -r.random() * 9] for t in tokens]}
    return {"type": "WordLevel", "unk_token": "<unk>", "vocab": numbered(["<unk>", *letters, *words])}


def random_processor(r):
    kind = r.randrange(6)
    if kind == 0:
        return None
    if kind == 1:
        return {"type": "BertProcessing", "sep": ["a", 3], "cls": ["b", 2]}
    if kind == 2:
        return {"type": "RobertaProcessing", "sep": ["a", 3], "cls": ["b", 2], "trim_offsets": r.random() < .5, "add_prefix_space": r.random() < .5}
    if kind == 3:
        return {"type": "Sequence", "processors": [BYTE_LEVEL, BOS, BYTE_LEVEL]}
    parts = [[special("x"), sequence("A"), special("y")][r.randint(0, 1):r.randint(2, 3)], [sequence("A"), special("x"), sequence("B", 1), special("y", 1)]]
    r.shuffle(parts[1])
    return template(*parts, x=[1], y=r.choice([[2], [2, 3]]))


def random_tokenizer(r):
    contents = ["<a>", "<a><b>", "ab", "abc", "bcd", "<|x|>", "\u00e9", "e\u0301", "A", " a", "a ", "  ", LOWER_ONE, "\n\n", "##", "<unk>", "\u65e5\u672c", "aa", "_", "\ufb01", "\u0301", "-", "1"]
    added = [token(c, **{flag: r.random() < p for flag, p in (("single_word", .25), ("lstrip", .3), ("rstrip", .3), ("normalized", .4), ("special", .5))})
             for c in r.sample(contents, r.randint(0, 7))]
    if added and r.random() < .1:
        added.append({**r.choice(added), "lstrip": r.random() < .5, "special": r.random() < .5})
    maybe = lambda p, make: make(r) if r.random() < p else None
    return tokenizer(random_model(r), added_tokens=added, normalizer=maybe(.75, random_normalizer), pre_tokenizer=maybe(.75, random_pretokenizer),
                     decoder=maybe(.8, random_decoder), post_processor=random_processor(r))["tokenizer__json"]
