"""check_mix_data.py - `cocktail mix-data` against LM_Cocktail's compute_weights, and against its own
definition.

With --compat lm-cocktail, losses must agree to 1e-4 and weights to 1e-5. Models are loaded here, in
float32: LM_Cocktail's own loaders compute in the dtype of the checkpoint. Its losses are read off
while compute_weights runs.

Where the two differ on purpose, a case says how: a token of the text that is also the padding is
hidden by LM_Cocktail and read by cocktail; an example of which truncation leaves nothing counts
there for nothing and is an error here.

Without --compat the losses are those of the manual, computed the plain way, one text at a time.
Tolerances as in check_models.py.
"""

import contextlib
import itertools
import json
import random
import sys

import torch
from harness import (FIXTURES, case, case_for, cocktail, cocktail_json, copy_model, edit_json, expect_same_tensors,
                     family, fixture, need, run, scratch, tensors_of)

import oracle
import real_models

LOSS, WEIGHT = 1e-4, 1e-5
RESULT, CONTRASTIVE = 2e-5, 1e-4
DECODER_TASKS = ["arithmetic", "tense", "translation"]
ENCODER_TASKS = ["retrieval-parts", "retrieval-repairs"]


def examples_of(task, n=None):
    path = FIXTURES / "examples" / f"{task}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()][:n]


def write_examples(examples):
    path = scratch() / "examples.jsonl"
    path.write_text("".join(json.dumps(example) + "\n" for example in examples))
    return path


def our_weights(models, examples, *options):
    result = cocktail_json("mix-data", "--examples", write_examples(examples), *models, "--weights-only", *options)
    assert [row["path"] for row in result["models"]] == list(map(str, models))
    return [row["loss"] for row in result["models"]], [row["weight"] for row in result["models"]], result


def expect_near(got, wanted, tolerance, what):
    difference = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
    assert difference <= tolerance, f"{what} differ by {difference:.2e}: {got}, {wanted}"
    return difference


# ---- LM_Cocktail


def load_tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_model(folder, kind):
    from transformers import AutoModel, AutoModelForCausalLM

    maker = AutoModelForCausalLM if kind == "decoder" else AutoModel
    return maker.from_pretrained(folder, dtype=torch.float32).eval()


def their_weights(models, kind, examples, tokenizer=None, **settings):
    """Losses and weights; as mix_models_with_data calls compute_weights."""
    need("LM_Cocktail")
    with contextlib.redirect_stdout(sys.stderr):
        from LM_Cocktail import utils

    name = "llm_loss" if kind == "decoder" else "embedder_loss"
    original, losses = getattr(utils, name), []

    def listen(base_model, input_data):
        losses.append(original(base_model, input_data))
        return losses[-1]

    setattr(utils, name, listen)
    try:
        loaded = [load_model(model, kind) for model in models]
        weights = utils.compute_weights(loaded[0], tokenizer or load_tokenizer(models[0]),
                                        [{k: v.clone() for k, v in model.state_dict().items()} for model in loaded],
                                        kind, examples, **settings)
    finally:
        setattr(utils, name, original)
    return losses, weights


def compare(models, kind, examples, tokenizer=None, **settings):
    """settings: as compute_weights names them; the options are named the same."""
    theirs = their_weights(models, kind, examples, tokenizer, **settings)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    losses, weights, _ = our_weights(models, examples, "--compat", "lm-cocktail", *options)
    loss = expect_near(losses, theirs[0], LOSS, "losses")
    weight = expect_near(weights, theirs[1], WEIGHT, "weights")
    return f"losses within {loss:.1e}, weights within {weight:.1e}"


@case_for(DECODER_TASKS)
def decoders_get_the_same_weights(task):
    return compare(family("decoder")[:4], "decoder", examples_of(task), max_input_length=128)


@case
def its_defaults_give_the_same_weights():
    return compare(family("decoder", 2), "decoder", examples_of("tense", 2))


@case_for([(n, size) for n in (7, 8) for size in (1, 2, 3)])
def decoders_in_batches_get_the_same_weights(n_examples, batch_size):
    examples = [e for task in DECODER_TASKS for e in examples_of(task, 3)][:n_examples]
    return compare(family("decoder")[:4], "decoder", examples, batch_size=batch_size, max_input_length=96)


