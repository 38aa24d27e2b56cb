#include "fit.h"

#include <stdlib.h>
#include <string.h>

#include "arch/spec_compare.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "text/vocabulary.h"

static int load(struct fit_spec *loaded, const struct model_folder *model, enum model_type type,
                struct error *err)
{
    if (!model->has_config || !architecture_family(&model->config))
        return 0;
    loaded->is_known = model_spec_load(&loaded->spec, &model->config, type, model->name,
                                       &loaded->reason) == 0;
    if (loaded->is_known || loaded->reason.code == ERROR_UNSUPPORTED)
        return 0;
    /* params.json names no class: it may be of others than Mistral. */
    if (model->config.is_consolidated && loaded->reason.code == ERROR_FORMAT) {
        loaded->reason = (struct error){0};
        return 0;
    }
    *err = loaded->reason;
    return -1;
}

/* A value that we cannot run need not be in the way of mixing, but the other model lacks it. */
static void note_reason(const struct fit_spec *loaded, const struct fit_spec *other,
                        const struct model_folder *model, struct notices *notices)
{
    if (other->is_known && loaded->reason.code)
        notices_add(notices, "settings of '%s' are compared as they are written: %s", model->name,
                    loaded->reason.text);
}

static int compare_settings(const struct model_folder *base, const struct fit_spec *base_loaded,
                            const struct model_folder *other, const struct fit_spec *other_loaded,
                            struct notices *notices, struct error *err)
{
    struct spec_side sides[] = {{base->name, &base->config, &base_loaded->spec},
                                {other->name, &other->config, &other_loaded->spec}};

    if (!base->has_config || !other->has_config)
        return 0;
    if (base_loaded->is_known && other_loaded->is_known)
        return spec_compare(&sides[0], &sides[1], notices, err);
    note_reason(base_loaded, other_loaded, base, notices);
    note_reason(other_loaded, base_loaded, other, notices);
    spec_compare_texts(&sides[0], &sides[1], notices);
    return 0;
}

static void compare_poolings(const struct model_folder *base, const struct model_folder *other,
                             struct notices *notices)
{
    if (base->sentence.pooling && other->sentence.pooling &&
        strcmp(base->sentence.pooling, other->sentence.pooling) != 0)
        notices_add(notices, "pooling is %s in '%s' and %s in '%s': the first is kept",
                    base->sentence.pooling, base->name, other->sentence.pooling, other->name);
}

int fit_load_specs(struct fit_spec *specs, const struct model_folder *models, size_t n_models,
                   enum model_type type, struct error *err)
{
    for (size_t i = 0; i < n_models; i++)
        if (load(&specs[i], &models[i], type, err))
            return -1;
    return 0;
}

void fit_release_specs(struct fit_spec *specs, size_t n_models)
{
    for (size_t i = 0; i < n_models; i++)
        if (specs[i].is_known)
            model_spec_release(&specs[i].spec);
}

int fit_compare_configs(const struct model_folder *models, const struct fit_spec *specs,
                        size_t n_models, struct notices *notices, struct error *err)
{
    for (size_t i = 1; i < n_models; i++) {
        if (compare_settings(&models[0], &specs[0], &models[i], &specs[i], notices, err))
            return -1;
        compare_poolings(&models[0], &models[i], notices);
    }
    return 0;
}

static void tell_problem(const struct vocabulary *vocabulary, const char *name,
                         struct notices *notices)
{
    if (vocabulary->problem)
        notices_add(notices, "the tokenizer of '%s' cannot be run, only its tokens and ids are "
                    "compared: %.300s", name, vocabulary->problem);
}

static int tell_difference(const char *difference, bool ignore, struct notices *notices,
                           struct error *err)
{
    if (!ignore)
        return error_set(err, ERROR_INCOMPATIBLE, "the tokenizers differ: %s; 'mix --tokenizer "
                         "union' makes them one, --ignore-tokenizer mixes all the same", difference);
    notices_add(notices, "the tokenizers differ: %s; the first is kept", difference);
    return 0;
}

static int compare_tokenizers(const struct vocabulary *base, const struct model_folder *first,
                              const struct model_folder *other, bool ignore,
                              struct notices *notices, struct error *err)
{
    const char *base_name = first->name;
    struct vocabulary vocabulary;
    struct buffer difference = {0};
    bool is_same = false;
    int rc = base->problem ? 0 : model_folder_has_same_vocabulary(first, other, &is_same, err);

    if (rc || is_same)
        return rc;
    rc = model_folder_vocabulary(other, &vocabulary, err);
    if (rc || !vocabulary.kind)
        return rc;
    tell_problem(&vocabulary, other->name, notices);
    if (vocabulary_same(base, &vocabulary, base_name, other->name, &difference)) {
        if (!vocabulary_same_rules(base, &vocabulary, &difference))
            notices_add(notices, "the tokenizers of '%s' and '%s' have the same tokens, but other "
                        "rules (%s), so that a text may get other ids; the first is kept",
                        base_name, other->name, difference.data);
    } else if (base->is_guess != vocabulary.is_guess) {
        notices_add(notices, "the tokenizers of '%s' and '%s' cannot be compared, the class of one "
                    "of them not being known; the first is kept", base_name, other->name);
    } else {
        rc = tell_difference(difference.data, ignore, notices, err);
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
    if (first < n_models)
        tell_problem(&base, models[first].name, notices);
    for (size_t i = first + 1; rc == 0 && i < n_models; i++)
        rc = compare_tokenizers(&base, &models[first], &models[i], ignore, notices, err);
    if (first < n_models)
        vocabulary_release(&base);
    return rc;
}
