"""check_keys.py - no key of a configuration class of transformers is unknown here.

For each architecture that cocktail runs: what its class of transformers writes into config.json,
its fields and their other names, all of them set. Nothing of it may be named in the notice about
settings that are not known. Then the settings of transformers' rotary embeddings.
"""

import dataclasses
import json
import typing

import torch
from harness import case, case_for, cocktail, run, scratch, write_tensors

CLASSES = {
    "bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel",
    "camembert": "CamembertModel", "distilbert": "DistilBertModel", "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "gemma": "GemmaForCausalLM", "gemma2": "Gemma2ForCausalLM", "gemma3_text": "Gemma3ForCausalLM",
    "gemma3": "Gemma3ForConditionalGeneration", "gpt2": "GPT2LMHeadModel", "gpt_neox": "GPTNeoXForCausalLM",
    "phi3": "Phi3ForCausalLM", "mixtral": "MixtralForCausalLM", "qwen2_moe": "Qwen2MoeForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM", "olmoe": "OlmoeForCausalLM", "deepseek_v2": "DeepseekV2ForCausalLM",
    "deepseek_v3": "DeepseekV3ForCausalLM", "gpt_oss": "GptOssForCausalLM", "phimoe": "PhimoeForCausalLM",
    "granitemoe": "GraniteMoeForCausalLM", "jetmoe": "JetMoeForCausalLM", "t5": "T5ForConditionalGeneration",
    "mt5": "MT5ForConditionalGeneration", "umt5": "UMT5ForConditionalGeneration",
    "switch_transformers": "SwitchTransformersForConditionalGeneration",
}


def notices(content):
    """What inspect says of a folder with this config.json."""
    path = scratch() / "model"
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(content))
    write_tensors(path, {"weight": torch.zeros(1)})
    return [line for line in cocktail("inspect", path)[1].splitlines() if "not known" in line]


def written(model_type):
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[model_type]()
    content = json.loads(config.to_json_string(use_diff=False))
    names = [field.name for field in dataclasses.fields(config)] + list(config.attribute_map)
    for name in names:
        if content.get(name) is None:  # null would be passed over
            content[name] = 0
    content["architectures"] = [CLASSES[model_type]]
    if isinstance(content.get("text_config"), dict):
        text = content["text_config"]
        content["text_config"] = {name: 0 if value is None else value for name, value in text.items()}
    return content


@case_for(sorted(CLASSES))
def every_key_of_the_class_is_known(model_type):
    content = written(model_type)
    assert not notices(content), notices(content)
    return f"{len(content)} keys"


@case
def every_parameter_of_rotary_embeddings_is_known():
    from transformers.modeling_rope_utils import RopeParameters

    names = set(typing.get_type_hints(RopeParameters))
    assert "rope_theta" in names, names
    content = {"architectures": ["LlamaForCausalLM"], "rope_parameters": {name: 1 for name in names}}
    assert not notices(content), notices(content)
    nested = {"full_attention": {name: 1 for name in names}, "sliding_attention": {"rope_theta": 1}}
    content = {"architectures": ["Gemma3ForCausalLM"], "rope_parameters": nested}
    assert not notices(content), notices(content)


@case_for(sorted(CLASSES))
def what_is_not_known_is_named(model_type):
    content = written(model_type)
    content["no_such_setting"] = 1
    (told,) = notices(content)
    assert told.endswith(": 'no_such_setting'"), told


run()
