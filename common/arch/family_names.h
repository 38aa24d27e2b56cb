/* family_names.h - what the tensors of each family are called; for families.c. */
#ifndef COCKTAIL_FAMILY_NAMES_H
#define COCKTAIL_FAMILY_NAMES_H

#include "arch/families.h"

extern const struct family_names bert_names, distilbert_names, llama_names, mixtral_names, phimoe_names,
    consolidated_names, qwen_moe_names, deepseek_moe_names, deepseek_names, granite_moe_names,
    gpt_oss_names, gemma2_names, phi3_names, gpt2_names, gpt_neox_names, t5_names, jetmoe_names, molm_names,
    openmoe_names, switch_names, megatron_names;

#endif
