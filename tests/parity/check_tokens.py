"""check_tokens.py - models whose tokenizers differ, by `cocktail merge` and `mix --tokenizer`, by mergekit and by
transformers.

Rows are compared by their tokens, as mergekit's order of new ones depends on a hash. What it does with ids
behind the rows of an embedding is not compared: it drops such tokens.
"""

import json
import random

import torch
from harness import case_for, cocktail, need, run, scratch, tensors_of
from merging import Family, by_cocktail, by_mergekit

SYLLABLES = ("ka", "to", "mi", "re", "lu", "son", "da", "be", "ni", "fo", "ga", "pel", "sti", "or", "an", "the")
KINDS = ("bpe", "unigram", "wordpiece")
BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")


# ---- models


def words_of(rng, n=60):
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(n)]


def trained(kind, rng):
    """A tokenizer of its own words, with special tokens and some that are found in a text first."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    options = {"vocab_size": rng.randint(60, 90), "show_progress": False}
    special = ["<unk>", "<s>", "</s>"]
    rng.shuffle(special)
    if kind == "bpe":
        made = tokenizers.Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = tokenizers.decoders.ByteLevel()
        trainer = trainers.BpeTrainer(special_tokens=special, **options)
    elif kind == "unigram":
        made = tokenizers.Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = tokenizers.decoders.Metaspace()
        trainer = trainers.UnigramTrainer(special_tokens=special, unk_token="<unk>", **options)
    else:
        made = tokenizers.Tokenizer(models.WordPiece(unk_token="<unk>"))
        made.normalizer = tokenizers.normalizers.BertNormalizer()
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(special_tokens=special, **options)
    made.train_from_iterator([" ".join(words_of(rng, 300))], trainer)
    for token in rng.sample(["<|im_start|>", "<|im_end|>", "<|tool|>", "<sep>", "kato", "Son Da"], rng.randint(0, 4)):
        is_special = token.startswith("<")
        made.add_tokens([tokenizers.AddedToken(token, special=is_special, normalized=not is_special,
                                               lstrip=token == "<|tool|>", rstrip=token == "<sep>")])
    return made


def family_of(kind, rng, n_models):
    """Models of one shape, each with a tokenizer and a number of rows of its own; their paths."""
    shape, paths = Family(rng, "f32"), []
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    for i in range(n_models):
        tokenizer = trained(kind, rng)
        shape.vocab = tokenizer.get_vocab_size() + rng.choice([0, 0, 3, 11])
        paths.append(shape.write(f"{kind}{i}", {name: torch.randn(size, generator=generator)
                                                for name, size in shape.shapes().items()}))
        tokenizer.save(str(paths[-1] / "tokenizer.json"))
        (paths[-1] / "tokenizer_config.json").write_text(json.dumps({
            "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
            "unk_token": "<unk>"}))
    return [str(path) for path in paths]


def load(path):
    import transformers

    return transformers.AutoTokenizer.from_pretrained(path)


# ---- recipes


def random_rules(rng, paths):
    """What `tokens` may say, of tokens that all, some or none of the models have."""
    rules = {}
    for token in rng.sample(["<|im_start|>", "<|new|>", "<s>", "kato", "<|blank|>", "<|copy|>"], 3):
        owners = [path for path in paths if token in load(path).get_vocab()]
        model, kind = rng.choice(paths), rng.choice(["zero", "token", "number", "model"])
        source = {"kind": "zero"}
        if kind == "token":
            source = {"kind": "model_token", "model": model, "token": rng.choice(sorted(load(model).get_vocab()))}
        elif kind == "number":
            source = {"kind": "model_token", "model": model, "token_id": rng.randrange(40)}
        elif kind == "model" and owners:
            source = rng.choice(owners)
        rules[token] = {"source": source, "force": rng.random() < 0.5}
    return rules


def random_recipe(rng, paths):
    base, others = paths[0], paths[1:]
    method = rng.choice(["linear", "task_arithmetic", "slerp"])
    used = paths if method == "linear" else others[:1] if method == "slerp" else others
    config = {"merge_method": method, "base_model": base, "dtype": "float32",
              "models": [{"model": path, "parameters": {"weight": rng.uniform(0.2, 1)}} for path in used],
              "tokenizer": {"source": rng.choice(["union", "union", "base", others[0]])}}
    if method == "slerp":
        config["parameters"] = {"t": rng.uniform(0.1, 0.9)}
        config["models"] = [{"model": path} for path in (base, others[0])]
    if rng.random() < 0.5:
        config["tokenizer"]["pad_to_multiple_of"] = rng.choice([8, 16, 64])
    # Of tokens that only a source other than a model of this merge has, mergekit fails.
    if rng.random() < 0.6 and config["tokenizer"]["source"] != "base":
        config["tokenizer"]["tokens"] = random_rules(rng, [item["model"] for item in config["models"]])
    return config


def expect_same_rows(ours, theirs, vocab, their_vocab):
    assert vocab.keys() == their_vocab.keys(), sorted(vocab.keys() ^ their_vocab.keys())[:5]
    assert ours.keys() == theirs.keys()
    tokens = sorted(vocab)
    own, other = [vocab[token] for token in tokens], [their_vocab[token] for token in tokens]
    for name, x in ours.items():
        y = theirs[name]
        assert x.shape == y.shape, f"'{name}': {x.shape} and {y.shape}"
        if name in BY_TOKEN:
            pads = sorted(set(range(x.shape[0])) - set(own))
            x, y = x[own + pads], y[other + sorted(set(range(y.shape[0])) - set(other))]
        far = ((x - y).abs().max() / max(0.25, y.abs().max().item())).item()
        assert far <= 1e-6, f"'{name}': {far:.3g} apart"


def random_texts(rng, vocab):
    tokens = sorted(vocab)
    for _ in range(12):
        parts = words_of(rng, 4) + rng.choices(tokens, k=3) + ["Son Da", "\u00e9t\u00e9", "<s>"]
        rng.shuffle(parts)
        yield rng.choice(["", " "]).join(parts)


def expect_same_ids(path, texts, tokenizer):
    for text in texts:
        (scratch() / "text").write_text(text)
        found = [int(x) for x in cocktail("tokenize", path, scratch() / "text", "--no-special")[0].split()]
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert found == expected, f"{text!r}: {found}, transformers: {expected}"


# ---- cases


@case_for([(kind, seed) for kind in KINDS for seed in range(8)])
def recipes_move_rows_as_mergekit_does(kind, seed):
    need("mergekit")
    rng = random.Random(f"{kind} {seed}")
    paths = family_of(kind, rng, 3)
    config = random_recipe(rng, paths)
    theirs, ours = by_mergekit(config, "theirs"), by_cocktail(config, "ours")
    vocab, their_vocab = load(scratch() / "ours").get_vocab(), load(scratch() / "theirs").get_vocab()
    expect_same_rows(ours, theirs, vocab, their_vocab)
    own = load(paths[0] if config["tokenizer"]["source"] in ("union", "base") else paths[1]).get_vocab()
    assert all(vocab[token] == number for token, number in own.items()), "ids of the first tokenizer changed"
    rows = json.loads((scratch() / "ours" / "config.json").read_text())["vocab_size"]
    assert rows == ours["model.embed_tokens.weight"].shape[0]
    return f"{config['merge_method']}, {len(vocab)} tokens, {rows} rows"


@case_for([(kind, seed) for kind in KINDS for seed in range(4)])
def a_union_tokenizes_as_transformers_and_mergekit_do(kind, seed):
    need("mergekit")
    rng = random.Random(f"texts {kind} {seed}")
    paths = family_of(kind, rng, 3)
    config = {"merge_method": "linear", "base_model": paths[0], "tokenizer": {"source": "union"},
              "models": [{"model": path, "parameters": {"weight": 1}} for path in paths]}
    by_mergekit(config, "theirs"), by_cocktail(config, "ours")
    ours, theirs = load(scratch() / "ours"), load(scratch() / "theirs")
    texts = list(random_texts(rng, ours.get_vocab()))
    expect_same_ids(scratch() / "ours", texts, ours)
    for text in texts:
        mine, other = (x.convert_ids_to_tokens(x(text)["input_ids"]) for x in (ours, theirs))
        assert mine == other, f"{text!r}: {mine}, mergekit: {other}"
    flags = {token.content: token for token in theirs.added_tokens_decoder.values()}
    for token in ours.added_tokens_decoder.values():
        assert flags[token.content] == token, f"{token!r}, mergekit: {flags[token.content]!r}"


@case_for([(kind, choice) for kind in KINDS for choice in ("union", "base", "other")])
def a_mix_runs_in_transformers_with_the_chosen_tokenizer(kind, choice):
    import transformers

    rng = random.Random(f"mix {kind} {choice}")
    paths = family_of(kind, rng, 2)
    output = scratch() / "mixed"
    cocktail("mix", "--weights", "1,0", "--tokenizer", paths[1] if choice == "other" else choice, *paths, "-o", output,
             "-q")
    mixed, base = load(output), load(paths[0])
    texts = list(random_texts(rng, mixed.get_vocab()))
    expect_same_ids(output, texts, mixed)
    rows, old = (tensors_of(path)["model.embed_tokens.weight"] for path in (output, paths[0]))
    for token, number in mixed.get_vocab().items():
        if token in base.get_vocab():
            assert torch.equal(rows[number], old[base.get_vocab()[token]]), token
    model = transformers.AutoModelForCausalLM.from_pretrained(output)
    assert model.get_input_embeddings().weight.shape[0] == rows.shape[0] >= len(mixed)
    assert not model(torch.tensor([mixed(texts[0])["input_ids"]])).logits.isnan().any()


run()
