#include "moe_router.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/tensor_names.h"
#include "base/memory.h"
#include "eval/sequences.h"
#include "math/lapack.h"
#include "math/random.h"
#include "model/model.h"
#include "tensor/tensor_source.h"
#include "text/tokenizer.h"

enum { TOKENS_AT_ONCE = 512, JUDGED_MAX = 1024 };
static const double norm_least = 1e-8, condition_most = 5;

/* The streams of random numbers of routers lie beside those of noise, which count from 0. */
static const uint64_t router_stream = UINT64_C(1) << 63;

struct reader { /* of prompts */
    const struct moe_recipe *recipe;
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    struct buffer text;
    const char *first; /* the token that each prompt begins with; NULL: none */
    size_t first_length;
    bool has_pad;
    uint32_t pad;      /* bos, else eos */
    size_t n_rows;     /* of the embedding */
    const char *name;  /* of the base */
    struct error *err;
};

/* ---- prompts to ids ---- */

static const struct tensor *find_embedding(struct model_folder *base, struct error *err)
{
    struct notices ignored = {0}; /* told when it was opened */
    const struct checkpoint *weights = model_folder_weights(base, &ignored, err);
    const struct tensor *found = NULL;
    struct buffer plain = {0};

    for (size_t i = 0; weights && !found && i < weights->n_tensors; i++) {
        tensor_names_plain(weights->tensors[i].name, &plain);
        if (tensor_names_is_embedding(plain.data) && weights->tensors[i].n_dims == 2)
            found = &weights->tensors[i];
    }
    if (weights && !found)
        error_set(err, ERROR_FORMAT, "'%s': no embedding in it", base->name);
    buffer_release(&plain);
    notices_release(&ignored);
    return found;
}

static int reader_open(struct reader *reader, const struct moe_recipe *recipe,
                       struct model_folder *base, struct error *err)
{
    const struct tensor *embedding = find_embedding(base, err);
    const struct sentence_settings none = {0};
    uint32_t id;

    *reader = (struct reader){.recipe = recipe, .name = base->name, .err = err};
    if (!embedding)
        return -1;
    reader->n_rows = embedding->shape[0];
    reader->tokenizer = model_folder_tokenizer(base, &none, err);
    if (!reader->tokenizer)
        return -1;
    reader->scratch = tokenizer_scratch_new(reader->tokenizer);
    if (tokenizer_special(reader->tokenizer, "bos_token", &id)) {
        reader->first = tokenizer_token(reader->tokenizer, id, &reader->first_length);
        reader->pad = id;
    }
    reader->has_pad = reader->first ||
                      tokenizer_special(reader->tokenizer, "eos_token", &reader->pad);
    return 0;
}

static void reader_release(struct reader *reader)
{
    encoding_release(&reader->encoding);
    tokenizer_scratch_free(reader->scratch);
    tokenizer_free(reader->tokenizer);
    buffer_release(&reader->text);
}

/* To reader->encoding: bos as text, and no other special tokens. */
static int read_prompt(struct reader *reader, const struct moe_recipe_expert *expert,
                       const char *prompt)
{
    static const struct encode_options options = {.no_special = true};

    buffer_clear(&reader->text);
    if (reader->first)
        buffer_add(&reader->text, reader->first, reader->first_length);
    buffer_add_text(&reader->text, prompt);
    if (tokenizer_encode(reader->tokenizer, reader->scratch, reader->text.data, reader->text.size,
                         NULL, 0, &options, &reader->encoding, reader->err) ||
        tokenizer_check_ids(reader->tokenizer, reader->encoding.ids, reader->encoding.n_ids,
                            reader->n_rows, reader->name, reader->err))
        return error_context(reader->err, "%s:%zu", reader->recipe->file, expert->line);
    if (reader->encoding.n_ids == 0)
        return moe_recipe_fail(reader->recipe, expert->line, reader->err, "a prompt of no tokens: "
                               "'" ERROR_NAME "'", prompt);
    return 0;
}

static int read_prompts(struct reader *reader, const struct moe_recipe_expert *expert,
                        const struct moe_prompts *prompts, struct sequences *out)
{
    sequences_clear(out);
    for (size_t i = 0; i < prompts->n_items; i++) {
        if (read_prompt(reader, expert, prompts->items[i]))
            return -1;
        sequences_add(out, reader->encoding.ids, NULL, reader->encoding.n_ids);
    }
    return 0;
}

/* ---- who has a row ---- */

