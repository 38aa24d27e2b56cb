#include "fit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "text/vocabulary.h"

static const char *const settings[] = {
    "model_type",     "rope_theta",          "rope_scaling",          "rope_parameters",
    "sliding_window", "rms_norm_eps",        "layer_norm_eps",        "layer_norm_epsilon",
    "hidden_act",     "hidden_activation",   "activation_function",   "num_attention_heads",
    "n_head",         "num_key_value_heads", "head_dim",              "num_experts_per_tok",
    "rotary_pct",     "partial_rotary_factor", "max_position_embeddings",
};

static void compare_setting(const struct model_folder *base, const struct model_folder *other,
                            const char *name, struct notices *notices)
{
    const cJSON *a = json_find(base->config.json, name), *b = json_find(other->config.json, name);
    char *a_text, *b_text;

    if (!a || !b || cJSON_Compare(a, b, true))
        return;
    a_text = cJSON_PrintUnformatted(a);
    b_text = cJSON_PrintUnformatted(b);
    if (!a_text || !b_text)
        memory_exhausted();
    notices_add(notices, "%s is %.200s in '%s' and %.200s in '%s': the first is kept", name, a_text,
                base->name, b_text, other->name);
    free(a_text);
    free(b_text);
}

void fit_compare_configs(const struct model_folder *base, const struct model_folder *other,
                         struct notices *notices)
{
    if (base->has_config && other->has_config)
        for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
            compare_setting(base, other, settings[i], notices);
    if (base->sentence.pooling && other->sentence.pooling &&
        strcmp(base->sentence.pooling, other->sentence.pooling) != 0)
        notices_add(notices, "pooling is %s in '%s' and %s in '%s': the first is kept",
                    base->sentence.pooling, base->name, other->sentence.pooling, other->name);
}

static int compare_tokenizers(const struct vocabulary *base, const char *base_name,
                              const struct model_folder *other, bool ignore,
                              struct notices *notices, struct error *err)
{
    struct vocabulary vocabulary;
    struct buffer difference = {0};
    int rc = model_folder_vocabulary(other, &vocabulary, err);

    if (rc == 0 && vocabulary.kind &&
        !vocabulary_same(base, &vocabulary, base_name, other->name, &difference)) {
        if (ignore)
            notices_add(notices, "the tokenizers differ: %s; the first is kept", difference.data);
        else
            rc = error_set(err, ERROR_INCOMPATIBLE, "the tokenizers differ: %s; mix all the same "
                           "with --ignore-tokenizer", difference.data);
    }
    buffer_release(&difference);
    vocabulary_release(&vocabulary);
    return rc;
}

int fit_compare_tokenizers(const struct model_folder *models, size_t n_models, bool ignore,
                           struct notices *notices, struct error *err)
{
    struct vocabulary base;
    size_t first = 0;
    int rc = 0;

    /* The first model that has one: two others may differ even when the base has none. */
    while (first < n_models) {
        if (model_folder_vocabulary(&models[first], &base, err))
            return -1;
        if (base.kind)
            break;
        first++;
    }
    for (size_t i = first + 1; rc == 0 && i < n_models; i++)
        rc = compare_tokenizers(&base, models[first].name, &models[i], ignore, notices, err);
    if (first < n_models)
        vocabulary_release(&base);
    return rc;
}
