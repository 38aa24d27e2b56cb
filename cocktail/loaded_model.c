#include "loaded_model.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/adapted_model.h"
#include "arch/config_keys.h"
#include "arch/model_ranks.h"
#include "base/ranks.h"

#include "model_argument.h"
#include "terminal.h"

static int find_type(struct loaded_model *loaded, const char *path,
                     const struct loaded_model_options *options, struct error *err)
{
    if (loaded->folder.file)
        return error_set(err, ERROR_FORMAT, "'%s': is a weights file; to run it, name the "
                         "directory that holds it with its config.json", path);
    if (model_folder_need_config(&loaded->folder, err) ||
        model_folder_type(&loaded->folder, options->type, &loaded->type, err))
        return -1;
    if (options->types == 1u << MODEL_RERANKER && loaded->folder.sentence.is_cross_encoder &&
        loaded->type != MODEL_RERANKER)
        return error_set(err, ERROR_UNSUPPORTED, "'%s': a cross-encoder whose scores are logits of "
                         "a decoder (module LogitScore) is not supported", path);
    if (options->types && !(options->types & 1u << loaded->type))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': is %s %s; this command cannot use that, "
                         "unless --type says that it is something else", path,
                         loaded->type >= MODEL_ENCODER && loaded->type != MODEL_RERANKER ? "an"
                                                                                         : "a",
                         model_type_name(loaded->type));
    return 0;
}

static int load_tokenizer(struct loaded_model *loaded, struct error *err)
{
    loaded->tokenizer = model_folder_tokenizer(&loaded->folder, &loaded->settings, err);
    return loaded->tokenizer ? 0 : -1;
}

/* ---- experts on several ranks ---- */

int experts_join(struct expert_group *group, struct expert_group **experts,
                 const struct common_options *common, struct error *err)
{
    size_t n = common->expert_parallel;

    *experts = NULL;
    if (n <= 1)
        return 0;
    if (expert_group_init(group, n, err))
        return -1;
    *experts = group;
    return 0;
}

int experts_tell(const struct expert_group *experts, const struct common_options *common,
                 struct error *err)
{
    enum { N_TOKENS, N_ROWS, BYTES, NUMBER_BYTES, N_SUMS };
    const struct expert_counts *counts;
    struct notices notices = {0};
    size_t sums[N_SUMS];

    if (!experts)
        return 0;
    counts = &experts->counts;
    sums[N_TOKENS] = counts->n_tokens;
    sums[N_ROWS] = counts->n_sent_rows;
    sums[BYTES] = counts->sent_bytes;
    sums[NUMBER_BYTES] = counts->number_bytes;
    if (ranks_add(sums, N_SUMS, err))
        return -1;
    notices_add(&notices, "experts on %zu ranks: each loads %zu of %zu bytes; to other ranks and back "
                "went %zu rows of %zu bytes, %.1f for a token and layer, and %zu bytes of their "
                "numbers", experts->n, counts->held_bytes, counts->all_bytes, sums[N_ROWS],
                sums[BYTES], sums[N_TOKENS] ? (double)sums[BYTES] / (double)sums[N_TOKENS] : 0,
                sums[NUMBER_BYTES]);
    terminal_notices(&notices, common);
    notices_release(&notices);
    return 0;
}

/* ---- a model ---- */

int loaded_model_open(struct loaded_model *loaded, const char *argument,
                      const struct loaded_model_options *options,
                      const struct common_options *common, struct error *err)
{
    struct notices notices = {0};
    char *path = model_argument_find(argument, HUB_NEED_MODEL, common, err);
    int rc = -1;

    *loaded = (struct loaded_model){0};
    loaded->experts = options->experts;
    if (!path ||
        (!options->experts && experts_join(&loaded->own_group, &loaded->experts, common, err)) ||
        adapted_model_open(&loaded->folder, path, argument, options->follow_symlinks, &notices,
                           err))
        goto done;
    if (find_type(loaded, argument, options, err) ||
        model_folder_settings(&loaded->folder, loaded->type, &loaded->settings, &notices, err) ||
        (!options->no_tokenizer && load_tokenizer(loaded, err)) ||
        model_ranks_compare(&loaded->folder, &notices, err))
        goto done;
    loaded->owns_threads = !options->threads;
    loaded->threads = options->threads ? options->threads : threads_new(common->n_threads, err);
    if (loaded->threads)
        loaded->model =
            model_load_share(&loaded->folder, loaded->type, loaded->threads, loaded->experts,
                             &notices, err);
    if (loaded->model) {
        if (loaded_model_lifts_capacity(options->capacity))
            model_lift_capacity(loaded->model);
        config_keys_tell(&loaded->folder.config, argument, &notices);
        rc = 0;
    }
    terminal_notices(&notices, common);
done:
    notices_release(&notices);
    free(path);
    return rc;
}

bool loaded_model_lifts_capacity(const char *capacity)
{
    return capacity && strcmp(capacity, "dropless") == 0;
}

void loaded_model_release(struct loaded_model *loaded)
{
    model_free(loaded->model);
    tokenizer_free(loaded->tokenizer);
    if (loaded->owns_threads)
        threads_free(loaded->threads);
    sentence_settings_release(&loaded->settings);
    model_folder_release(&loaded->folder);
    expert_group_release(&loaded->own_group);
    *loaded = (struct loaded_model){0};
}
