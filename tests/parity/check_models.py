"""check_models.py - running models against transformers and sentence-transformers.

Tiny models of every architecture come from fixtures/make_models.py and make_moe_models.py, with
fresh weights and ids for each of SEEDS ($COCKTAIL_PARITY_SEEDS, separated by commas); the trained
fixtures and two real models (real_models.py) follow. transformers computes in float32 from the stored weights, with
plain attention, one sequence at a time.

Tolerances. Two correct programs differ by the order of their float32 sums. transformers itself
differs by up to 2e-6 of the largest output between one sequence and the same in a padded batch
(make_models.py --check prints it). RESULT is ten times that. Losses of encoders divide a cosine
by 0.05, which makes 20 times as much of it: CONTRASTIVE. Real models are wider and deeper: REAL.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from harness import COCKTAIL, FIXTURES, case, case_for, edit_json, fixture, need, run, scratch
from tokenizers import Tokenizer

import real_models

sys.path.insert(0, str(FIXTURES))
import make_models  # noqa: E402 (beside the fixtures)
import make_moe_models  # noqa: E402

SEEDS = [int(seed) for seed in os.environ.get("COCKTAIL_PARITY_SEEDS", "101,102").split(",")]
RESULT = 2e-5
CONTRASTIVE = 1e-4
REAL = 1e-4
COSINE = 0.999999
TEMPERATURE = 0.05

RECIPES = {**make_models.RECIPES, **make_moe_models.RECIPES}
make_moe_models.prepare()


# ---- the program


def program(*arguments):
    """Runs the program; returns the bytes of stdout."""
    command = [COCKTAIL, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=600)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{' '.join(command)}\nexit status {done.returncode}\n{said}"
    return done.stdout


def program_json(*arguments):
    return json.loads(program(*arguments, "--json"))


def program_array(*arguments):
    array = np.load(io.BytesIO(program(*arguments, "--format", "npy")))
    assert array.dtype == np.float32, array.dtype
    return array


def write_lines(name, values):
    path = scratch() / name
    path.write_text("".join(f"{value}\n" for value in values), encoding="utf-8")
    return path


def write_jsonl(name, values):
    return write_lines(name, [json.dumps(value, ensure_ascii=False) for value in values])


def our_logits(model, ids, *options):
    return program_array("logits", model, write_lines("ids", [" ".join(map(str, ids))]), "--from-ids", *options)


def our_vectors(model, texts, *options):
    return program_array("embed", model, write_jsonl("texts.jsonl", texts), "--jsonl", *options)


def our_scores(model, query, passages, *options):
    """In the order of the passages; the program prints the best first."""
    lines = program("rerank", model, "--query", query, write_jsonl("passages.jsonl", passages), "--jsonl", "--json",
                    *options).decode().splitlines()
    results = [json.loads(line) for line in lines]
    scores = [r["score"] for r in results]
    assert scores == sorted(scores, reverse=True), scores
    by_line = {r["line"]: r["score"] for r in results}
    assert sorted(by_line) == list(range(1, len(passages) + 1)), sorted(by_line)
    return np.array([by_line[n + 1] for n in range(len(passages))])


def our_losses(model, examples, *options):
    """The loss of each example; checks that the whole is made of them."""
    path = write_jsonl("examples.jsonl", examples)
    result = program_json("eval", model, "--examples", path, "--each", *options)
    assert result["n_examples"] == len(examples)
    assert [e["line"] for e in result["examples"]] == list(range(1, len(examples) + 1))
    return result


# ---- comparing


def expect_near(got, wanted, tolerance, what):
    """The largest difference, as part of the largest wanted value (or of 1, if that is smaller)."""
    got, wanted = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    assert np.isfinite(got).all(), f"{what}: not finite"
    size = max(1.0, np.abs(wanted).max())
    difference = np.abs(got - wanted).max() / size
    assert difference <= tolerance, f"{what}: off by {difference:.2e} of {size:.3g}, allowed {tolerance:.0e}"
    return difference


def normalised(vectors):
    vectors = np.asarray(vectors, dtype=np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def remark(differences):
    return f"off by at most {max(differences):.1e}"


def without_end(ids, ends):
    """Whether the end-of-text token is among the generated ids is the program's choice."""
    return ids[:-1] if ids and ids[-1] in ends else ids


