/* test_mixer.c - the values that a mix writes, bit for bit. */
#include "mix/mixer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/memory.h"
#include "mix/plan_match.h"
#include "scratch.h"

enum { N_MODELS_MAX = 4 };

static bool yes(const char *path)
{
    (void)path;
    return true;
}

/* Mixes m0, m1 … of the scratch directory into out/; the bytes of its weights file,
    to be freed. */
static char *mix_in_shares(size_t n_shares, const double *weights, size_t n_models,
                           size_t n_threads, const struct combine_method *method,
                           struct plan_options options,
                           struct mixer_stats *stats, size_t *n_bytes)
{
    static const char *const names[N_MODELS_MAX] = {"m0", "m1", "m2", "m3"};
    static char first_special[64]; /* outlives the plan that stats points into */
    struct checkpoint *checkpoints[N_MODELS_MAX];
    struct plan_model models[N_MODELS_MAX];
    struct checkpoint_output output;
    struct plan plan;
    struct notices notices = {0};
    struct progress progress = {0};
    struct error err = {0};
    struct threads *threads = threads_new(n_threads, &err);
    struct outdir *outdir = outdir_open(scratch_path("out"), true, yes, &err);
    struct checkpoint_writer *writer;

    *stats = (struct mixer_stats){0};
    for (size_t i = 0; i < n_models; i++) {
        checkpoints[i] = scratch_open(names[i], NULL, &notices, &err);
        scratch_must(checkpoints[i] != NULL, "open", names[i]);
        models[i] = (struct plan_model){names[i], checkpoints[i], false, NULL};
    }
    options.method = method;
    options.format = &safetensors_writer;
    CHECK(plan_match(&plan, models, n_models, &options, &notices, &err) == 0);
    plan_set_weights(&plan, weights);
    output = (struct checkpoint_output){plan.outputs, plan.n_items, 0, 5000000000, NULL};
    writer = checkpoint_writer_open(&safetensors_writer, outdir, "model.safetensors", &output,
                                    &err);
    scratch_must(threads && outdir && writer, "write", "out");
    for (size_t i = 0; i < n_shares; i++)
        CHECK(mixer_run(&plan, (struct mixer_share){i, n_shares}, writer, threads, &progress, stats,
                        &err) == 0);
    CHECK(progress.done_bytes == plan.size_bytes);
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    CHECK(outdir_commit(outdir, &err) == 0);
    if (err.code)
        printf("# %s\n", err.text);
    if (stats->first_special) {
        snprintf(first_special, sizeof first_special, "%s", stats->first_special);
        stats->first_special = first_special;
    }
    outdir_close(outdir);
    threads_free(threads);
    plan_release(&plan);
    for (size_t i = 0; i < n_models; i++)
        checkpoint_close(checkpoints[i]);
    notices_release(&notices);
    return scratch_read("out/model.safetensors", n_bytes);
}

static char *mix(const double *weights, size_t n_models, size_t n_threads,
                 const struct combine_method *method, struct plan_options options,
                 struct mixer_stats *stats, size_t *n_bytes)
{
    return mix_in_shares(1, weights, n_models, n_threads, method, options, stats, n_bytes);
}

/* As above with linear and one thread, the base's dtypes. */
static char *mix_simply(const double *weights, size_t n_models, struct mixer_stats *stats)
{
    size_t n;

    return mix(weights, n_models, 1, &combine_linear, (struct plan_options){0}, stats, &n);
}

/* The bytes of one tensor of out/, to be freed. */
static void *tensor_bytes(const char *folder, const char *name)
{
    struct notices notices = {0};
    struct error err = {0};
    struct checkpoint *checkpoint = scratch_open(folder, NULL, &notices, &err);
    const struct tensor *tensor = checkpoint ? checkpoint_find(checkpoint, name) : NULL;
    void *bytes;

    scratch_must(tensor != NULL, "find the tensor", name);
    bytes = memory_alloc(tensor->size_bytes);
    CHECK(tensor_read(tensor, 0, tensor->n_items, bytes, &err) == 0);
    checkpoint_close(checkpoint);
    return bytes;
}

