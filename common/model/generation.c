#include "generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"

enum { SCORED_AT_ONCE = 32 }; /* tokens of a prompt whose logits are there at one time */

/* ---- one of them ---- */

static int check_prompt(const struct model_spec *spec, const struct ids *prompt, struct error *err)
{
    if (prompt->n_items == 0)
        return error_set(err, ERROR_USAGE, "the prompt has no tokens");
    if (spec->max_tokens && prompt->n_items > spec->max_tokens)
        return error_set(err, ERROR_USAGE, "the prompt has %zu tokens; the model takes at most "
                         "%zu", prompt->n_items, spec->max_tokens);
    return 0;
}

int generation_init(struct generation *generation, const struct model *model,
                    const struct ids *prompt, const struct generation_settings *settings,
                    struct error *err)
{
    const struct model_spec *spec = &model->spec;
    struct ids *given = spec->is_encoder_decoder ? &generation->prompt : &generation->ids;

    *generation = (struct generation){.settings = *settings};
    if (check_prompt(spec, prompt, err))
        return error_context(err, "'%s'", settings->name);
    for (size_t i = 0; i < prompt->n_items; i++)
        ids_add(given, prompt->items[i]);
    if (spec->is_encoder_decoder)
        ids_add(&generation->ids, spec->decoder_start_id);
    generation->n_given = generation->ids.n_items;
    if (spec->is_encoder_decoder || !settings->has_logprobs)
        generation->settings.n_scored = 0;
    else if (settings->n_scored > generation->n_given)
        generation->settings.n_scored = generation->n_given;
    generation->cache = cache_new(&spec->stack);
    sampler_init(&generation->sampler, &settings->sampling, spec->vocab_size);
    if (settings->tokenizer)
        text_stream_init(&generation->stream, settings->tokenizer, &settings->stops,
                         settings->kept);
    return 0;
}

void generation_release(struct generation *generation)
{
    ids_release(&generation->prompt);
    ids_release(&generation->ids);
    cache_free(generation->cache);
    text_stream_release(&generation->stream);
    buffer_release(&generation->text);
    free(generation->logprobs);
    *generation = (struct generation){0};
}

size_t generation_most_cached(const struct generation *generation)
{
    size_t n_scored = generation->settings.n_scored, n = generation->n_given;

    return n_scored == 0 ? generation->ids.n_items - 1 : n_scored < n ? n - n_scored - 1 : 0;
}

static bool is_one_of(const struct ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->n_items; i++)
        if (ids->items[i] == id)
            return true;
    return false;
}