@case_for([5.0, 0.5, 1e-6])
def temperatures_give_the_same_weights(temperature):
    decoders, encoders = family("decoder")[:4], family("encoder")[:3]
    said = compare(decoders, "decoder", examples_of("arithmetic"), temperature=temperature, max_input_length=64)
    return f"{said}; {compare(encoders, 'encoder', examples_of('retrieval-parts'), temperature=temperature)}"


@case_for([("arithmetic", 13), ("tense", 20), ("translation", 14)])
def cut_outputs_give_the_same_weights(task, length):
    examples = examples_of(task)
    tokenizer = load_tokenizer(fixture("decoder-base"))
    lengths = [len(tokenizer.encode(e["input"] + " " + e["output"])) + 1 for e in examples]
    assert max(lengths) > length, lengths
    said = compare(family("decoder")[:4], "decoder", examples, max_input_length=length)
    return f"{sum(n > length for n in lengths)} of {len(lengths)} cut; {said}"


@case
def an_input_without_tokens_gives_the_same_weights():
    """A tokenizer that puts nothing first: nothing stands before the output's first token."""
    models = [copy_model(model, model.name) for model in family("decoder", 2)]
    for model in models:
        content = json.loads((model / "tokenizer.json").read_text())
        content["post_processor"] = None
        (model / "tokenizer.json").write_text(json.dumps(content))
    return compare(models, "decoder", [{"input": "", "output": "What is 5 plus 5? 10"}, *examples_of("tense", 1)],
                   max_input_length=64)


def padded_with_eos():
    models = [copy_model(model, model.name) for model in family("decoder", 2)]
    for model in models:
        edit_json(model / "tokenizer_config.json", pad_token="</s>")
        (model / "special_tokens_map.json").unlink(missing_ok=True)
    tokenizer = load_tokenizer(models[0])
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 2
    return models, tokenizer


@case
def a_padding_that_is_the_end_of_text_gives_the_same_weights():
    """LM_Cocktail hides the end of text then, but nothing that counts comes after it; it counts."""
    models, tokenizer = padded_with_eos()
    return compare(models, "decoder", examples_of("tense"), tokenizer, max_input_length=64)


@case
def an_end_of_text_within_a_text_is_read():
    """LM_Cocktail hides it where the padding is the same token, so its losses depend on the padding;
    with another padding they are ours."""
    models, tokenizer = padded_with_eos()
    examples = [{**e, "input": "the sun</s>" + e["input"]} for e in examples_of("tense", 4)]
    hidden, _ = their_weights(models, "decoder", examples, tokenizer, max_input_length=64)
    read, _ = their_weights(models, "decoder", examples, load_tokenizer(fixture("decoder-base")), max_input_length=64)
    losses, _, _ = our_weights(models, examples, "--compat", "lm-cocktail")
    expect_near(losses, read, LOSS, "losses")
    apart = max(abs(a - b) for a, b in zip(hidden, losses))
    assert apart > 100 * LOSS, apart
    return f"{apart:.1e} from those with the token hidden"


@case
def nothing_left_of_an_output_is_an_error():
    """There it has no tokens in the mean of its batch; here the line is named."""
    examples = [{"input": "What is 1 plus 1?", "output": "2"}, *examples_of("tense", 1)]
    models = family("decoder", 2)
    losses, _ = their_weights(models, "decoder", examples, max_input_length=20)
    assert all(loss == loss for loss in losses)
    _, said = cocktail("mix-data", "--examples", write_examples(examples[::-1]), *models, "--weights-only", "--compat",
                       "lm-cocktail", "--max-input-length", 5, status=3)
    assert "examples.jsonl:1: nothing of the output is left" in said, said


@case_for(ENCODER_TASKS)
def encoders_get_the_same_weights(task):
    return compare(family("encoder")[:3], "encoder", examples_of(task))