/* Values that look like weights, from a generator that needs no library. */
static double noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return ((double)(*state >> 8) / 16777216.0 - 0.5) * 4;
}

static const enum dtype float_dtypes[] = {DTYPE_F64, DTYPE_F32,     DTYPE_BF16,
                                          DTYPE_F16, DTYPE_F8_E4M3, DTYPE_F8_E5M2};
enum { N_FLOATS = 6, N_SIZES = 5 };
/* Around the size of a chunk, and small. */
static const size_t sizes[N_SIZES] = {1, 31, 8192, 40000, 200003};

/* Three models with every float dtype in every size; model i stores tensor t in its own dtype. */
static void write_models(void)
{
    for (size_t m = 0; m < 3; m++) {
        struct scratch_tensor tensors[N_FLOATS * N_SIZES];
        char names[N_FLOATS * N_SIZES][32], path[64];
        void *bytes[N_FLOATS * N_SIZES];
        unsigned state = 7 + (unsigned)m;

        for (size_t t = 0; t < N_FLOATS * N_SIZES; t++) {
            size_t n = sizes[t % N_SIZES];
            enum dtype dtype = float_dtypes[(t / N_SIZES + m * (t % 3)) % N_FLOATS];
            double *values = memory_alloc(n * sizeof *values);

            for (size_t i = 0; i < n; i++)
                values[i] = noise(&state);
            bytes[t] = memory_alloc(n * 8);
            dtype_from_double(dtype, values, bytes[t], n);
            free(values);
            snprintf(names[t], sizeof names[t], "t%02zu.weight", t);
            tensors[t] = TENSOR_BYTES(names[t], dtype, bytes[t], n);
        }
        snprintf(path, sizeof path, "m%zu/model.safetensors", m);
        scratch_safetensors(path, tensors, N_FLOATS * N_SIZES);
        for (size_t t = 0; t < N_FLOATS * N_SIZES; t++)
            free(bytes[t]);
    }
}

static void the_number_of_threads_does_not_change_a_byte(void)
{
    static const double weights[] = {0.5, 0.3, 0.2};
    static const size_t n_threads[] = {1, 2, 3, 8, 16};
    static const struct combine_method *const methods[] = {&combine_linear, &combine_lm_cocktail};
    struct mixer_stats stats;

    write_models();
    for (size_t m = 0; m < 2; m++) {
        size_t n_first, n;
        char *first = mix(weights, 3, 1, methods[m], (struct plan_options){0}, &stats, &n_first);

        for (size_t i = 1; i < 5; i++) {
            char *other = mix(weights, 3, n_threads[i], methods[m], (struct plan_options){0},
                              &stats, &n);

            CHECK(first && other && n == n_first && memcmp(first, other, n) == 0);
            free(other);
        }
        free(first);
    }
}

/* The rule, spelled out: first product, then fused multiply-adds, one rounding. */
static void every_value_is_the_sum_rounded_once(void)
{
    static const double weights[] = {0.5, 0.3, 0.2};
    struct notices notices = {0};
    struct error err = {0};
    struct mixer_stats stats;
    struct checkpoint *models[3], *out;

    write_models();
    free(mix_simply(weights, 3, &stats));
    CHECK(stats.n_nan == 0 && stats.n_inf == 0 && !stats.first_special);
    models[0] = scratch_open("m0", NULL, &notices, &err);
    models[1] = scratch_open("m1", NULL, &notices, &err);
    models[2] = scratch_open("m2", NULL, &notices, &err);
    out = scratch_open("out", NULL, &notices, &err);
    CHECK(out && out->n_tensors == N_FLOATS * N_SIZES);
    for (size_t t = 0; out && t < out->n_tensors; t++) {
        const struct tensor *tensor = &out->tensors[t];
        size_t n = tensor->n_items;
        double *sum = memory_zalloc(n, sizeof *sum), *values = memory_zalloc(n, sizeof *values);
        char *bytes = memory_alloc(n * 8), *expected = memory_alloc(n * 8);

        for (size_t m = 0; m < 3; m++) {
            const struct tensor *source = checkpoint_find(models[m], tensor->name);

            CHECK(m > 0 || source->dtype == tensor->dtype);
            CHECK(tensor_read(source, 0, n, bytes, &err) == 0);
            dtype_to_double(source->dtype, bytes, values, n);
            for (size_t i = 0; i < n; i++)
                sum[i] = m == 0 ? weights[0] * values[i] : fma(weights[m], values[i], sum[i]);
        }
        dtype_from_double(tensor->dtype, sum, expected, n);
        CHECK(tensor_read(tensor, 0, n, bytes, &err) == 0);
        CHECK(memcmp(bytes, expected, tensor->size_bytes) == 0);
        free(sum);
        free(values);
        free(bytes);
        free(expected);
    }
    for (size_t m = 0; m < 3; m++)
        checkpoint_close(models[m]);
    checkpoint_close(out);
}