/* Tokens of the next step. */
static size_t count_new(const struct generation *generation, const struct model *model)
{
    size_t n = generation->ids.n_items - generation->cache->n_tokens;
    size_t chunk = generation->settings.chunk;

    return chunk && chunk < n && !model_needs_whole_prompts(model) ? chunk : n;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Each token reads the experts that it chooses. No guess is run behind the places that the model has,
 * nor behind the last token that is asked for. */
static size_t most_drafts(const struct generation *generation, const struct model *model)
{
    const struct model_spec *spec = &model->spec;
    size_t n_ids = generation->ids.n_items, n_new = n_ids - generation->n_given;
    size_t n_last = spec->n_positions - spec->position_offset; /* that have a position */
    size_t n = smaller(generation->settings.n_drafts, generation->settings.max_tokens - n_new - 1);

    if (n_ids != generation->cache->n_tokens + 1 || n_new == 0 || spec->stack.is_sparse ||
        spec->stack.attention_moe.n_experts || spec->cache_limit || model_needs_whole_prompts(model))
        return 0;
    if (spec->max_tokens)
        n = smaller(n, spec->max_tokens - smaller(spec->max_tokens, n_ids));
    if (spec->n_positions)
        n = smaller(n, n_last - smaller(n_last, n_ids));
    return n;
}

/* A part of a prompt that must run whole; and all keys where longrope turns them in another way, when
 * a text grows beyond a length. */
static void forget_what_changes(struct generation *generation, const struct model *model)
{
    struct cache *cache = generation->cache;
    size_t limit = model->spec.cache_limit;

    if ((model_needs_whole_prompts(model) && cache->n_tokens < generation->n_given) ||
        (limit && cache->n_tokens <= limit && generation->ids.n_items > limit))
        cache_truncate(cache, 0);
}

/* What the decoder of an encoder-decoder looks back at. */
static int run_encoder(struct generation *generation, struct model *model, struct error *err)
{
    const struct ids *prompt = &generation->prompt;
    struct batch batch = {.ids = prompt->items, .ends = &prompt->n_items, .n_sequences = 1};
    struct workspace *workspace = &model->engine.workspace;
    size_t mark = workspace_mark(workspace);
    float *memory = workspace_take(workspace, prompt->n_items,
                                   model->spec.hidden_size * sizeof *memory, "hidden states", err);
    int rc = -1;

    if (memory && model_encode(model, &batch, memory, err) == 0)
        rc = model_remember(model, memory, prompt->n_items, generation->cache, err);
    workspace_return(workspace, mark);
    return rc;
}

/* What can go wrong with this one alone goes wrong before the others are run with it. */
static int prepare(struct generation *generation, struct model *model, struct error *err)
{
    struct cache *cache = generation->cache;
    size_t n_new, n_drafts;
    struct batch batch = {.ends = &n_new, .n_sequences = 1, .caches = &cache};

    if (generation->prompt.n_items && !cache->n_cross && run_encoder(generation, model, err))
        return -1;
    forget_what_changes(generation, model);
    n_new = count_new(generation, model);
    batch.ids = generation->ids.items + cache->n_tokens;
    drafts_guess(&generation->drafts, &generation->ids, most_drafts(generation, model));
    n_drafts = generation->drafts.n_ids;
    return model_check(model, &batch, err) ||
                   cache_reserve(cache, cache->n_tokens + n_new + n_drafts, err)
               ? -1
               : 0;
}

static int end_text(struct generation *generation, enum generation_state state, struct error *err)
{
    int has_stopped = generation->settings.tokenizer
                          ? text_stream_end(&generation->stream, &generation->text, err)
                          : 0;

    generation->state = has_stopped > 0 ? GENERATION_STOP : state;
    return has_stopped < 0 ? -1 : 0;
}

static int add_token(struct generation *generation, const struct model_spec *spec, uint32_t id,
                     struct error *err)
{
    const struct generation_settings *settings = &generation->settings;
    int has_stopped = 0;

    ids_add(&generation->ids, id);
    if (is_one_of(settings->eos, id))
        return end_text(generation, GENERATION_EOS, err);
    if (settings->tokenizer)
        has_stopped = text_stream_add(&generation->stream, id, &generation->text, err);
    if (has_stopped > 0)
        generation->state = GENERATION_STOP;
    /* The last token that fits is still given, though nothing can follow it. */
    else if (has_stopped == 0 &&
             (generation->ids.n_items - generation->n_given == settings->max_tokens ||
              (spec->max_tokens && generation->ids.n_items > spec->max_tokens)))
        return end_text(generation, GENERATION_LENGTH, err);
    return has_stopped < 0 ? -1 : 0;
}

/* ---- likelihoods ---- */

/* Those of number `at` of what is scored and new. */
static struct token_logprob *logprobs_at(struct generation *generation, size_t at)
{
    return generation->logprobs + at * (1 + generation->settings.n_top_logprobs);
}

static void reserve_logprobs(struct generation *generation, size_t n)
{
    size_t width = 1 + generation->settings.n_top_logprobs;

    generation->logprobs = memory_resize(generation->logprobs, n,
                                         width * sizeof *generation->logprobs);
}

/* Before a step: room for what is scored, and the first token, which nothing tells. */
static void begin_scores(struct generation *generation)
{
    size_t n_top = generation->settings.n_top_logprobs;

    if (generation->logprobs || !generation->settings.n_scored)
        return;
    reserve_logprobs(generation, generation->settings.n_scored);
    for (size_t i = 0; i <= n_top; i++)
        logprobs_at(generation, 0)[i] = (struct token_logprob){generation->ids.items[0], NAN};
}

struct scoring { /* rows of hidden states, in blocks whose logits have room */
    struct model *model;
    struct generation *generation;
    const float *hidden; /* [n_rows, hidden_size] */
    size_t position, n_rows; /* of the first of them in the text */
    float *logits;       /* [SCORED_AT_ONCE, vocab_size] */
};

static int score_row(void *context, size_t i, size_t worker, struct error *err)
{
    const struct scoring *scoring = context;
    struct generation *generation = scoring->generation;
    size_t n_logits = scoring->model->spec.vocab_size;
    size_t at = scoring->position + i + 1; /* the token that it tells */
    size_t first = generation->n_given - generation->settings.n_scored;

    (void)worker;
    (void)err;
    sampler_logprobs(scoring->logits + i * n_logits, n_logits, generation->ids.items[at],
                     generation->settings.n_top_logprobs, logprobs_at(generation, at - first));
    return 0;
}

/* How likely the tokens of the prompt are that stand behind these rows, as far as they are scored. */
static int score_prompt(struct scoring scoring, struct error *err)
{
    const struct model_spec *spec = &scoring.model->spec;
    const struct generation *generation = scoring.generation;
    size_t first = generation->n_given - generation->settings.n_scored;
    size_t n_before = first > scoring.position + 1 ? first - scoring.position - 1 : 0;

    if (scoring.position + scoring.n_rows >= generation->n_given)
        scoring.n_rows = generation->n_given - 1 - scoring.position;
    for (size_t at = n_before, n; at < scoring.n_rows; at += n) {
        struct scoring block = scoring;

        n = scoring.n_rows - at < SCORED_AT_ONCE ? scoring.n_rows - at : SCORED_AT_ONCE;
        block.position += at;
        block.hidden += at * spec->hidden_size;
        model_logits(scoring.model, block.hidden, n, block.logits);
        if (threads_run(scoring.model->engine.threads, n, score_row, &block, err))
            return -1;
    }
    return 0;
}

/* ---- all of them ---- */

struct step {
    struct model *model;
    struct generation **members; /* [n_members], that have tokens in the batch */
    size_t n_members, n_tokens;
    size_t n_due;                /* members that get a new token */
    size_t n_rows;               /* of logits: for each of these one, and one for each guess */
    size_t *rows;                /* [n_members], the first row of each that is due */
    struct cache **caches;       /* [n_members] */
    size_t *ends;                /* [n_members] */
    struct batch_rows *wanted;   /* [n_members]: those that logits are made of */
    uint32_t *ids;               /* [n_tokens], guesses too */
    float *hidden;               /* [n_tokens, hidden_size] */
    float *last, *logits;        /* [n_rows, hidden_size or vocab_size] */
    bool scores_prompts;
    char *scratch;               /* of the samplers, [threads][scratch_bytes] */
    size_t scratch_bytes;
};

static void fail(struct generation *generation, const struct error *error)
{
    generation->state = GENERATION_FAILED;
    generation->error = *error;
}

static void *take(struct step *step, size_t n, size_t size, const char *what, struct error *err)
{
    return workspace_take(&step->model->engine.workspace, n, size, what, err);
}

static int find_members(struct step *step, struct generation *const *generations, size_t n,
                        struct error *err)
{
    step->members = take(step, n, sizeof *step->members, "generations", err);
    step->caches = take(step, n, sizeof *step->caches, "generations", err);
    step->ends = take(step, n, sizeof *step->ends, "generations", err);
    step->rows = take(step, n, sizeof *step->rows, "generations", err);
    step->wanted = take(step, n, sizeof *step->wanted, "generations", err);
    if (!step->members || !step->caches || !step->ends || !step->rows || !step->wanted)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct generation *generation = generations[i];
        struct error error = {0};

        if (generation->state != GENERATION_RUNS)
            continue;
        if (prepare(generation, step->model, &error))
            fail(generation, &error);
        else
            step->members[step->n_members++] = generation;
    }
    return interrupt_check(err); /* which is no fault of a member's */
}