@case_for([(n, size) for n in (7, 8) for size in (1, 2, 3, 100)])
def encoders_in_batches_get_the_same_weights(n_examples, batch_size):
    """Every passage of a batch is a negative of every other query, so the size of batches counts."""
    examples = examples_of("retrieval-repairs", n_examples)
    return compare(family("encoder")[:3], "encoder", examples, batch_size=batch_size)


@case_for([1, 3])
def encoders_with_fewer_negatives_get_the_same_weights(neg_number):
    examples = [{**e, "neg": e["neg"][:neg_number]} for e in examples_of("retrieval-parts")]
    return compare(family("encoder")[:3], "encoder", examples, neg_number=neg_number)


@case_for([12, 5])
def cut_texts_give_the_same_weights(length):
    return compare(family("encoder")[:3], "encoder", examples_of("retrieval-repairs"), max_input_length=length)


@case
def the_negatives_drawn_there_give_the_same_weights():
    """What random.sample() draws from more of them, handed to cocktail as all there are."""
    need("LM_Cocktail")
    examples, models = examples_of("retrieval-parts"), family("encoder")[:3]
    random.seed(6)
    theirs = their_weights(models, "encoder", examples, neg_number=4)
    random.seed(6)
    drawn = [{**e, "neg": random.sample(e["neg"], 4)} for e in examples]
    losses, weights, _ = our_weights(models, drawn, "--compat", "lm-cocktail", "--neg-number", 4)
    expect_near(losses, theirs[0], LOSS, "losses")
    expect_near(weights, theirs[1], WEIGHT, "weights")


# ---- real checkpoints

PAIRS = [
    ("how long do I boil an egg", "Put it into boiling water for seven minutes; the yolk stays a little soft."),
    ("my bicycle chain keeps slipping", "A worn cassette lets the chain jump: replace both together."),
    ("capital of Australia", "Canberra was chosen in 1908 as a compromise between Sydney and Melbourne."),
    ("what causes tides?", "The moon's gravity pulls the oceans towards it, and the earth turns beneath the bulge."),
    ("remove red wine from a carpet", "Blot it at once, then dab with cold water and a little washing-up liquid."),
    ("how do vaccines work", "They show the immune system a harmless part of a germ, which it then remembers."),
    ("Why is the sky blue", "Air scatters short wavelengths more strongly than long ones."),
    ("train a puppy not to bite", "Stop the game when its teeth touch your skin, and offer a toy instead."),
    ("difference between TCP and UDP", "One repeats what is lost and keeps the order; the other just sends packets."),
    ("when to prune apple trees", "In late winter, before the buds swell, on a dry day without frost."),
    ("who painted the Night Watch", "Rembrandt finished the large canvas in 1642 for the civic guard of Amsterdam."),
    ("meaning of 'break a leg'", "Actors wish each other luck with it, since wishing luck aloud is said to bring none."),
]


def pairs_examples():
    answers = [answer for _, answer in PAIRS]
    return [{"query": query, "pos": [answer], "neg": [answers[(i + 1 + n) % len(answers)] for n in range(7)]}
            for i, (query, answer) in enumerate(PAIRS)]


def perturbed(real, seeds, share):
    """Copies of a model with seeded noise, a share of each tensor's spread."""
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)

        def add_noise(_, tensor):
            if not tensor.is_floating_point():
                return tensor
            noise = torch.randn(tensor.shape, generator=generator)
            return tensor + share * tensor.std() * noise

        yield copy_model(real, f"perturbed-{seed}", change=add_noise)


@case_for([2, 5, 12])
def minilm_gets_the_same_weights(batch_size):
    need(real_models.package("minilm"))
    real = real_models.model_folder("minilm")
    models = [real, *perturbed(real, (1,), 0.1), *perturbed(real, (2,), 0.3)]
    return compare(models, "encoder", pairs_examples(), batch_size=batch_size, max_input_length=128)


@case
def smollm2_gets_the_same_weights():
    """Its padding is its end of text."""
    need(real_models.package("smollm2"))
    real = real_models.model_folder("smollm2")
    examples = [{"input": query, "output": answer} for query, answer in PAIRS[:3]]
    return compare([real, *perturbed(real, (1,), 0.05)], "decoder", examples, max_input_length=48)


