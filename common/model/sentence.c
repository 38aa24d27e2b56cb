#include "sentence.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/quantized.h"
#include "base/memory.h"
#include "math/gemm.h"
#include "math/vector.h"

enum pooling {
    POOLING_CLS, POOLING_MAX, POOLING_MEAN, POOLING_MEAN_SQRT, POOLING_WEIGHTED_MEAN, POOLING_LAST,
    N_POOLINGS,
};

static const char *const pooling_names[N_POOLINGS] = {
    "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken",
};

struct step { /* behind the pooling: a dense layer, or normalization */
    bool is_dense;
    struct sentence_dense dense;
    float *weight, *bias; /* [n_out, n_in], [n_out]; bias may be NULL */
};

struct sentence_model {
    enum pooling poolings[N_POOLINGS]; /* concatenated */
    size_t n_poolings;
    bool skips_prompt;
    struct step *steps;
    size_t n_steps;
    size_t hidden_size, max_tokens;
    size_t size; /* of an embedding: the first numbers of what the last step gives, or all */
};

/* ---- loading ---- */

static bool find_pooling(const char *name, size_t length, enum pooling *pooling)
{
    for (size_t i = 0; i < N_POOLINGS; i++)
        if (strlen(pooling_names[i]) == length && memcmp(pooling_names[i], name, length) == 0) {
            *pooling = (enum pooling)i;
            return true;
        }
    return false;
}

/* "cls", or "cls+mean". */
static int set_pooling(struct sentence_model *sentence, const char *text, struct error *err)
{
    const char *name = text;

    for (;;) {
        size_t length = strcspn(name, "+");

        if (sentence->n_poolings == N_POOLINGS ||
            !find_pooling(name, length, &sentence->poolings[sentence->n_poolings++]))
            return error_set(err, ERROR_UNSUPPORTED, "pooling '" ERROR_NAME "' is not known", text);
        if (!name[length])
            break;
        name += length + 1;
    }
    sentence->size = sentence->hidden_size * sentence->n_poolings;
    return 0;
}

static int choose_pooling(struct sentence_model *sentence, const struct model_folder *folder,
                          const char *pooling, struct notices *notices, struct error *err)
{
    const char *own = folder->sentence.pooling;

    if (own && pooling && strcmp(own, pooling) != 0)
        notices_add(notices, "'%s' pools by " ERROR_NAME ": --pooling is not used", folder->name,
                    own);
    if (own) {
        pooling = own;
    } else if (!pooling) {
        pooling = model_folder_default_pooling(folder);
        notices_add(notices, "'%s' does not say how it pools; its embeddings are the vectors of "
                    "the %s token (--pooling %s)", folder->name,
                    strcmp(pooling, "cls") == 0 ? "first" : "last", pooling);
    }
    return set_pooling(sentence, pooling, err);
}

static float *load_tensor(const struct checkpoint *checkpoint, const char *name, size_t n_dims,
                          size_t n_out, size_t n_in, struct error *err)
{
    const struct tensor *tensor = checkpoint_find(checkpoint, name);
    const struct dtype_info *info = tensor ? dtype_info(tensor->dtype) : NULL;
    float *values;

    if (!tensor || tensor->n_dims != n_dims || tensor->shape[0] != n_out ||
        (n_dims == 2 && tensor->shape[1] != n_in)) {
        error_set(err, ERROR_FORMAT, "tensor '%s': is missing, or not of the shape that "
                  "config.json says", name);
        return NULL;
    }
    if (info->kind != DTYPE_FLOAT || info->n_bits < 8) {
        error_set(err, ERROR_UNSUPPORTED, "tensor '%s': cannot run weights stored as %s", name,
                  info->name);
        return NULL;
    }
    values = memory_try(tensor->n_items, sizeof *values, "a dense module", err);
    if (values && tensor_read_floats(tensor, values, err)) {
        free(values);
        return NULL;
    }
    return values;
}