def expect_continuation(result, wanted, ends):
    got = without_end(result["ids"], ends)
    assert got == without_end(wanted, ends), f"{result['ids']}, wanted {wanted}"
    assert result["stop"] == ("eos" if wanted[-1] in ends else "length"), result["stop"]


# ---- the tiny models


def of_kind(*kinds):
    return [(name, seed) for seed in SEEDS for name, recipe in RECIPES.items() if recipe.kind in kinds]


MADE = tempfile.TemporaryDirectory(prefix="cocktail-models-")


def source_of(name):
    return make_moe_models if name in make_moe_models.RECIPES else make_models


def made(name, seed):
    """A tiny model with its results; made by the first case that asks for it."""
    make_moe_models.prepare()
    recipe, folder = RECIPES[name], Path(MADE.name) / str(seed) / name
    if not (folder / "golden.safetensors").is_file():
        source_of(name).make(recipe, folder.parent, seed)
        if getattr(recipe, "type_ids", False):  # which the class of the tokenizer does not give by itself
            edit_json(folder / "tokenizer_config.json",
                      model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    golden, metadata = make_models.load_golden(folder)
    return recipe, folder, golden, metadata


def sequences_of(golden):
    return make_models.unflat(golden["ids"], golden["ends"])


def rows_of(golden, name):
    return np.split(golden[name], golden["ends"][:-1])


def text_of(recipe, ids, type_ids=None):
    """The text, or the pair, that the tokenizer makes these ids of; None if there is none."""
    specials, single, pair, _ = make_models.STYLES[recipe.tokens]
    names = specials + [f"t{i}" for i in range(recipe.n_tokens - len(specials))]
    for template in (single or "$A", pair or ""):
        parts = [part.split(":")[0] for part in template.split()]
        texts = match(parts, [names[i] for i in ids], specials)
        if texts and (type_ids is None or len(texts) == 2 or not any(type_ids)):
            return texts[0] if len(texts) == 1 else {"text": texts[0], "pair": texts[1]}
    return None


def match(parts, words, specials):
    """The texts that stand for $A and $B when a template gives these words; words may contain
    special tokens that the template does not have at that place, like <pad>."""
    head = [i for i, part in enumerate(parts) if part.startswith("$")]
    if len(head) == 1:
        before, after = parts[:head[0]], parts[head[0] + 1:]
        inner = words[len(before):len(words) - len(after)]
        used = {p for p in parts if p in specials}
        if before + inner + after == words and not used & set(inner):
            return [" ".join(inner)]
        return None
    separator = parts[head[0] + 1:head[1]]
    before, after = parts[:head[0]], parts[head[1] + 1:]
    inner = words[len(before):len(words) - len(after)]
    if before + inner + after != words or not separator:
        return None
    for i in range(len(inner)):
        if inner[i:i + len(separator)] == separator:
            return [" ".join(inner[:i]), " ".join(inner[i + len(separator):])]
    return None


def end_ids(folder):
    """The ids that end a generation, as config.json has them."""
    ends = make_models.read_json(folder / "config.json").get("eos_token_id")
    return set(ends if isinstance(ends, list) else [ends])


@case_for(of_kind("decoder"))
def logits_are_those_of_transformers(name, seed):
    _, folder, golden, _ = made(name, seed)
    differences = []
    for ids, wanted in zip(sequences_of(golden), rows_of(golden, "logits")):
        got = our_logits(folder, ids)
        differences.append(expect_near(got, wanted, RESULT, f"{len(ids)} tokens"))
    ids = sequences_of(golden)[2]
    one, three = (our_logits(folder, ids, "--threads", n) for n in (1, 3))
    assert one.tobytes() == three.tobytes(), "logits depend on the number of threads"
    return remark(differences)


@case_for(of_kind("decoder", "seq2seq"))
def greedy_continuations_are_those_of_transformers(name, seed):
    recipe, folder, golden, _ = made(name, seed)
    prompt = text_of(recipe, sequences_of(golden)[0])
    result = program_json("generate", folder, "--prompt", prompt, "--max-tokens", recipe.n_new)
    expect_continuation(result, golden["greedy"].tolist(), end_ids(folder))
    if recipe.kind == "decoder":
        assert result["n_prompt_tokens"] == int(golden["ends"][0])


def pooled(hidden, pooling):
    return hidden[0] if pooling == "cls" else hidden.mean(0)


@case_for([(*row, pooling) for row in of_kind("encoder") for pooling in ("cls", "mean")])
def pooled_hidden_states_are_those_of_transformers(name, seed, pooling):
    """A folder that says nothing of pooling says nothing of lengths either: directions are compared."""
    recipe, folder, golden, _ = made(name, seed)
    rows = zip(sequences_of(golden), rows_of(golden, "hidden"),
               rows_of(golden, "type_ids") if "type_ids" in golden else [None] * len(golden["ends"]))
    pairs = [(text_of(recipe, ids, types), pooled(hidden, pooling)) for ids, hidden, types in rows]
    pairs = [(text, vector) for text, vector in pairs if text is not None]
    assert len(pairs) >= 3
    got = our_vectors(folder, [text for text, _ in pairs], "--pooling", pooling)
    difference = expect_near(normalised(got), normalised([vector for _, vector in pairs]), RESULT, pooling)
    return f"{len(pairs)} texts, {remark([difference])}"


@case_for(of_kind("sentence"))
def vectors_are_those_of_sentence_transformers(name, seed):
    _, folder, golden, metadata = made(name, seed)
    options = ["--prompt", metadata["prompt"]] if "prompt" in metadata else []
    got = our_vectors(folder, json.loads(metadata["texts"]), *options)
    return remark([expect_near(got, golden["embeddings"], RESULT, "vectors")])


def random_text(recipe, rng, low=1, high=9):
    n_words = recipe.n_tokens - recipe.n_specials
    return " ".join(f"t{i}" for i in rng.integers(0, n_words, rng.integers(low, high)))


def retrieval_examples(recipe, rng, n=4):
    return [{"query": random_text(recipe, rng), "pos": [random_text(recipe, rng) for _ in range(rng.integers(1, 3))],
             "neg": [random_text(recipe, rng) for _ in range(rng.integers(1, 5))]} for _ in range(n)]


def generation_examples(recipe, rng, n=4):
    return [{"input": random_text(recipe, rng), "output": random_text(recipe, rng)} for _ in range(n)]


def rerankers():
    return [row for row in of_kind("classifier") if RECIPES[row[0]].config.num_labels == 1]


@case_for(rerankers())
def scores_are_those_of_transformers(name, seed):
    recipe, folder, _, _ = made(name, seed)
    rng = np.random.default_rng(seed)
    query, passages = random_text(recipe, rng), [random_text(recipe, rng, high=14) for _ in range(5)]
    oracle = Reranker(make_models.load(recipe, folder), folder)
    wanted = oracle.scores(query, passages)
    differences = [expect_near(our_scores(folder, query, passages), wanted, RESULT, "scores")]
    normal = our_scores(folder, query, passages, "--normalize")
    differences.append(expect_near(normal, 1 / (1 + np.exp(-wanted)), RESULT, "normalised scores"))
    return remark(differences)


def models_with_losses():
    """Whether a loss is computed with a prompt is not what this is about."""
    rows = of_kind("decoder", "seq2seq", "encoder", "sentence") + rerankers()
    return [row for row in rows if "prompt" not in row[0]]


@case_for(models_with_losses())
def losses_are_those_of_transformers(name, seed):
    recipe, folder, _, _ = made(name, seed)
    rng = np.random.default_rng(seed)
    make_examples = generation_examples if recipe.kind in ("decoder", "seq2seq") else retrieval_examples
    examples = make_examples(recipe, rng)
    pooling = ("--pooling", "cls") if recipe.kind == "encoder" else ()  # of decoders it is the last token
    return compare_losses(oracle_of(recipe, folder), folder, examples, *pooling)


# ---- the losses, by definition


class Oracle:
    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        inner = folder if (folder / "tokenizer.json").is_file() else folder / "0_Transformer"
        self.tokenizer = Tokenizer.from_file(str(inner / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.settings = make_models.read_json(inner / "tokenizer_config.json")

    def ids(self, text):
        return self.tokenizer.encode(text).ids

    def eos(self):
        token = self.settings["eos_token"]
        return self.tokenizer.token_to_id(token["content"] if isinstance(token, dict) else token)


class Decoder(Oracle):
    """Mean cross-entropy of the tokens of the output and of the end, after those of the input."""
    tolerance = RESULT

    def loss(self, example):
        ids = self.ids(example["input"] + " " + example["output"]) + [self.eos()]
        n_input = len(self.ids(example["input"]))
        labels = [-100] * n_input + ids[n_input:]
        model = make_models.fresh(self.model)
        return model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss.item(), len(ids) - n_input


class Seq2seq(Oracle):
    """Mean cross-entropy of the output, whose tokenizer adds the end, given the input."""
    tolerance = RESULT

    def loss(self, example):
        labels = self.ids(example["output"])
        assert labels[-1] == self.eos()
        inputs = torch.tensor([[self.model.config.decoder_start_token_id, *labels[:-1]]])
        logits = self.model(input_ids=torch.tensor([self.ids(example["input"])]), decoder_input_ids=inputs).logits[0]
        return F.cross_entropy(logits, torch.tensor(labels)).item(), len(labels)


class Contrastive(Oracle):
    """Cross-entropy of the first positive against the negatives."""
    tolerance = CONTRASTIVE

    def loss(self, example):
        passages = example["pos"][:1] + example["neg"]
        logits = torch.tensor(self.scores(example["query"], passages), dtype=torch.float64)
        return -torch.log_softmax(logits, 0)[0].item(), None


class Encoder(Contrastive):
    """A plain folder: the first token's hidden state."""

    def vectors(self, texts):
        states = [self.model(input_ids=torch.tensor([self.ids(text)])).last_hidden_state[0, 0] for text in texts]
        return torch.stack(states).numpy()

    def scores(self, query, passages):
        vectors = normalised(self.vectors([query, *passages]))
        return vectors[1:] @ vectors[0] / TEMPERATURE


class SentenceFolder(Encoder):
    def vectors(self, texts):
        return np.concatenate([self.model.encode([text]) for text in texts])


class Reranker(Contrastive):
    tolerance = RESULT

    def scores(self, query, passages):
        scores = []
        for passage in passages:
            encoding = self.tokenizer.encode(query, passage)
            inputs = {"input_ids": torch.tensor([encoding.ids])}
            if self.model.config.model_type == "bert":
                inputs["token_type_ids"] = torch.tensor([encoding.type_ids])
            scores.append(self.model(**inputs).logits[0, 0].item())
        return np.array(scores)


def oracle_of(recipe, folder):
    if recipe.kind == "sentence":
        return SentenceFolder(make_models.load_sentence_model(folder), folder)
    model = make_models.load(recipe, folder)
    classes = {"decoder": Decoder, "seq2seq": Seq2seq, "encoder": Encoder, "classifier": Reranker}
    return classes[recipe.kind](make_models.backbone(recipe, model), folder)


def compare_losses(oracle, folder, examples, *options, tolerance=None):
    result = our_losses(folder, examples, *options)
    wanted, counts = zip(*map(oracle.loss, examples))
    got = [example["loss"] for example in result["examples"]]
    tolerance = tolerance or oracle.tolerance
    differences = [expect_near(got, wanted, tolerance, "losses")]
    if counts[0] is not None:
        assert [e["n_tokens"] for e in result["examples"]] == list(counts), (result["examples"], counts)
        assert result["n_tokens"] == sum(counts)
        total = np.average(wanted, weights=counts)  # mean over tokens, not over examples
        differences.append(expect_near(np.exp(result["loss"]), result["perplexity"], 1e-12, "perplexity"))
    else:
        total = np.mean(wanted)
    differences.append(expect_near(result["loss"], total, tolerance, "loss"))
    return f"{len(examples)} losses, {remark(differences)}"


# ---- the trained fixtures


def examples_of(name, n=None):
    lines = (FIXTURES / "examples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:n]]


def load_trained(model_class, folder):
    return model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


DECODERS = ["decoder-base", "decoder-arithmetic", "decoder-tense", "decoder-translation", "decoder-sharded",
            "moe-base", "moe-arithmetic", "moe-tense"]
ENCODERS = ["encoder-base", "encoder-parts", "encoder-bin", "encoder-repairs"]
RERANKERS = ["reranker-base", "reranker-routes", "reranker-legacy"]


@case_for(DECODERS)
def a_trained_decoder_has_the_same_logits_and_continuations(name):
    from transformers import AutoModelForCausalLM

    folder = fixture(name)
    oracle = Decoder(load_trained(AutoModelForCausalLM, folder), folder)
    differences, n_equal = [], 0
    for task in ("arithmetic", "tense", "translation"):
        for example in examples_of(f"{task}-heldout", 4):
            ids = oracle.ids(example["input"])
            wanted = oracle.model(input_ids=torch.tensor([ids])).logits[0].numpy()
            differences.append(expect_near(our_logits(folder, ids), wanted, RESULT, example["input"]))
            n_equal += compare_continuation(oracle, folder, example["input"], 24)
    return f"{n_equal} tokens equal, logits {remark(differences)}"


@case_for([(name, task) for name in DECODERS for task in ("arithmetic", "tense", "translation")])
def a_trained_decoder_has_the_same_losses(name, task):
    from transformers import AutoModelForCausalLM

    folder = fixture(name)
    oracle = Decoder(load_trained(AutoModelForCausalLM, folder), folder)
    return compare_losses(oracle, folder, examples_of(task) + examples_of(f"{task}-heldout", 12))


@case_for(ENCODERS)
def a_trained_encoder_has_the_same_losses_and_vectors(name):
    from transformers import BertModel

    folder, options = fixture(name), []
    examples = examples_of("retrieval-parts") + examples_of("retrieval-repairs")
    if (folder / "modules.json").is_file():
        oracle = SentenceFolder(make_models.load_sentence_model(folder), folder)
    else:
        oracle, options = Encoder(load_trained(BertModel, folder), folder), ["--pooling", "cls"]
    texts = [text for e in examples for text in (e["query"], *e["pos"])]
    got = normalised(our_vectors(folder, texts, *options))
    difference = expect_near(got, normalised(oracle.vectors(texts)), RESULT, "vectors")
    return f"{compare_losses(oracle, folder, examples, *options)}; vectors {remark([difference])}"


@case_for(RERANKERS)
def a_trained_reranker_has_the_same_losses_and_scores(name):
    from transformers import BertForSequenceClassification

    folder = fixture(name)
    oracle = Reranker(load_trained(BertForSequenceClassification, folder), folder)
    examples = examples_of("rerank-routes") + examples_of("rerank-parts")
    differences = []
    for example in examples[::4]:
        passages = example["pos"] + example["neg"]
        got = our_scores(folder, example["query"], passages)
        differences.append(expect_near(got, oracle.scores(example["query"], passages), RESULT, "scores"))
    return f"{compare_losses(oracle, folder, examples)}; scores {remark(differences)}"


# ---- real models

PROMPTS = [
    "The capital of France is",
    "Once upon a time there was a",
    "def fibonacci(n):\n    ",
    "Water boils at a temperature of",
    "To make a good cup of tea, first",
    "1, 2, 3, 4, 5,",
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n",
    "Dear Sir or Madam,\n\nI am writing to",
    "Die Hauptstadt von Deutschland ist",
    "The three laws of motion state that",
]
LONG_PROMPT = " ".join(f"Chapter {n}: the ship sailed past {n * 7} islands and came home." for n in range(1, 20))
# transformers, run twice, cannot be trusted to choose alike where best and second are this close
# (in logits, which are about 20 here and agree to 1e-4 of that).
NEAR_TIE = 4e-3

TEXTS = [
    "", " ", "a", "A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.",
    "A cheetah is running behind its prey.", "someone in a gorilla costume is playing a set of drums",
    "How many people live in Berlin?", "Berlin had a population of 3,520,031 registered inhabitants in 2016.",
    "What is the capital of France?", "The quick brown fox jumps over the lazy dog", "THE QUICK BROWN FOX",
    "naïve café résumé", "Ünïcödé äöü ß ÄÖÜ", "Привет, мир!", "你好，世界", "こんにちは世界", "안녕하세요 세계",
    "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "😀 👍🏽 🏳️‍🌈", "e\u0301 and \u00e9", "\ufb01ne \u2460 \uff21",
    "tabs\tand\nnewlines\r\nand   spaces", "don't, won't; can't: (it's) [the] {end}!?", "a@b.example +1-555-0100 $3.50 50%",
    "print(f'{x:>10}') # code", "<html><body>text</body></html>", "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "x" * 150, "0123456789" * 8,
    "\u200bzero\u200bwidth\u00adsoft", "control \x01\x7f characters", "mixed 中文 and English 混合",
    " ".join(["many words of one long text about ships, islands and home;"] * 30),
    " ".join(str(n) for n in range(400)), "词" * 300,
]


def real(name):
    if not real_models.is_available(name):
        need(real_models.package(name))
    return real_models.model_folder(name)


def compare_continuation(oracle, folder, prompt, n_tokens):
    """The same tokens, or the same up to a step where transformers has two that are nearly alike."""
    ids = torch.tensor([oracle.ids(prompt)])
    output = oracle.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=n_tokens,
        pad_token_id=0, output_logits=True, return_dict_in_generate=True)
    wanted = output.sequences[0, ids.shape[1]:].tolist()
    result = program_json("generate", folder, "--prompt", prompt, "--max-tokens", n_tokens)
    ends = end_ids(folder)
    for step, logits in enumerate(output.logits):
        best, second = torch.topk(logits[0], 2).values.tolist()
        if best - second < NEAR_TIE and result["ids"][step:step + 1] != wanted[step:step + 1]:
            assert result["ids"][:step] == wanted[:step], (prompt, result["ids"], wanted)
            return step
    expect_continuation(result, wanted, ends)
    return len(wanted)


@case
def minilm_has_the_vectors_of_sentence_transformers():
    folder = real("minilm")
    model = make_models.load_sentence_model(folder)
    wanted = np.concatenate([model.encode([text]) for text in TEXTS])
    got = our_vectors(folder, TEXTS)
    cosines = (normalised(got) * normalised(wanted)).sum(-1)
    worst = int(cosines.argmin())
    assert cosines[worst] >= COSINE, f"cosine {cosines[worst]:.7f} for {TEXTS[worst][:80]!r}"
    expect_near(got, wanted, REAL, "vectors")
    return f"{len(TEXTS)} texts, cosine at least {cosines[worst]:.9f}"


def load_smollm2(name):
    from transformers import AutoModelForCausalLM

    folder = real(name)
    return folder, Decoder(load_trained(AutoModelForCausalLM, folder), folder)


@case
def smollm2_continues_ten_prompts_alike():
    folder, oracle = load_smollm2("smollm2")
    n_equal = [compare_continuation(oracle, folder, prompt, 64) for prompt in PROMPTS]
    return f"{sum(n_equal)} tokens, by prompt {n_equal}"


@case_for([("smollm2", PROMPTS), ("smollm2", [LONG_PROMPT]), ("smollm2-bf16", PROMPTS[:3])])
def smollm2_has_the_same_logits(name, prompts):
    folder, oracle = load_smollm2(name)
    differences = []
    for prompt in prompts:
        ids = oracle.ids(prompt)
        wanted = oracle.model(input_ids=torch.tensor([ids])).logits[0].numpy()
        text = scratch() / "text"
        text.write_bytes(prompt.encode())
        got = program_array("logits", folder, text)
        differences.append(expect_near(got, wanted, REAL, prompt[:40]))
    return remark(differences)


@case
def smollm2_has_the_same_losses():
    folder, oracle = load_smollm2("smollm2")
    examples = [{"input": "Question: what is the capital of Italy? Answer:", "output": "Rome"},
                {"input": "2 + 2 =", "output": "4"},
                {"input": "Translate to French: good morning.", "output": "Bonjour."}]
    return compare_losses(oracle, folder, examples, tolerance=REAL)


# ---- the fixtures in the repository


@case_for(list(RECIPES))
def the_stored_results_are_what_transformers_gives_now(name):
    make_moe_models.prepare()
    source_of(name).check_golden(RECIPES[name], fixture("models") / name)


if __name__ == "__main__":
    run()
