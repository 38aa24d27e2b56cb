#include "generate.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/memory.h"

struct generator {
    struct model *model;
    struct ids ids;            /* of the decoder: the prompt too, or the start mark */
    struct cache *cache;
    float *memory;             /* [memory_end, hidden_size], of the encoder; or NULL */
    size_t memory_end;
    float *hidden, *logits;    /* [n_rows, hidden_size], [vocab_size] */
    size_t n_rows;
    struct sampler sampler;
};

static bool is_one_of(const struct ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->n_items; i++)
        if (ids->items[i] == id)
            return true;
    return false;
}

static float *new_rows(const struct model *model, size_t n_rows, struct error *err)
{
    return memory_try(n_rows, model->spec.hidden_size * sizeof(float), "hidden states", err);
}

/* ---- starting ---- */

static int encode_prompt(struct generator *generator, const struct ids *prompt, struct error *err)
{
    struct batch batch = {.ids = prompt->items, .ends = &prompt->n_items, .n_sequences = 1};

    generator->memory_end = prompt->n_items;
    generator->memory = new_rows(generator->model, prompt->n_items, err);
    return generator->memory &&
                   model_encode(generator->model, &batch, generator->memory, err) == 0
               ? model_remember(generator->model, generator->memory, prompt->n_items,
                                generator->cache, err)
               : -1;
}

static int check_prompt(const struct model_spec *spec, const struct ids *prompt, struct error *err)
{
    if (prompt->n_items == 0)
        return error_set(err, ERROR_USAGE, "the prompt has no tokens");
    if (spec->max_tokens && prompt->n_items > spec->max_tokens)
        return error_set(err, ERROR_USAGE, "the prompt has %zu tokens; the model takes at most "
                         "%zu", prompt->n_items, spec->max_tokens);
    return 0;
}

static int start(struct generator *generator, struct model *model, const struct ids *prompt,
                 const struct generate_options *options, struct error *err)
{
    const struct model_spec *spec = &model->spec;

    generator->model = model;
    generator->cache = cache_new(&spec->stack);
    sampler_init(&generator->sampler, &options->sampling, spec->vocab_size);
    generator->logits = memory_try(spec->vocab_size, sizeof *generator->logits, "logits", err);
    if (!generator->logits)
        return -1;
    if (check_prompt(spec, prompt, err))
        return error_context(err, "'%s'", options->name);
    if (spec->is_encoder_decoder) {
        ids_add(&generator->ids, spec->decoder_start_id);
        return encode_prompt(generator, prompt, err);
    }
    for (size_t i = 0; i < prompt->n_items; i++)
        ids_add(&generator->ids, prompt->items[i]);
    return 0;
}

static void release(struct generator *generator)
{
    sampler_release(&generator->sampler);
    ids_release(&generator->ids);
    cache_free(generator->cache);
    free(generator->memory);
    free(generator->hidden);
    free(generator->logits);
}

/* ---- going on ---- */

static int reserve_rows(struct generator *generator, size_t n_rows, struct error *err)
{
    if (n_rows <= generator->n_rows)
        return 0;
    free(generator->hidden);
    generator->hidden = new_rows(generator->model, n_rows, err);
    generator->n_rows = generator->hidden ? n_rows : 0;
    return generator->hidden ? 0 : -1;
}

/* Runs the tokens that the cache does not know yet, and looks at what may follow the last. */
static int run_tokens(struct generator *generator, struct error *err)
{
    struct model *model = generator->model;
    struct cache *cache = generator->cache;
    size_t n = generator->ids.n_items, limit = model->spec.cache_limit, n_new;
    struct batch batch = {.n_sequences = 1, .caches = &cache};

    if (limit && cache->n_tokens && cache->n_tokens <= limit && n > limit)
        cache_truncate(cache, 0);
    n_new = n - cache->n_tokens;
    batch.ids = generator->ids.items + cache->n_tokens;
    batch.ends = &n_new;
    if (reserve_rows(generator, n_new, err) || model_run(model, &batch, generator->hidden, err))
        return -1;
    model_logits(model, generator->hidden + (n_new - 1) * model->spec.hidden_size, 1,
                 generator->logits);
    return 0;
}

/* 0: go on, 1: *stop says why not, -1: error */
static int add_token(struct generator *generator, const struct generate_options *options,
                     enum generate_stop *stop, struct error *err)
{
    uint32_t id;
    int has_enough;

    if (interrupt_check(err) || run_tokens(generator, err))
        return -1;
    if (sampler_pick(&generator->sampler, generator->logits, &id, err))
        return error_context(err, "'%s'", options->name);
    ids_add(&generator->ids, id);
    has_enough = options->look(options->context, id, err);
    if (has_enough < 0)
        return -1;
    *stop = has_enough ? GENERATE_STOP : GENERATE_EOS;
    return has_enough || is_one_of(options->eos, id);
}

int generate_run(struct model *model, const struct ids *prompt,
                 const struct generate_options *options, enum generate_stop *stop,
                 struct error *err)
{
    struct generator generator = {0};
    size_t limit = model->spec.max_tokens;
    int has_ended = start(&generator, model, prompt, options, err);

    for (size_t n = 0; has_ended == 0; n++) {
        /* The last token that fits is still given, though nothing can follow it. */
        if (n == options->max_tokens || (limit && generator.ids.n_items > limit)) {
            *stop = GENERATE_LENGTH;
            has_ended = 1;
        } else {
            has_ended = add_token(&generator, options, stop, err);
        }
    }
    release(&generator);
    return has_ended < 0 ? -1 : 0;
}

/* ---- where a text ends ---- */

static void add_eos(const cJSON *value, struct ids *eos)
{
    if (cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble <= UINT32_MAX)
        ids_add(eos, (uint32_t)value->valuedouble);
}

/* A number or a list of them. */
static void add_eos_ids(const cJSON *json, struct ids *eos)
{
    const cJSON *ids = json_find(json, "eos_token_id"), *id;

    add_eos(ids, eos);
    cJSON_ArrayForEach(id, ids) {
        add_eos(id, eos);
    }
}

static int read_generation_config(const struct model_folder *folder, struct ids *eos,
                                  struct error *err)
{
    char *path = folder_join(folder->sentence.transformer, "generation_config.json");
    cJSON *json = NULL;
    char *text = NULL;
    size_t size;

    if (folder_look(folder->folder, path) != FOLDER_ABSENT) {
        text = folder_read_text(folder->folder, path, 1000 * 1000, &size, err);
        json = text ? json_parse(text, size, err) : NULL;
        if (text && !json)
            error_context(err, "'%s/%s'", folder->folder->path, path);
    }
    if (json)
        add_eos_ids(json, eos);
    cJSON_Delete(json);
    free(text);
    free(path);
    return err->code ? -1 : 0;
}

int generate_find_eos(const struct model_folder *folder, const struct tokenizer *tokenizer,
                      struct ids *eos, struct error *err)
{
    uint32_t id;

    if (read_generation_config(folder, eos, err))
        return -1;
    if (eos->n_items == 0)
        add_eos_ids(folder->config.json, eos);
    if (eos->n_items == 0 && tokenizer_special(tokenizer, "eos_token", &id))
        ids_add(eos, id);
    return 0;
}