static void another_dtype_is_rounded_to_once(void)
{
    static const double weights[] = {0.5, 0.5};
    /* Between 1 and the next BF16, a hair above the middle: by way of F32 it would go down. */
    static const double a[] = {1.00390625 + 0x1p-40}, b[] = {1.00390625 + 0x1p-40};
    struct mixer_stats stats;
    size_t n;
    uint16_t *bits;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F64, a, 1));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F64, b, 1));
    free(mix(weights, 2, 1, &combine_linear,
             (struct plan_options){.has_dtype = true, .dtype = DTYPE_BF16}, &stats, &n));
    bits = tensor_bytes("out", "w");
    CHECK(*bits == 0x3f81);
    free(bits);
}

/* Items of the result are half as long as those of the models, in every chunk. */
static void another_dtype_has_its_own_places(void)
{
    enum { N = 300001 };
    static const double weights[] = {0.5, 0.5};
    float *values = memory_alloc(N * sizeof *values);
    struct mixer_stats stats;
    size_t n, n_wrong = 0;
    uint16_t *bits;

    for (size_t i = 0; i < N; i++)
        values[i] = (float)(i % 251) - 100;
    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, values, N));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, values, N));
    free(mix(weights, 2, 2, &combine_linear,
             (struct plan_options){.has_dtype = true, .dtype = DTYPE_BF16}, &stats, &n));
    bits = tensor_bytes("out", "w");
    for (size_t i = 0; i < N; i++) {
        uint32_t wide;

        memcpy(&wide, &values[i], sizeof wide); /* eight bits are enough for these numbers */
        n_wrong += bits[i] != wide >> 16;
    }
    CHECK(n_wrong == 0);
    free(bits);
    free(values);
}

static void a_model_mixed_with_itself_is_itself(void)
{
    static const double weights[][4] = {{0.5, 0.5}, {0.3, 0.7}, {0.9, 0.1}};
    struct mixer_stats stats;
    size_t n, n_out;

    for (size_t w = 0; w < 3; w++) {
        uint16_t every[65536];
        char *before, *after;

        for (size_t i = 0; i < 65536; i++)
            every[i] = (uint16_t)i;
        /* Every finite value, both infinities; NaN in place of NaN is looked at elsewhere. */
        for (size_t i = 0; i < 65536; i++)
            if ((i & 0x7f80) == 0x7f80 && (i & 0x7f))
                every[i] = 0x3f80;
        SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_BF16, every, 256, 256));
        for (size_t i = 0; i < 65536; i++)
            if ((i & 0x7c00) == 0x7c00 && (i & 0x3ff))
                every[i] = 0x3c00;
            else
                every[i] = (uint16_t)i;
        SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F16, every, 256, 256));
        before = scratch_read("m0/model.safetensors", &n);
        SAFETENSORS("m2/model.safetensors", TENSOR("x", DTYPE_F32, 0, 1));
        rename(scratch_path("m1/model.safetensors"), scratch_path("m2/model.safetensors"));
        scratch_write("m1/model.safetensors", before, n);
        after = mix_simply(weights[w], 2, &stats);
        CHECK(after && memcmp(before, after, n) == 0);
        CHECK(stats.n_inf == 2 && stats.n_nan == 0);
        free(before);
        free(after);

        before = scratch_read("m2/model.safetensors", &n);
        scratch_write("m0/model.safetensors", before, n);
        scratch_write("m1/model.safetensors", before, n);
        after = mix(weights[w], 2, 1, &combine_linear, (struct plan_options){0}, &stats, &n_out);
        CHECK(after && n_out == n && memcmp(before, after, n) == 0);
        free(before);
        free(after);
    }
}

