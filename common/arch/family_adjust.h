/* family_adjust.h - what config.json may change in how the models of a family are built; for the
 * rows of families.c. */
#ifndef COCKTAIL_FAMILY_ADJUST_H
#define COCKTAIL_FAMILY_ADJUST_H

#include <cjson/cJSON.h>

#include "arch/families.h"

/* Each sees the part of config.json that describes the text model, with the sizes already in
 * `spec`. ERROR_FORMAT for a value that is out of range, ERROR_UNSUPPORTED for one that we cannot
 * run. */
int adjust_bert(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_roberta(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_distilbert(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_qwen2(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_gemma(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_gemma2(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_gpt2(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_gpt_neox(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_consolidated(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_qwen2_moe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_qwen_moe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_olmoe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_phi_moe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_gpt_oss(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_jetmoe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_deepseek(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_deepseek_v2(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_deepseek_v3(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_granite_moe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_molm(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_openmoe(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_megatron(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_t5(struct model_spec *spec, const cJSON *config, struct error *err);
int adjust_switch(struct model_spec *spec, const cJSON *config, struct error *err);

#endif