static int load_weights(struct step *step, const struct checkpoint *checkpoint, struct error *err)
{
    size_t n_in = step->dense.n_in, n_out = step->dense.n_out;

    step->weight = load_tensor(checkpoint, "linear.weight", 2, n_out, n_in, err);
    if (step->weight && step->dense.has_bias)
        step->bias = load_tensor(checkpoint, "linear.bias", 1, n_out, 0, err);
    return !step->weight || (step->dense.has_bias && !step->bias) ? -1 : 0;
}

static int add_dense(struct sentence_model *sentence, struct model_folder *folder,
                     const char *path, struct notices *notices, struct error *err)
{
    struct step *step = &sentence->steps[sentence->n_steps++];
    const struct checkpoint *checkpoint;
    int rc = -1;

    step->is_dense = true;
    if (sentence_dense_load(&step->dense, folder->folder, path, err))
        return -1;
    if (step->dense.n_in != sentence->size)
        return error_set(err, ERROR_FORMAT, "module '" ERROR_NAME "': takes %zu numbers, and is "
                         "given %zu", path, step->dense.n_in, sentence->size);
    sentence->size = step->dense.n_out;
    checkpoint = model_folder_checkpoint(folder, path, NULL, notices, err);
    if (checkpoint && quantized_check(folder, err) == 0)
        rc = load_weights(step, checkpoint, err);
    if (rc)
        error_context(err, "module '" ERROR_NAME "'", path);
    return rc;
}

/* Transformer, Pooling, then any number of Dense and Normalize. Dropout is for training. */
static int add_modules(struct sentence_model *sentence, struct model_folder *folder,
                       struct notices *notices, struct error *err)
{
    const struct sentence_folder *layout = &folder->sentence;
    bool has_pooled = !layout->pooling;

    sentence->steps = memory_zalloc(layout->n_modules, sizeof *sentence->steps);
    for (size_t i = 0; i < layout->n_modules; i++) {
        const struct sentence_module *module = &layout->modules[i];
        bool is_pooling = strcmp(module->kind, "Pooling") == 0 && i > 0 && sentence->n_steps == 0;

        sentence_module_note(module, folder->folder, notices);
        if (i == 0 && strcmp(module->kind, "Transformer") == 0)
            continue;
        if (is_pooling && !has_pooled) {
            has_pooled = true;
        } else if (has_pooled && strcmp(module->kind, "Dense") == 0) {
            if (add_dense(sentence, folder, module->path, notices, err))
                return -1;
        } else if (has_pooled && strcmp(module->kind, "Normalize") == 0) {
            if (sentence_normalize_check(folder->folder, module->path, err))
                return -1;
            sentence->n_steps++;
        } else if (has_pooled && strcmp(module->kind, "Dropout") == 0) {
            continue;
        } else {
            return error_set(err, ERROR_UNSUPPORTED, "module '" ERROR_NAME "' of kind '" ERROR_NAME
                             "' is not supported there", module->path, module->kind);
        }
    }
    return 0;
}

struct sentence_model *sentence_model_load(struct model_folder *folder,
                                           const struct model *model, const char *pooling,
                                           struct notices *notices, struct error *err)
{
    struct sentence_model *sentence = memory_zalloc(1, sizeof *sentence);
    struct sentence_settings settings;
    size_t n_dimensions;

    sentence->hidden_size = model->spec.hidden_size;
    sentence->skips_prompt = folder->sentence.skips_prompt;
    if (sentence_settings_load(&settings, &folder->sentence, folder->folder, err))
        goto failed;
    sentence->max_tokens = settings.max_tokens;
    n_dimensions = settings.n_dimensions;
    sentence_settings_release(&settings);
    if (sentence_folder_check(&folder->sentence, err) ||
        choose_pooling(sentence, folder, pooling, notices, err) ||
        add_modules(sentence, folder, notices, err)) {
        error_context(err, "'%s'", folder->name);
        goto failed;
    }
    if (n_dimensions && n_dimensions < sentence->size)
        sentence->size = n_dimensions;
    return sentence;
failed:
    sentence_model_free(sentence);
    return NULL;
}

struct sentence_model *sentence_model_first_token(const struct model *model)
{
    struct sentence_model *sentence = memory_zalloc(1, sizeof *sentence);