static void a_weight_of_zero_leaves_its_model_out(void)
{
    static const double weights[] = {0.5, 0, 0.5};
    static const float first[] = {-0.0f, 1, 2, -0.0f}, second[] = {NAN, INFINITY, -INFINITY, 1},
                       third[] = {-0.0f, 3, 4, 0.0f};
    struct mixer_stats stats;
    float *out;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, first, 4));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, second, 4));
    SAFETENSORS("m2/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, third, 4));
    free(mix_simply(weights, 3, &stats));
    out = tensor_bytes("out", "w");
    CHECK(out[0] == 0 && signbit(out[0]));
    CHECK(out[1] == 2 && out[2] == 3);
    CHECK(out[3] == 0 && !signbit(out[3])); /* -0 + 0 */
    CHECK(stats.n_nan == 0 && stats.n_inf == 0);
    free(out);
}

/* What torch makes of 0 times it. */
static void for_lm_cocktail_a_weight_of_zero_counts(void)
{
    static const double weights[] = {1, 0};
    static const float first[] = {1, 2, 3, -0.0f}, second[] = {NAN, INFINITY, 4, 5};
    struct mixer_stats stats;
    float *out;
    size_t n;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, first, 4));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, second, 4));
    free(mix(weights, 2, 1, &combine_lm_cocktail, (struct plan_options){0}, &stats, &n));
    out = tensor_bytes("out", "w");
    CHECK(isnan(out[0]) && isnan(out[1]) && out[2] == 3);
    CHECK(out[3] == 0 && !signbit(out[3])); /* -0 + 0 */
    CHECK(stats.n_nan == 2 && stats.n_inf == 0);
    free(out);
}

static void the_weights_one_and_zero_give_the_bytes_of_the_one(void)
{
    static const double first[] = {1, 0}, second[] = {0, 1};
    /* NaNs with a payload and a sign, signalling ones too; -0; the smallest subnormal. */
    static const uint32_t a[] = {0x7fc12345, 0xff800001, 0x80000000, 0x00000001, 0x7f800000};
    static const uint32_t b[] = {0x7f812345, 0xffffffff, 0x3f800000, 0xff800000, 0x80000000};
    struct mixer_stats stats;
    size_t n;
    char *before, *after;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, a, 5));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, b, 5));
    before = scratch_read("m0/model.safetensors", &n);
    after = mix_simply(first, 2, &stats);
    CHECK(memcmp(before, after, n) == 0);
    CHECK(stats.n_nan == 2 && stats.n_inf == 1);
    free(before);
    free(after);
    before = scratch_read("m1/model.safetensors", &n);
    after = mix_simply(second, 2, &stats);
    CHECK(memcmp(before, after, n) == 0);
    CHECK(stats.n_nan == 2 && stats.n_inf == 1);
    free(before);
    free(after);
}

static void what_is_not_finite_is_counted_and_its_first_tensor_named(void)
{
    static const double weights[] = {0.5, 0.5};
    static const float clean[] = {1, 2, 3}, odd[] = {NAN, INFINITY, 1},
    negative[] = {1, -INFINITY, 1};
    struct mixer_stats stats;
    float *out;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("a", DTYPE_F32, clean, 3),
                TENSOR_BYTES("b", DTYPE_F32, odd, 3), TENSOR_BYTES("c", DTYPE_F32, odd, 3),
                TENSOR_BYTES("ids._extra_state", DTYPE_F32, odd, 3));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("a", DTYPE_F32, clean, 3),
                TENSOR_BYTES("b", DTYPE_F32, negative, 3), TENSOR_BYTES("c", DTYPE_F32, clean, 3));
    free(mix_simply(weights, 2, &stats));
    /* b: NaN and Inf - Inf; c: NaN and Inf; the copied buffer does not count. */
    CHECK(stats.n_nan == 3 && stats.n_inf == 1);
    CHECK(stats.first_special && strcmp(stats.first_special, "b") == 0);
    out = tensor_bytes("out", "b");
    CHECK(isnan(out[0]) && isnan(out[1]) && out[2] == 1);
    free(out);
    out = tensor_bytes("out", "c");
    CHECK(isnan(out[0]) && isinf(out[1]) && out[2] == 2);
    free(out);
}