static bool is_due(const struct generation *generation, const struct model *model)
{
    return generation->cache->n_tokens + count_new(generation, model) == generation->ids.n_items;
}

/* Of a prompt that is not at its end, none. */
static struct batch_rows wanted_rows(const struct generation *generation, const struct model *model)
{
    size_t n_guesses = generation->drafts.n_ids, n = count_new(generation, model) + n_guesses;

    return (struct batch_rows){is_due(generation, model) ? n - 1 - n_guesses : n, n};
}

static int reserve(struct step *step, struct error *err)
{
    const struct model_spec *spec = &step->model->spec;
    size_t n_workers = threads_count(step->model->engine.threads);

    for (size_t i = 0; i < step->n_members; i++) {
        struct generation *generation = step->members[i];
        size_t n_bytes = sampler_scratch_bytes(&generation->sampler);

        step->caches[i] = generation->cache;
        step->wanted[i] = wanted_rows(generation, step->model);
        step->ends[i] = step->n_tokens +=
            count_new(generation, step->model) + generation->drafts.n_ids;
        if (is_due(generation, step->model)) {
            step->n_due++;
            step->n_rows += 1 + generation->drafts.n_ids;
        }
        step->scratch_bytes = n_bytes > step->scratch_bytes ? n_bytes : step->scratch_bytes;
        step->scores_prompts |= generation->settings.n_scored > 0;
        begin_scores(generation);
    }
    step->ids = take(step, step->n_tokens, sizeof *step->ids, "token ids", err);
    step->hidden = take(step, step->n_tokens, spec->hidden_size * sizeof *step->hidden,
                        "hidden states", err);
    step->last = take(step, step->n_rows, spec->hidden_size * sizeof *step->last, "hidden states",
                      err);
    step->logits = take(step, step->scores_prompts && step->n_rows < SCORED_AT_ONCE
                                  ? SCORED_AT_ONCE
                                  : step->n_rows,
                        spec->vocab_size * sizeof *step->logits, "logits", err);
    step->scratch = take(step, n_workers, step->scratch_bytes, "logits", err);
    return step->ids && step->hidden && step->last && step->logits && step->scratch ? 0 : -1;
}

