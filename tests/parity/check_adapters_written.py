"""check_adapters_written.py - what `cocktail adapter` and `mix-data` write, as PEFT loads it.

`extract` at full rank: the base with the adapter gives the logits of the fine-tuned model, for a class of each kind. `mix`: the
logits of PEFT's own add_weighted_adapter. `mix-data`: those of the average of the models that PEFT merges. Models, adapters and
settings are new in each run; ADAPTERS_SEED=N, which every line tells, repeats one.
"""

import copy
import os
import random
import warnings

import torch
import transformers
from harness import FIXTURES, case_for, cocktail, cocktail_json, need, run, scratch

warnings.filterwarnings("ignore")
SEED = int(os.environ.get("ADAPTERS_SEED", random.SystemRandom().randrange(1 << 30)))
VOCAB = 40
LLAMA = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
BERT = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=32)
GPT2 = dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=2, n_positions=32)
T5 = dict(vocab_size=VOCAB, d_model=16, d_ff=24, d_kv=8, num_layers=2, num_heads=2, decoder_start_token_id=0)
DISTILBERT = dict(vocab_size=VOCAB, dim=16, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=32)
NEOX = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=32)
EXPERTS = {**LLAMA, "num_experts_per_tok": 2, "tie_word_embeddings": False}
CLASSES = {
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {**EXPERTS, "num_local_experts": 3}),
    "qwen2-moe": ("Qwen2MoeForCausalLM", "Qwen2MoeConfig", {**EXPERTS, "num_experts": 3, "moe_intermediate_size": 20,
                                                            "shared_expert_intermediate_size": 12}),
    "qwen3-moe": ("Qwen3MoeForCausalLM", "Qwen3MoeConfig", {**EXPERTS, "num_experts": 3, "moe_intermediate_size": 20, "head_dim": 4}),
    "olmoe": ("OlmoeForCausalLM", "OlmoeConfig", {**EXPERTS, "num_experts": 3}),
    "phimoe": ("PhimoeForCausalLM", "PhimoeConfig", {**EXPERTS, "num_local_experts": 3}),
    "gpt-oss": ("GptOssForCausalLM", "GptOssConfig", {**EXPERTS, "num_local_experts": 3, "head_dim": 4}),
    "granite-moe": ("GraniteMoeForCausalLM", "GraniteMoeConfig", {**EXPERTS, "num_local_experts": 3}),
    "jetmoe": ("JetMoeForCausalLM", "JetMoeConfig", {**EXPERTS, "num_local_experts": 3, "kv_channels": 4}),
    "deepseek-v3": ("DeepseekV3ForCausalLM", "DeepseekV3Config", {
        **EXPERTS, "num_key_value_heads": 4, "n_routed_experts": 4, "n_shared_experts": 1, "moe_intermediate_size": 20, "n_group": 1,
        "topk_group": 1, "first_k_dense_replace": 1, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
        "v_head_dim": 4}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**LLAMA, "tie_word_embeddings": False}),
    "llama tied": ("LlamaForCausalLM", "LlamaConfig", {**LLAMA, "tie_word_embeddings": True}),
    "llama score": ("LlamaForSequenceClassification", "LlamaConfig", {**LLAMA, "num_labels": 1, "pad_token_id": 0}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {**LLAMA, "tie_word_embeddings": False}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT2),
    "bert": ("BertModel", "BertConfig", BERT),
    "bert masked": ("BertForMaskedLM", "BertConfig", BERT),
    "bert score": ("BertForSequenceClassification", "BertConfig", {**BERT, "num_labels": 1}),
    "bert tokens": ("BertForTokenClassification", "BertConfig", {**BERT, "num_labels": 3}),
    "roberta score": ("RobertaForSequenceClassification", "RobertaConfig", {**BERT, "num_labels": 2}),
    "bert questions": ("BertForQuestionAnswering", "BertConfig", BERT),
    "bert untied": ("BertForMaskedLM", "BertConfig", {**BERT, "tie_word_embeddings": False}),
    "roberta masked": ("RobertaForMaskedLM", "RobertaConfig", BERT),
    "distilbert masked": ("DistilBertForMaskedLM", "DistilBertConfig", DISTILBERT),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {**NEOX, "tie_word_embeddings": False}),
    "gpt-neox tied": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {**NEOX, "tie_word_embeddings": True}),
    "xlm-roberta": ("XLMRobertaModel", "XLMRobertaConfig", BERT),
    "distilbert": ("DistilBertModel", "DistilBertConfig", DISTILBERT),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
    "t5 untied": ("T5ForConditionalGeneration", "T5Config", {**T5, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"}),
}


def make_model(kind, seed):
    name, config, settings = CLASSES[kind]
    torch.manual_seed(seed)
    model = getattr(transformers, name)(getattr(transformers, config)(**settings)).eval()
    for value in model.parameters():
        value.data += 0.1 * torch.randn_like(value)
    model.tie_weights()
    return model


def outputs(model, seed):
    g = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCAB, (2, 9), generator=g)
    settings = {"decoder_input_ids": torch.randint(3, VOCAB, (2, 5), generator=g)} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
    return found[0]