static void what_overflows_the_smaller_dtype_is_counted(void)
{
    static const double weights[] = {0.5, 0.5};
    static const float large[] = {70000, 65519, 1};
    struct mixer_stats stats;
    size_t n;
    uint16_t *out;

    SAFETENSORS("m0/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, large, 3));
    SAFETENSORS("m1/model.safetensors", TENSOR_BYTES("w", DTYPE_F32, large, 3));
    free(mix(weights, 2, 2, &combine_linear,
             (struct plan_options){.has_dtype = true, .dtype = DTYPE_F16}, &stats, &n));
    out = tensor_bytes("out", "w");
    CHECK(out[0] == 0x7c00 && out[1] == 0x7bff && out[2] == 0x3c00);
    CHECK(stats.n_inf == 1 && stats.n_nan == 0);
    free(out);
}

static void whole_numbers_and_buffers_come_from_the_base(void)
{
    static const double weights[] = {0.25, 0.75};
    struct mixer_stats stats;
    int64_t *ids;
    unsigned char *flags, *packed;
    static const unsigned char half_bytes[] = {0x21, 0x43, 0x65};

    SAFETENSORS("m0/model.safetensors", TENSOR("ids", DTYPE_I64, 5, 3),
                TENSOR("flags", DTYPE_BOOL, 0, 3), TENSOR("w", DTYPE_F32, 0, 1),
                TENSOR_BYTES("x._extra_state", DTYPE_F4, half_bytes, 6));
    SAFETENSORS("m1/model.safetensors", TENSOR("ids", DTYPE_I64, 50, 3),
                TENSOR("flags", DTYPE_BOOL, 1, 3), TENSOR("w", DTYPE_F32, 4, 1));
    free(mix_simply(weights, 2, &stats));
    ids = tensor_bytes("out", "ids");
    flags = tensor_bytes("out", "flags");
    packed = tensor_bytes("out", "x._extra_state");
    CHECK(ids[0] == 5 && ids[2] == 7);
    CHECK(flags[0] == 0 && flags[1] == 1 && flags[2] == 0);
    CHECK(memcmp(packed, half_bytes, 3) == 0);
    free(ids);
    free(flags);
    free(packed);
}

static void empty_tensors_and_scalars_are_written(void)
{
    static const double weights[] = {0.5, 0.5};
    struct scratch_tensor low = {.name = "s", .dtype = DTYPE_F32, .first = 1};
    struct scratch_tensor high = {.name = "s", .dtype = DTYPE_F32, .first = 2};
    struct mixer_stats stats;
    float *out;

    SAFETENSORS("m0/model.safetensors", low, TENSOR("none", DTYPE_BF16, 0, 3, 0));
    SAFETENSORS("m1/model.safetensors", high, TENSOR("none", DTYPE_BF16, 0, 3, 0));
    free(mix_simply(weights, 2, &stats));
    out = tensor_bytes("out", "s");
    CHECK(out[0] == 1.5f);
    free(out);
    free(tensor_bytes("out", "none"));
}

static void weights_may_be_negative_or_alone(void)
{
    static const double extrapolated[] = {1.5, -0.5}, alone[] = {1};
    struct mixer_stats stats;
    size_t n;
    char *before, *after;
    float *out;

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 10, 3));
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 20, 3));
    free(mix_simply(extrapolated, 2, &stats));
    out = tensor_bytes("out", "w");
    CHECK(out[0] == 5 && out[1] == 6 && out[2] == 7);
    free(out);
    before = scratch_read("m0/model.safetensors", &n);
    after = mix_simply(alone, 1, &stats);
    CHECK(memcmp(before, after, n) == 0);
    free(before);
    free(after);
}