static bool is_random(const struct moe_recipe *recipe)
{
    return recipe->gate == MOE_GATE_RANDOM || recipe->gate == MOE_GATE_UNIFORM_RANDOM;
}

/* The experts, and the shared one where it has a gate. */
static size_t count_gates(const struct moe_recipe *recipe)
{
    bool has_shared = recipe->n_shared &&
                      (is_random(recipe) || recipe->shared[0].positive.n_items);

    return recipe->n_experts + has_shared;
}

static const struct moe_recipe_expert *expert_of(const struct moe_recipe *recipe, size_t number)
{
    return number < recipe->n_experts ? &recipe->experts[number] : &recipe->shared[0];
}

int moe_router_check(const struct moe_recipe *recipe, struct model_folder *base, struct error *err)
{
    struct sequences sequences = {0};
    struct reader reader;
    int rc = 0;

    if (is_random(recipe))
        return 0;
    rc = reader_open(&reader, recipe, base, err);
    for (size_t e = 0; rc == 0 && e < count_gates(recipe); e++) {
        const struct moe_recipe_expert *expert = expert_of(recipe, e);

        rc = read_prompts(&reader, expert, &expert->positive, &sequences) ||
             read_prompts(&reader, expert, &expert->negative, &sequences);
    }
    sequences_release(&sequences);
    reader_release(&reader);
    return rc ? -1 : 0;
}

/* ---- vectors ---- */

struct filler {
    float *rows;
    size_t n_layers, n; /* n: hidden size */
    struct reader reader;
    struct model *model;            /* of the hidden modes */
    const struct tensor *embedding; /* of the other */
    double *sums;    /* [n_layers, n], of the prompts of a list */
    double *vectors; /* [n_layers, n], of an expert */
    bool is_average;
    double weight;   /* of what comes next, in the sums */
    float *hidden;   /* [n_hidden] */
    size_t n_hidden;
    struct sequences prompts;
};

/* Adds what enters a layer: of the last token of each sequence, or of all. */
static void see_hidden(void *context, size_t layer, const struct batch *batch, const float *x)
{
    struct filler *filler = context;
    double *sum = filler->sums + layer * filler->n;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t end = batch->ends[s];

        for (size_t t = filler->is_average ? batch_start(batch->ends, s) : end - 1; t < end; t++)
            for (size_t i = 0; i < filler->n; i++)
                sum[i] += filler->weight * x[t * filler->n + i];
    }
}

static int run_batch(struct filler *filler, const struct batch *batch, struct error *err)
{
    size_t n = batch_n_tokens(batch) * filler->n;

    if (n > filler->n_hidden) {
        free(filler->hidden);
        filler->hidden = memory_try(n, sizeof *filler->hidden, "prompts", err);
        filler->n_hidden = filler->hidden ? n : 0;
        if (!filler->hidden)
            return -1;
    }
    return model_run(filler->model, batch, filler->hidden, err);
}

/* Some at a time, as many as have TOKENS_AT_ONCE tokens together, one at least. */
static int run_prompts(struct filler *filler, struct error *err)
{
    const struct sequences *all = &filler->prompts;
    struct sequences part = {0};
    int rc = 0;

    for (size_t s = 0; rc == 0 && s < all->n_sequences;) {
        sequences_clear(&part);
        do {
            struct sequence next = sequences_get(all, s++);

            sequences_add(&part, next.ids, NULL, next.n);
        } while (s < all->n_sequences &&
                 part.ids.n_items + sequences_get(all, s).n <= TOKENS_AT_ONCE);
        rc = run_batch(filler, &(struct batch){.ids = part.ids.items, .ends = part.ends,
                                               .n_sequences = part.n_sequences}, err);
    }
    sequences_release(&part);
    return rc;
}

/* Shorter prompts are filled up, and what fills them up counts: it sees nothing, and all of it is the
 * same, wherever it stands. */
static int run_padding(struct filler *filler, size_t n_padding, struct error *err)
{
    const size_t end = 1;
    const uint8_t deaf = 1;
    struct batch batch = {.ids = &filler->reader.pad, .deaf = &deaf, .ends = &end,
                          .n_sequences = 1};

    if (!filler->reader.has_pad)
        return error_set(err, ERROR_FORMAT, "'%s': hidden_avg needs a token to fill shorter prompts up "
                         "with; the tokenizer has neither bos nor eos", filler->reader.name);
    filler->weight *= (double)n_padding;
    return run_batch(filler, &batch, err);
}