# ---- the definition


def softmax(losses, temperature=5.0):
    return torch.softmax(-torch.tensor(losses, dtype=torch.float64) / temperature, 0).tolist()


def mean_of_tokens(losses):
    """Mean over all tokens of all examples, and the mean of each example."""
    whole = torch.cat(losses)
    return whole.double().mean().item(), [loss.double().mean().item() for loss in losses]


@torch.no_grad()
def decoder_loss(folder, tokenizer, examples):
    model, losses = load_model(folder, "decoder"), []
    for e in examples:
        ids = [*tokenizer.encode(e["input"] + " " + e["output"]), tokenizer.eos_token_id]
        n_input = len(tokenizer.encode(e["input"]))
        logits = model(torch.tensor([ids])).logits[0, n_input - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[n_input:]), reduction="none"))
    return mean_of_tokens(losses)


@torch.no_grad()
def encoder_decoder_loss(folder, tokenizer, examples):
    from transformers import AutoModelForSeq2SeqLM

    model, losses = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval(), []
    for e in examples:
        labels = tokenizer.encode(e["output"])
        logits = model(input_ids=torch.tensor([tokenizer.encode(e["input"])]), labels=torch.tensor([labels])).logits[0]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(labels), reduction="none"))
    return mean_of_tokens(losses)


def mean_of_queries(examples, scores_of):
    losses = []
    for e in examples:
        scores = torch.tensor([scores_of(e["query"], passage) for passage in (e["pos"][0], *e["neg"])]).double()
        losses.append(-torch.log_softmax(scores, 0)[0].item())
    return sum(losses) / len(losses), losses


@torch.no_grad()
def encoder_loss(folder, tokenizer, examples):
    model = load_model(folder, "encoder")
    is_mean = (folder / "1_Pooling").is_dir()

    def vector(text):
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return torch.nn.functional.normalize(hidden.mean(0) if is_mean else hidden[0], dim=0)

    return mean_of_queries(examples, lambda query, passage: vector(query) @ vector(passage) / 0.05)


@torch.no_grad()
def reranker_loss(folder, tokenizer, examples):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    return mean_of_queries(
        examples, lambda query, passage: model(**tokenizer(query, passage, return_tensors="pt")).logits[0, 0])


def expect_definition(models, examples, loss_of, tolerance, *options):
    tokenizer = load_tokenizer(models[0])
    wanted = [loss_of(model, tokenizer, examples) for model in models]
    losses, weights, result = our_weights(models, examples, "--each", *options)
    difference = expect_near(losses, [whole for whole, _ in wanted], tolerance, "losses")
    expect_near(weights, softmax(losses), 1e-15, "weights")
    assert [e["line"] for e in result["examples"]] == list(range(1, len(examples) + 1))
    for i, example in enumerate(result["examples"]):
        expect_near(example["losses"], [each[i] for _, each in wanted], 2 * tolerance, f"losses of example {i + 1}")
    return f"losses within {difference:.1e}"


@case_for(DECODER_TASKS)
def decoders_have_the_mean_over_all_output_tokens(task):
    return expect_definition(family("decoder")[:4], examples_of(task), decoder_loss, RESULT)


@case_for(ENCODER_TASKS)
def encoders_have_the_mean_over_all_queries(task):
    return expect_definition(family("encoder")[:3], examples_of(task), encoder_loss, CONTRASTIVE)


@case_for(["rerank-routes", "rerank-parts"])
def rerankers_have_the_mean_over_all_queries(task):
    return expect_definition(family("reranker")[:2], examples_of(task), reranker_loss, RESULT)


@case
def encoder_decoders_are_taught_their_outputs():
    examples = [{"input": "the sun was seen", "output": "a moon"}, {"input": "b", "output": "the old sun"},
                {"input": "a moon was old", "output": "seen"}]
    base = fixture("models/t5")
    models = [base, *perturbed(base, (1, 2), 0.1)]
    return expect_definition(models, examples, encoder_decoder_loss, RESULT)