static void a_model_that_shrinks_is_an_error_that_names_it(void)
{
    static const double weights[] = {0.5, 0.5};
    struct plan_model models[2];
    struct checkpoint *checkpoints[2];
    struct notices notices = {0};
    struct progress progress = {0};
    struct mixer_stats stats = {0};
    struct error err = {0};
    struct threads *threads = threads_new(2, &err);
    struct outdir *outdir = outdir_open(scratch_path("shrunk"), false, yes, &err);
    struct checkpoint_writer *writer;
    struct checkpoint_output output;
    struct plan_options options = {.method = &combine_linear, .format = &safetensors_writer};
    struct plan plan;

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 10, 100));
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 20, 100));
    for (size_t i = 0; i < 2; i++) {
        checkpoints[i] = scratch_open(i ? "m1" : "m0", NULL, &notices, &err);
        models[i] = (struct plan_model){i ? "model one" : "model nought", checkpoints[i], false, NULL};
    }
    CHECK(plan_match(&plan, models, 2, &options, &notices, &err) == 0);
    plan_set_weights(&plan, weights);
    output = (struct checkpoint_output){plan.outputs, 1, 0, 1000000, NULL};
    writer = checkpoint_writer_open(&safetensors_writer, outdir, "model.safetensors", &output,
                                    &err);
    CHECK(truncate(scratch_path("m1/model.safetensors"), 200) == 0);
    CHECK(mixer_run(&plan, (struct mixer_share){0, 1}, writer, threads, &progress, &stats, &err) == -1);
    CHECK(err.code == ERROR_IO);
    CHECK_CONTAINS(err.text, "model one");
    CHECK_CONTAINS(err.text, "'w'");
    checkpoint_writer_close(writer, &err);
    outdir_close(outdir);
    plan_release(&plan);
    checkpoint_close(checkpoints[0]);
    checkpoint_close(checkpoints[1]);
    threads_free(threads);
}

/* A tensor of which eight rows are best read together; counts reads that begin elsewhere. */
struct packed_source {
    struct tensor_source source;
    struct tensor whole;
    atomic_size_t n_reads, n_wrong;
};

enum { PACKED_ROW = 7001, PACKED_ROWS = 256 };

static int packed_read(const struct tensor_source *source, size_t offset, size_t n_bytes, void *out,
                       struct error *err)
{
    struct packed_source *packed = (struct packed_source *)source;

    atomic_fetch_add(&packed->n_reads, 1);
    if (offset % (8 * PACKED_ROW * sizeof(float)) != 0)
        atomic_fetch_add(&packed->n_wrong, 1);
    return tensor_read(&packed->whole, offset / sizeof(float), n_bytes / sizeof(float), out, err);
}

static size_t packed_rows_together(const struct tensor *tensor)
{
    (void)tensor;
    return 8;
}

static const struct tensor_source_kind packed_kind = {
    .read = packed_read, .rows_together = packed_rows_together,
};

/* A few megabytes for each thread, however many models there are, and no more than 256 MiB. */
static size_t buffer_bytes(const struct tensor_source_kind *kind, size_t n_models,
                           size_t n_threads)
{
    static const size_t shape[] = {1000, 1000};
    struct output_tensor out = {.name = "w", .dtype = DTYPE_F32, .n_dims = 2, .shape = shape};
    const struct tensor_source source = {kind};
    const struct tensor tensor = {.name = "w", .dtype = DTYPE_F32, .n_dims = 2,
                                  .shape = shape, .source = &source};
    struct plan plan = {0};
    struct error err = {0};
    struct plan_item *item = plan_add_item(&plan, &out, n_models, &err);
    size_t n;

    item->method = &combine_linear;
    for (size_t i = 0; i < n_models; i++)
        item->sources[i].tensor = &tensor;
    n = mixer_buffer_bytes(&plan, n_threads);
    plan_release(&plan);
    return n;
}