/* The mean over the prompts. */
static int sum_hidden(struct filler *filler, struct error *err)
{
    const struct sequences *prompts = &filler->prompts;
    size_t longest = 0, n_padding;

    for (size_t s = 0; s < prompts->n_sequences; s++) {
        size_t n = sequences_get(prompts, s).n;

        longest = n > longest ? n : longest;
    }
    filler->weight = 1 / (double)prompts->n_sequences;
    if (!filler->is_average)
        return run_prompts(filler, err);
    filler->weight /= (double)longest;
    n_padding = longest * prompts->n_sequences - prompts->ids.n_items;
    if (run_prompts(filler, err))
        return -1;
    return n_padding ? run_padding(filler, n_padding, err) : 0;
}

static void scale_to_1(double *x, size_t n)
{
    double sum = 0, norm;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    norm = sqrt(sum) > norm_least ? sqrt(sum) : norm_least;
    for (size_t i = 0; i < n; i++)
        x[i] /= norm;
}

/* The embeddings of all tokens, scaled to length 1: the same for all layers. */
static int sum_embeddings(struct filler *filler, struct error *err)
{
    const struct tensor *table = filler->embedding;
    const struct ids *ids = &filler->prompts.ids;
    size_t n = filler->n;
    char *stored = memory_alloc(n * sizeof(double));
    double *values = memory_zalloc(n, sizeof *values);
    int rc = 0;

    for (size_t t = 0; rc == 0 && t < ids->n_items; t++) {
        rc = tensor_read(table, ids->items[t] * n, n, stored, err);
        if (rc == 0)
            dtype_to_double(table->dtype, stored, values, n);
        for (size_t i = 0; rc == 0 && i < n; i++)
            filler->sums[i] += (float)values[i];
    }
    scale_to_1(filler->sums, n);
    for (size_t l = 1; l < filler->n_layers; l++)
        memcpy(filler->sums + l * n, filler->sums, n * sizeof *filler->sums);
    free(stored);
    free(values);
    return rc;
}

/* Adds `factor` times the vectors of a list of prompts. */
static int add_prompts(struct filler *filler, const struct moe_recipe_expert *expert,
                       const struct moe_prompts *prompts, double factor, struct error *err)
{
    size_t n = filler->n_layers * filler->n;

    if (prompts->n_items == 0)
        return 0;
    memset(filler->sums, 0, n * sizeof *filler->sums);
    if (read_prompts(&filler->reader, expert, prompts, &filler->prompts) ||
        (filler->model ? sum_hidden(filler, err) : sum_embeddings(filler, err)))
        return -1;
    for (size_t i = 0; i < n; i++)
        filler->vectors[i] += factor * filler->sums[i];
    return 0;
}

static int fill_expert(struct filler *filler, size_t number, struct error *err)
{
    const struct moe_recipe *recipe = filler->reader.recipe;
    const struct moe_recipe_expert *expert = expert_of(recipe, number);
    size_t n = filler->n;

    memset(filler->vectors, 0, filler->n_layers * n * sizeof *filler->vectors);
    if (add_prompts(filler, expert, &expert->positive, 1, err) ||
        add_prompts(filler, expert, &expert->negative, -1, err))
        return -1;
    for (size_t l = 0; l < filler->n_layers; l++) {
        float *row = filler->rows + (l * (recipe->n_experts + 1) + number) * n;

        scale_to_1(filler->vectors + l * n, n);
        for (size_t i = 0; i < n; i++)
            row[i] = (float)filler->vectors[l * n + i];
    }
    return 0;
}

static int open_filler(struct filler *filler, const struct moe_recipe *recipe,
                       struct model_folder *base, struct threads *threads,
                       struct notices *notices, struct error *err)
{
    size_t n = filler->n_layers * filler->n;

    if (reader_open(&filler->reader, recipe, base, err))
        return -1;
    filler->sums = memory_try(n, sizeof *filler->sums, "sums of hidden states", err);
    filler->vectors = memory_try(n, sizeof *filler->vectors, "sums of hidden states", err);
    if (!filler->sums || !filler->vectors)
        return -1;
    filler->is_average = recipe->gate == MOE_GATE_HIDDEN_AVG;
    if (recipe->gate == MOE_GATE_CHEAP_EMBED) {
        filler->embedding = find_embedding(base, err);
        return filler->embedding ? 0 : -1;
    }
    filler->model = model_load(base, MODEL_DECODER, threads, notices, err);
    if (!filler->model)
        return -1;
    filler->model->hidden = (struct hidden_watcher){see_hidden, filler};
    return 0;
}