/* The logits of the step serve for one block of a prompt after another. */
static int score_prompts(const struct step *step, struct error *err)
{
    for (size_t i = 0; i < step->n_members; i++) {
        struct generation *generation = step->members[i];
        size_t n = batch_length(step->ends, i), start = batch_start(step->ends, i);
        const struct scoring scoring = {
            .model = step->model,
            .generation = generation,
            .hidden = step->hidden + start * step->model->spec.hidden_size,
            .position = generation->cache->n_tokens - n,
            .n_rows = n,
            .logits = step->logits,
        };

        if (generation->settings.n_scored && scoring.position < generation->n_given &&
            score_prompt(scoring, err))
            return -1;
    }
    return 0;
}

static void fill_ids(const struct step *step)
{
    for (size_t i = 0; i < step->n_members; i++) {
        const struct generation *generation = step->members[i];
        const struct drafts *drafts = &generation->drafts;
        uint32_t *ids = step->ids + batch_start(step->ends, i);
        size_t n = batch_length(step->ends, i) - drafts->n_ids;

        memcpy(ids, generation->ids.items + generation->cache->n_tokens, n * sizeof *ids);
        memcpy(ids + n, drafts->ids, drafts->n_ids * sizeof *ids);
    }
}

/* The rows of `last` are those of the members that are due, in their order; these alone remain. */
static int run_batch(struct step *step, struct error *err)
{
    const struct model_spec *spec = &step->model->spec;
    const struct batch batch = {.ids = step->ids, .ends = step->ends, .caches = step->caches,
                                .n_sequences = step->n_members,
                                .wanted = step->scores_prompts ? NULL : step->wanted};
    size_t n = spec->hidden_size, n_due = 0, row = 0;

    fill_ids(step);
    if (model_run(step->model, &batch, step->hidden, err) ||
        (step->scores_prompts && score_prompts(step, err)))
        return -1;
    for (size_t i = 0; i < step->n_members; i++) {
        struct generation *generation = step->members[i];
        size_t n_rows = 1 + generation->drafts.n_ids;

        if (generation->cache->n_tokens < generation->ids.n_items)
            continue;
        memcpy(step->last + row * n, step->hidden + (step->ends[i] - n_rows) * n,
               n_rows * n * sizeof *step->last);
        step->rows[n_due] = row;
        step->members[n_due++] = generation;
        row += n_rows;
    }
    model_logits(step->model, step->last, row, step->logits);
    return 0;
}