static void chunks_begin_where_rows_are_best_read(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct checkpoint *checkpoints[2];
    struct plan_model models[2];
    struct plan_options options = {.method = &combine_linear, .format = &safetensors_writer};
    struct plan plan;
    struct packed_source packed = {.source = {&packed_kind}};
    struct threads *threads = threads_new(2, &err);
    struct outdir *outdir = outdir_open(scratch_path("packed"), true, yes, &err);
    struct checkpoint_output output;
    struct checkpoint_writer *writer;
    struct progress progress = {0};
    struct mixer_stats stats = {0};

    SAFETENSORS("m0/model.safetensors", TENSOR("w", DTYPE_F32, 1, PACKED_ROWS, PACKED_ROW));
    SAFETENSORS("m1/model.safetensors", TENSOR("w", DTYPE_F32, 3, PACKED_ROWS, PACKED_ROW));
    for (size_t i = 0; i < 2; i++) {
        checkpoints[i] = scratch_open(i ? "m1" : "m0", NULL, &notices, &err);
        scratch_must(checkpoints[i] != NULL, "open", "m0, m1");
        models[i] = (struct plan_model){i ? "m1" : "m0", checkpoints[i], false, NULL};
    }
    packed.whole = checkpoints[1]->tensors[0];
    checkpoints[1]->tensors[0].source = &packed.source;
    checkpoints[1]->tensors[0].offset = 0;
    CHECK(plan_match(&plan, models, 2, &options, &notices, &err) == 0);
    plan_set_weights(&plan, (const double[]){0.5, 0.5});
    output = (struct checkpoint_output){plan.outputs, plan.n_items, 0, 5000000000, NULL};
    writer = checkpoint_writer_open(&safetensors_writer, outdir, "model.safetensors", &output,
                                    &err);
    scratch_must(threads && outdir && writer, "write", "packed");
    CHECK(mixer_run(&plan, (struct mixer_share){0, 1}, writer, threads, &progress, &stats, &err) == 0);
    CHECK(packed.n_reads == 2 && packed.n_wrong == 0);
    CHECK(checkpoint_writer_close(writer, &err) == 0);
    outdir_close(outdir);
    threads_free(threads);
    plan_release(&plan);
    checkpoint_close(checkpoints[0]);
    checkpoint_close(checkpoints[1]);
    notices_release(&notices);
}

static void buffers_are_small(void)
{
    static const struct tensor_source_kind plain = {0};

    for (size_t n_models = 1; n_models <= 10; n_models++) {
        CHECK(buffer_bytes(&plain, n_models, 1) <= 8000000);
        CHECK(buffer_bytes(&packed_kind, n_models, 1) <= 26000000);
    }
    CHECK(buffer_bytes(&plain, 10, 64) <= (size_t)256 * 1024 * 1024);
    CHECK(buffer_bytes(&packed_kind, 10, 64) <= (size_t)256 * 1024 * 1024);
    CHECK(buffer_bytes(&plain, 3, 8) == 8 * buffer_bytes(&plain, 3, 1));
}

static void shares_make_the_whole(void)
{
    static const double weights[] = {0.25, 0.5, 0.25};
    struct mixer_stats stats;
    size_t n_bytes, n;
    char *whole;

    write_models();
    whole = mix(weights, 3, 1, &combine_linear, (struct plan_options){0}, &stats, &n_bytes);
    for (size_t n_shares = 2; n_shares <= 40; n_shares += 1 + n_shares / 3) {
        char *made = mix_in_shares(n_shares, weights, 3, 2, &combine_linear,
                                   (struct plan_options){0}, &stats, &n);

        CHECK(n == n_bytes && memcmp(made, whole, n) == 0);
        free(made);
    }
    free(whole);
}

TESTS(TEST(shares_make_the_whole), TEST(the_number_of_threads_does_not_change_a_byte),
      TEST(every_value_is_the_sum_rounded_once), TEST(another_dtype_is_rounded_to_once),
      TEST(another_dtype_has_its_own_places), TEST(a_model_mixed_with_itself_is_itself),
      TEST(a_weight_of_zero_leaves_its_model_out), TEST(for_lm_cocktail_a_weight_of_zero_counts),
      TEST(the_weights_one_and_zero_give_the_bytes_of_the_one),
      TEST(what_is_not_finite_is_counted_and_its_first_tensor_named),
      TEST(what_overflows_the_smaller_dtype_is_counted),
      TEST(whole_numbers_and_buffers_come_from_the_base),
      TEST(empty_tensors_and_scalars_are_written), TEST(weights_may_be_negative_or_alone),
      TEST(a_model_that_shrinks_is_an_error_that_names_it),
      TEST(chunks_begin_where_rows_are_best_read), TEST(buffers_are_small))