    sentence->hidden_size = sentence->size = model->spec.hidden_size;
    sentence->poolings[sentence->n_poolings++] = POOLING_CLS;
    return sentence;
}

void sentence_model_free(struct sentence_model *sentence)
{
    if (!sentence)
        return;
    for (size_t i = 0; i < sentence->n_steps; i++) {
        free(sentence->steps[i].weight);
        free(sentence->steps[i].bias);
    }
    free(sentence->steps);
    free(sentence);
}

size_t sentence_model_size(const struct sentence_model *sentence)
{
    return sentence->size;
}

size_t sentence_model_max_tokens(const struct sentence_model *sentence)
{
    return sentence->max_tokens;
}

int sentence_count_prompt(const struct tokenizer *tokenizer, const char *prompt,
                          size_t max_length, size_t *n_tokens, struct error *err)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new(tokenizer);
    const struct encode_options how = {.max_length = max_length};
    struct encoding encoding = {0};
    int rc = tokenizer_encode(tokenizer, scratch, prompt, strlen(prompt), NULL, 0, &how,
                              &encoding, err);

    *n_tokens = 0;
    if (rc == 0 && encoding.n_ids)
        *n_tokens = encoding.n_ids - (encoding.is_special[encoding.n_ids - 1] != 0);
    encoding_release(&encoding);
    tokenizer_scratch_free(scratch);
    return rc;
}

/* ---- pooling ---- */

static void pool_max(const float *rows, size_t n_rows, size_t width, float *out)
{
    memcpy(out, rows, width * sizeof *out);
    for (size_t row = 1; row < n_rows; row++)
        for (size_t i = 0; i < width; i++) {
            float value = rows[row * width + i];

            /* Not fmaxf: NaN must stay. */
            out[i] = value > out[i] || isnan(value) ? value : out[i];
        }
}

static void pool_mean(const float *rows, size_t n_rows, size_t width, float divisor, float *out)
{
    memset(out, 0, width * sizeof *out);
    for (size_t row = 0; row < n_rows; row++)
        vector_add(rows + row * width, width, out);
    for (size_t i = 0; i < width; i++)
        out[i] /= divisor;
}

/* Weights 1, 2, 3 … of which `n_skipped` belong to rows that are left out. */
static void pool_weighted_mean(const float *rows, size_t n_rows, size_t n_skipped, size_t width,
                               float *out)
{
    float sum = 0;

    memset(out, 0, width * sizeof *out);
    for (size_t row = 0; row < n_rows; row++) {
        float weight = (float)(n_skipped + row + 1);

        sum += weight;
        for (size_t i = 0; i < width; i++)
            out[i] += weight * rows[row * width + i];
    }
    for (size_t i = 0; i < width; i++)
        out[i] /= sum;
}

static void pool(enum pooling pooling, const float *rows, size_t n_rows, size_t n_skipped,
                 size_t width, float *out)
{
    switch (pooling) {
    case POOLING_CLS:
        memcpy(out, rows, width * sizeof *out);
        break;
    case POOLING_MAX:
        pool_max(rows, n_rows, width, out);
        break;
    case POOLING_MEAN:
        pool_mean(rows, n_rows, width, (float)n_rows, out);
        break;
    case POOLING_MEAN_SQRT:
        pool_mean(rows, n_rows, width, sqrtf((float)n_rows), out);
        break;
    case POOLING_WEIGHTED_MEAN:
        pool_weighted_mean(rows, n_rows, n_skipped, width, out);
        break;
    case POOLING_LAST:
        memcpy(out, rows + (n_rows - 1) * width, width * sizeof *out);
        break;
    case N_POOLINGS:
        break;
    }
}

static struct batch_rows pooled_rows(enum pooling pooling, size_t n_skipped, size_t n_rows)
{
    if (n_rows <= n_skipped) /* which is refused when it comes to pooling */
        return (struct batch_rows){0, n_rows};
    if (pooling == POOLING_CLS)
        return (struct batch_rows){n_skipped, n_skipped + 1};
    return (struct batch_rows){pooling == POOLING_LAST ? n_rows - 1 : n_skipped, n_rows};
}