def expect_near(ours, theirs, apart, tolerance=1e-5):
    """`apart`: what makes no difference to get wrong."""
    error, size = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    assert (ours - apart).abs().max().item() > 1e-2 * size, "the adapter does next to nothing"
    assert error <= tolerance * max(size, 1), f"differ by {error:.1e} of {size:.1e}"
    return f"{error:.1e}"


@case_for([(kind, how, SEED) for kind in CLASSES for how in ("", "--embeddings", "some")])
def gives_the_logits_of_the_fine_tuned_model(kind, how, seed):
    need("peft")
    import peft

    base = make_model(kind, seed)
    tuned = copy.deepcopy(base)
    torch.manual_seed(seed + 1)
    is_some = how == "some"  # parameters differ
    for value in tuned.parameters():
        value.data += 0.1 * torch.randn_like(value) * (torch.rand(1) < 0.7 if is_some else 1)
    tuned.tie_weights()
    base.save_pretrained(scratch() / "base")
    tuned.save_pretrained(scratch() / "tuned")
    cocktail("adapter", "extract", "-q", scratch() / "tuned", scratch() / "base", "-o", scratch() / "lora", "--rank", "99", *how.split() * (not is_some))
    apart = outputs(base, seed)
    model = peft.PeftModel.from_pretrained(base, scratch() / "lora").eval()
    return expect_near(outputs(model, seed), outputs(tuned, seed), apart)


METHODS = ["linear", "cat", "svd", "ties", "ties_svd", "magnitude_prune", "magnitude_prune_svd"]
TARGETS = {
    "llama": ["q_proj", "v_proj", "down_proj", "embed_tokens", "lm_head"],
    "gpt2": ["c_attn", "c_proj", "wte"],
    "bert score": ["query", "value", "dense", "word_embeddings"],
    "t5": ["q", "v", "wo", "shared"],
}
TASKS = {"llama": "CAUSAL_LM", "gpt2": "CAUSAL_LM", "bert score": None, "t5": "SEQ_2_SEQ_LM"}


def make_adapter(peft, kind, seed, rank, folder):
    rng = random.Random(seed)
    targets = rng.sample(TARGETS[kind][:-1], 2) + rng.sample(TARGETS[kind][-1:], rng.random() < 0.3)
    config = peft.LoraConfig(r=rank, lora_alpha=rng.randint(1, 9), use_rslora=rng.random() < 0.3, target_modules=targets, task_type=TASKS[kind],
                             fan_in_fan_out=kind == "gpt2", alpha_pattern={rng.choice(targets): rng.randint(1, 9)} if rng.random() < 0.5 else {})
    model = peft.get_peft_model(make_model(kind, SEED), config)
    torch.manual_seed(seed)
    for name, value in model.named_parameters():
        if "lora_" in name:
            value.data = 0.3 * torch.randn_like(value)
    model.save_pretrained(folder, save_embedding_layers=False)


@case_for([(kind, method, SEED) for kind in TARGETS for method in METHODS])
def mixes_as_PEFT_does(kind, method, seed):
    need("peft")
    import peft

    rng = random.Random(f"{kind} {method} {seed}")
    n = rng.randint(2, 4)
    takes_any_rank = method == "cat" or method.endswith("svd")
    ranks = [rng.randint(1, 6) for _ in range(n)] if takes_any_rank else [rng.randint(1, 6)] * n
    weights = [round(rng.uniform(-0.5, 1), 3) for _ in range(n)]
    settings = {"combination_type": method}
    command = ["adapter", "mix", "-q", "--weights=" + ",".join(map(str, weights)), "--method", method, "-o", scratch() / "mixed"]
    if "ties" in method or "magnitude" in method:
        settings["density"] = round(rng.uniform(0.1, 1), 2)
        command += ["--density", str(settings["density"])]
    if "ties" in method:
        settings["majority_sign_method"] = rng.choice(["total", "frequency"])
        command += ["--majority-sign-method", settings["majority_sign_method"]]
    if method.endswith("svd"):
        settings["svd_rank"] = rng.randint(1, 8)  # PEFT takes no more than the matrix has
        command += ["--rank", str(settings["svd_rank"])]
    theirs = None
    for i, rank in enumerate(ranks):
        folder = scratch() / f"a{i}"
        make_adapter(peft, kind, rng.randrange(1 << 30), rank, folder)
        if theirs:
            theirs.load_adapter(folder, adapter_name=f"a{i}")
        else:
            theirs = peft.PeftModel.from_pretrained(make_model(kind, SEED), folder, adapter_name="a0")
        command.append(folder)
    cocktail(*command)
    theirs.add_weighted_adapter([f"a{i}" for i in range(n)], weights, "mixed", **settings)
    theirs.set_adapter("mixed")
    for module in theirs.modules():  # PEFT keeps use_rslora of the first, but not its scale
        if isinstance(module, peft.tuners.lora.LoraLayer) and "mixed" in module.scaling:
            module.scaling["mixed"] = 1.0
    ours = peft.PeftModel.from_pretrained(make_model(kind, SEED), scratch() / "mixed")
    # Where a rank is cut between two singular values that are near one another, floats of either turn the vectors of both.
    tolerance = 1e-4 if method.endswith("svd") else 1e-5
    return expect_near(outputs(ours.eval(), seed), outputs(theirs.eval(), seed), outputs(make_model(kind, SEED), seed), tolerance)