static int fill_by_prompts(struct filler *filler, const struct moe_recipe *recipe,
                           struct model_folder *base, struct threads *threads,
                           struct notices *notices, struct error *err)
{
    int rc = open_filler(filler, recipe, base, threads, notices, err);

    for (size_t e = 0; rc == 0 && e < count_gates(recipe); e++)
        rc = fill_expert(filler, e, err);
    model_free(filler->model);
    reader_release(&filler->reader);
    sequences_release(&filler->prompts);
    free(filler->sums);
    free(filler->vectors);
    free(filler->hidden);
    return rc;
}

/* N(0, 1), or as torch begins a linear layer. */
static void fill_randomly(const struct filler *filler, const struct moe_recipe *recipe,
                          uint64_t seed)
{
    size_t per_layer = (recipe->n_experts + 1) * filler->n;
    size_t n = count_gates(recipe) * filler->n;
    double scale = sqrt(1 / (double)filler->n);

    for (size_t l = 0; l < filler->n_layers; l++)
        for (size_t i = 0; i < n; i++) {
            double x = recipe->gate == MOE_GATE_RANDOM
                           ? random_normal_at(seed, router_stream + l, i)
                           : (2 * random_uniform_at(seed, router_stream + l, i) - 1) * scale;

            filler->rows[l * per_layer + i] = (float)x;
        }
}

/* ---- how well experts are told apart ---- */

/* The largest singular value of x [n_rows, n] over the smallest: by those of x x^T, its squares. */
static int find_condition(const float *x, size_t n_rows, size_t n, double *square, double *values,
                          double *condition, struct error *err)
{
    size_t n_values = n_rows < n ? n_rows : n;

    for (size_t i = 0; i < n_rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;

            for (size_t k = 0; k < n; k++)
                sum += (double)x[i * n + k] * x[j * n + k];
            square[i * n_rows + j] = square[j * n_rows + i] = sum;
        }
    if (lapack_eigen(square, n_rows, values, err))
        return -1;
    *condition = values[n_rows - n_values] > 0
                     ? sqrt(values[n_rows - 1] / values[n_rows - n_values])
                     : INFINITY;
    return 0;
}

static void tell_layers(const struct buffer *list, size_t n_bad, size_t n_layers,
                        struct notices *notices)
{
    if (n_bad)
        notices_add(notices, "%s %s: the rows of the router are nearly dependent (condition number "
                    "above %g): the prompts may be too similar, and an expert be hardly used",
                    n_bad == n_layers ? "all layers" : n_bad == 1 ? "layer" : "layers",
                    n_bad == n_layers ? "of the mixture" : list->data, condition_most);
}

static int judge(const struct filler *filler, const struct moe_recipe *recipe,
                 struct notices *notices, struct error *err)
{
    size_t n_rows = count_gates(recipe), n_bad = 0;
    double *square, *values, condition;
    struct buffer list = {0};
    int rc = 0;

    if (n_rows < 2 || n_rows > JUDGED_MAX || lapack_load(err))
        return err->code ? -1 : 0;
    square = memory_zalloc(n_rows * n_rows, sizeof *square);
    values = memory_zalloc(n_rows, sizeof *values);
    for (size_t l = 0; rc == 0 && l < filler->n_layers; l++) {
        rc = find_condition(filler->rows + l * (recipe->n_experts + 1) * filler->n, n_rows, filler->n,
                            square, values, &condition, err);
        if (rc == 0 && condition > condition_most)
            buffer_format(&list, "%s%zu", n_bad++ ? ", " : "", l);
    }
    if (rc == 0)
        tell_layers(&list, n_bad, filler->n_layers, notices);
    buffer_release(&list);
    free(square);
    free(values);
    return rc;
}

int moe_router_fill(float *rows, size_t n_layers, size_t hidden_size,
                    const struct moe_recipe *recipe, struct model_folder *base, uint64_t seed,
                    struct threads *threads, struct notices *notices, struct error *err)
{
    struct filler filler = {.rows = rows, .n_layers = n_layers, .n = hidden_size};
    int rc = 0;

    memset(rows, 0, n_layers * (recipe->n_experts + 1) * hidden_size * sizeof *rows);
    if (is_random(recipe))
        fill_randomly(&filler, recipe, seed);
    else
        rc = fill_by_prompts(&filler, recipe, base, threads, notices, err);
    return rc ? -1 : judge(&filler, recipe, notices, err);
}