@case
def negatives_are_drawn_from_those_that_are_there():
    """The loss of each query is that of one of the sets it may have been, and another seed draws
    others."""
    examples, models = examples_of("retrieval-parts", 5), family("encoder", 2)
    tokenizer = load_tokenizer(models[0])
    sets = [[list(chosen) for chosen in itertools.combinations(e["neg"], 2)] for e in examples]
    flat = [{**e, "neg": chosen} for e, choices in zip(examples, sets) for chosen in choices]
    _, each = encoder_loss(models[0], tokenizer, flat)
    drawn = set()
    for seed in (1, 2, 3):
        result = our_weights(models, examples, "--each", "--neg-number", 2, "--seed", seed)[2]
        losses, first = [row["losses"][0] for row in result["examples"]], 0
        for loss, choices in zip(losses, sets):
            near = min(abs(loss - other) for other in each[first : first + len(choices)])
            assert near <= CONTRASTIVE, f"no set of two negatives has loss {loss}: {near:.1e}"
            first += len(choices)
        drawn.add(tuple(losses))
    assert len(drawn) == 3


# ---- what is written


def expect_written(models, weights, output):
    """Sums in double, one fma a model, rounded once: as `mix` has them, with these weights as they
    are. (A float64 sum without fma rounds two of the million elements here the other way: those
    whose sum lies halfway between two numbers of the dtype.)"""
    inputs = [tensors_of(model) for model in models]
    wanted = {}
    for name, tensor in inputs[0].items():
        values = [oracle.to_double(t[name]).reshape(-1) for t in inputs]
        total = weights[0] * values[0]
        for weight, x in zip(weights[1:], values[1:]):
            total = oracle.fma(weight, x, total)
        wanted[name] = oracle.linear([torch.from_numpy(total)], [1.0], tensor.dtype).reshape(tensor.shape)
    return expect_same_tensors(tensors_of(output), wanted)


@case_for([("decoder", "tense", None), ("decoder", "tense", 0.3), ("encoder", "retrieval-parts", 0.7),
           ("reranker", "rerank-routes", 0.0), ("reranker", "rerank-routes", 1.0)])
def a_target_gets_its_share(kind, task, alpha):
    target, *models = family(kind)[:4]
    options = [] if alpha is None else ["--alpha", alpha]
    output = scratch() / "mixed"
    result = cocktail_json("mix-data", "--examples", FIXTURES / "examples" / f"{task}.jsonl", "--target", target,
                           *models, "-o", output, *options)
    alpha = 0.5 if alpha is None else alpha
    losses = [row["loss"] for row in result["models"][1:]]
    weights = [alpha, *((1 - alpha) * w for w in softmax(losses))]
    assert result["target"] == str(target) and result["alpha"] == alpha and result["models"][0]["loss"] is None
    shown = [row["weight"] for row in result["models"]]
    expect_near(shown, weights, 1e-15, "weights")
    return f"{expect_written([target, *models], shown, output)} elements"


@case_for([("decoder", "translation"), ("encoder", "retrieval-repairs"), ("reranker", "rerank-parts")])
def the_mix_has_the_weights_that_are_shown(kind, task):
    models, output = family(kind)[:4], scratch() / "mixed"
    result = cocktail_json("mix-data", "--examples", FIXTURES / "examples" / f"{task}.jsonl", *models, "-o", output)
    return f"{expect_written(models, [row['weight'] for row in result['models']], output)} elements"


@case_for(["decoder", "encoder"])
def the_mix_of_compat_has_the_bits_of_merge_param(kind):
    need("LM_Cocktail")
    from LM_Cocktail.utils import merge_param

    models, output = family(kind)[:3], scratch() / "mixed"
    task = "tense" if kind == "decoder" else "retrieval-parts"
    result = cocktail_json("mix-data", "--examples", FIXTURES / "examples" / f"{task}.jsonl", *models, "-o", output,
                           "--compat", "lm-cocktail")
    theirs = merge_param([tensors_of(model) for model in models], [row["weight"] for row in result["models"]])
    return f"{expect_same_tensors(tensors_of(output), theirs)} elements"


if __name__ == "__main__":
    run()