@case_for([(kind, method, SEED) for kind in ("mixtral", "qwen3-moe", "gpt-oss") for method in ("cat", "svd")])
def mixes_experts(kind, method, seed):
    """Which PEFT refuses: the sum of the changes that each adapter makes."""
    need("peft")
    import peft

    rng = random.Random(f"{kind} {method} {seed}")
    weights, states, folders = [round(rng.uniform(-0.5, 1), 3) for _ in range(3)], [], []
    names = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
    base = make_model(kind, SEED)
    before = {k: v.clone() for k, v in base.state_dict().items()}
    for i in range(3):
        config = peft.LoraConfig(r=rng.randint(1, 4), lora_alpha=rng.randint(1, 5), use_rslora=rng.random() < 0.3, task_type="CAUSAL_LM",
                                 target_modules=["q_proj"] if i else [], target_parameters=names if i < 2 else names[1:])
        model = peft.get_peft_model(make_model(kind, SEED), config)
        torch.manual_seed(rng.randrange(1 << 30))
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.data = 0.3 * torch.randn_like(value)
        folders.append(scratch() / f"a{i}")
        model.save_pretrained(folders[-1])
        states.append(model.merge_and_unload().state_dict())
    cocktail("adapter", "mix", "-q", "--weights=" + ",".join(map(str, weights)), "--method", method, *["--rank", "99"] * (method == "svd"),
             *folders, "-o", scratch() / "mixed")
    expected = make_model(kind, SEED)
    expected.load_state_dict({k: v + sum(w * (state[k] - v) for w, state in zip(weights, states)) for k, v in before.items()})
    ours = peft.PeftModel.from_pretrained(make_model(kind, SEED), scratch() / "mixed")
    return expect_near(outputs(ours.eval(), seed), outputs(expected.eval(), seed), outputs(base, seed))


@case_for([(method, SEED) for method in ("cat", "svd")])
def mix_data_averages_models(method, seed):
    need("peft")
    import peft

    def load_base():
        return transformers.AutoModelForCausalLM.from_pretrained(FIXTURES / "decoder-base", dtype=torch.float32)

    rng = random.Random(f"{method} {seed}")
    adapters, models = [], []
    for i in range(rng.randint(2, 4)):
        config = peft.LoraConfig(r=rng.randint(1, 6), lora_alpha=rng.randint(1, 9), use_rslora=rng.random() < 0.3, task_type="CAUSAL_LM",
                                 target_modules=rng.sample(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"], 3))
        model = peft.get_peft_model(load_base(), config)
        torch.manual_seed(rng.randrange(1 << 30))
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.data = 0.1 * torch.randn_like(value)
        adapters.append(scratch() / f"a{i}")
        model.save_pretrained(adapters[-1])
        models.append(model.merge_and_unload().state_dict())
    operands = [f"{FIXTURES / 'decoder-base'}+{path}" for path in adapters]
    told = cocktail_json("mix-data", "-q", "--examples", FIXTURES / "examples/tense.jsonl", "--temperature", "1", "--method", method,
                         *["--rank", "99"] * (method == "svd"), *operands, "-o", scratch() / "out")
    weights = [model["weight"] for model in told["models"]]
    average = load_base()
    average.load_state_dict({name: sum(weight * model[name].double() for weight, model in zip(weights, models)).float() for name in models[0]})
    mixed = peft.PeftModel.from_pretrained(load_base(), scratch() / "out")
    ids = torch.randint(3, average.config.vocab_size, (2, 9), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ours, theirs, apart = (model.eval()(input_ids=ids).logits for model in (mixed, average, load_base()))
    return expect_near(ours, theirs, apart)


run()