void sentence_model_pooled_rows(const struct sentence_model *sentence, const struct batch *batch,
                                size_t n_prompt_tokens, struct batch_rows *rows)
{
    size_t n_skipped = sentence->skips_prompt ? n_prompt_tokens : 0;

    for (size_t s = 0; s < batch->n_sequences; s++) {
        size_t n = batch_length(batch->ends, s);

        rows[s] = (struct batch_rows){n, 0};
        for (size_t k = 0; k < sentence->n_poolings; k++) {
            struct batch_rows more = pooled_rows(sentence->poolings[k], n_skipped, n);

            rows[s].first = more.first < rows[s].first ? more.first : rows[s].first;
            rows[s].end = more.end > rows[s].end ? more.end : rows[s].end;
        }
    }
}

static int pool_all(const struct sentence_model *sentence, const struct batch *batch,
                    const float *hidden, size_t n_skipped, float *out, struct error *err)
{
    size_t width = sentence->hidden_size, start = 0;

    for (size_t i = 0; i < batch->n_sequences; i++) {
        size_t n = batch->ends[i] - start;
        const float *rows = hidden + (start + n_skipped) * width;

        if (n <= n_skipped)
            return error_set(err, ERROR_FORMAT, "text %zu of the batch has %zu tokens, of which "
                             "none is left to pool", i + 1, n);
        for (size_t k = 0; k < sentence->n_poolings; k++, out += width)
            pool(sentence->poolings[k], rows, n - n_skipped, n_skipped, width, out);
        start = batch->ends[i];
    }
    return 0;
}

/* ---- steps ---- */

static void normalize(float *x, size_t n)
{
    double sum = 0;
    float norm;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    norm = (float)sqrt(sum);
    for (size_t i = 0; i < n; i++)
        x[i] /= norm < 1e-12f ? 1e-12f : norm;
}

static void run_step(const struct step *step, struct model *model, const float *in, size_t n_rows,
                     size_t width, float *out)
{
    struct gemm_matrix matrix = {.format = &matrix_f32, .data = step->weight,
                                 .n_out = step->dense.n_out, .n_in = width, .stride = width};

    gemm_multiply(model->engine.gemm, n_rows, in, width, &matrix, step->bias, out, matrix.n_out);
    vector_activate(step->dense.activation, out, n_rows * matrix.n_out, out);
}

/* x [n_rows, width] of pooled vectors, overwritten on the way to `out`. */
static int run_steps(const struct sentence_model *sentence, struct model *model, float *x,
                     size_t n_rows, float *out, struct error *err)
{
    size_t width = sentence->hidden_size * sentence->n_poolings;
    float *now = x;
    int rc = 0;

    for (size_t i = 0; i < sentence->n_steps && rc == 0; i++) {
        const struct step *step = &sentence->steps[i];
        float *next;

        if (!step->is_dense) {
            for (size_t row = 0; row < n_rows; row++)
                normalize(now + row * width, width);
            continue;
        }
        next = memory_try(n_rows, step->dense.n_out * sizeof *next, "embeddings", err);
        if (!next) {
            rc = -1;
            break;
        }
        run_step(step, model, now, n_rows, width, next);
        width = step->dense.n_out;
        if (now != x)
            free(now);
        now = next;
    }
    for (size_t row = 0; rc == 0 && row < n_rows; row++)
        memcpy(out + row * sentence->size, now + row * width, sentence->size * sizeof *out);
    if (now != x)
        free(now);
    return rc;
}

int sentence_model_pool(const struct sentence_model *sentence, struct model *model,
                        const struct batch *batch, const float *hidden, size_t n_prompt_tokens,
                        float *out, struct error *err)
{
    size_t n_skipped = sentence->skips_prompt ? n_prompt_tokens : 0;
    size_t width = sentence->hidden_size * sentence->n_poolings;
    float *pooled = memory_try(batch->n_sequences, width * sizeof *pooled, "embeddings", err);
    int rc = -1;

    if (pooled && pool_all(sentence, batch, hidden, n_skipped, pooled, err) == 0)
        rc = run_steps(sentence, model, pooled, batch->n_sequences, out, err);
    free(pooled);
    return rc;
}