/* The likelihoods of token number `at` of the new ones. */
static void add_logprobs(struct generation *generation, const float *logits, size_t n_logits,
                         size_t at, uint32_t id)
{
    at += generation->settings.n_scored;
    reserve_logprobs(generation, at + 1);
    sampler_logprobs(logits, n_logits, id, generation->settings.n_top_logprobs,
                     logprobs_at(generation, at));
}

static int choose_token(struct generation *generation, const struct model_spec *spec,
                        const float *logits, char *scratch, struct error *err)
{
    size_t n_new = generation->ids.n_items - generation->n_given;
    struct sampler_text text = {.ids = generation->ids.items, .n_ids = generation->ids.n_items,
                                .n_given = generation->n_given};
    uint32_t id;

    if (n_new < generation->settings.min_tokens) {
        text.banned = generation->settings.eos->items;
        text.n_banned = generation->settings.eos->n_items;
    }
    if (sampler_pick(&generation->sampler, logits, &text, scratch, &id, err))
        return error_context(err, "'%s'", generation->settings.name);
    if (generation->settings.has_logprobs)
        add_logprobs(generation, logits, spec->vocab_size, n_new, id);
    return add_token(generation, spec, id, err);
}

/* What comes next, and what comes next after each guess, as long as these are right. What is behind
 * them is forgotten. */
static int choose_all(struct generation *generation, const struct model_spec *spec,
                      const float *logits, char *scratch, struct error *err)
{
    struct drafts *drafts = &generation->drafts;
    const struct ids *ids = &generation->ids;
    size_t n_right = 0;

    for (;; n_right++, logits += spec->vocab_size) {
        if (choose_token(generation, spec, logits, scratch, err))
            return -1;
        if (generation->state != GENERATION_RUNS || n_right == drafts->n_ids ||
            ids->items[ids->n_items - 1] != drafts->ids[n_right])
            break;
    }
    drafts_learn(drafts, n_right);
    cache_truncate(generation->cache, ids->n_items - 1);
    return 0;
}

/* What one member draws is no other's business: they may all do it at once. */
static int choose_tokens(void *context, size_t i, size_t worker, struct error *err)
{
    struct step *step = context;
    const struct model_spec *spec = &step->model->spec;
    struct error error = {0};

    (void)err;
    if (choose_all(step->members[i], spec, step->logits + step->rows[i] * spec->vocab_size,
                   step->scratch + worker * step->scratch_bytes, &error))
        fail(step->members[i], &error);
    return 0;
}

static int run_step(struct step *step, struct generation *const *generations, size_t n,
                    struct error *err)
{
    if (interrupt_check(err) || find_members(step, generations, n, err))
        return -1;
    if (step->n_members == 0)
        return 0;
    if (reserve(step, err) || run_batch(step, err))
        return -1;
    return threads_run(step->model->engine.threads, step->n_due, choose_tokens, step, err);
}

int generation_step(struct model *model, struct generation *const *generations, size_t n,
                    struct error *err)
{
    struct step step = {.model = model};
    size_t mark = workspace_mark(&model->engine.workspace);
    int rc = run_step(&step, generations, n, err);

    workspace_return(&model->engine.workspace, mark);
    return rc;
}
