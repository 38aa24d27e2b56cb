#include "mix/compare.h"

#include <math.h>

#include "scratch.h"

/* Compares two folders of the scratch directory; what `comparison` borrows from stays open. */
struct trial {
    struct model_folder models[2];
    struct model_components a, b;
    struct comparison comparison;
    struct error err;
};

static struct trial compare_these(const char *a, const char *b, size_t n_threads)
{
    struct trial trial = {0};
    struct notices notices = {0};
    struct progress progress = {0};
    struct threads *threads = threads_new(n_threads, &trial.err);

    scratch_must(model_folder_open(&trial.models[0], scratch_path(a), NULL, false, &trial.err) == 0 &&
                     model_folder_open(&trial.models[1], scratch_path(b), NULL, false, &trial.err) == 0,
                 "open", "a and b");
    scratch_must(model_components_open(&trial.a, &trial.models[0], &notices, &trial.err) == 0 &&
                     model_components_open(&trial.b, &trial.models[1], &notices, &trial.err) == 0,
                 "open weights of", "a and b");
    CHECK(comparison_make(&trial.comparison, &trial.a, &trial.b, threads, &progress,
                          &trial.err) == 0);
    CHECK(progress.done_bytes == progress.total_bytes);
    threads_free(threads);
    return trial;
}

static struct trial compare(size_t n_threads)
{
    return compare_these("a", "b", n_threads);
}

static void end(struct trial *trial)
{
    comparison_release(&trial->comparison);
    model_components_release(&trial->a);
    model_components_release(&trial->b);
    model_folder_release(&trial->models[0]);
    model_folder_release(&trial->models[1]);
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-15 * fabs(b);
}

static void equal_models_are_identical(void)
{
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR("x", DTYPE_F32, 1, 100000),
                TENSOR("y", DTYPE_I64, 1, 7));
    SAFETENSORS("b/model.safetensors", TENSOR("x", DTYPE_F32, 1, 100000),
                TENSOR("y", DTYPE_I64, 1, 7));
    trial = compare(2);
    CHECK(trial.comparison.n_rows == 2 && trial.comparison.total.is_identical);
    CHECK(trial.comparison.total.max_abs == 0);
    CHECK(difference_relative_l2(&trial.comparison.total) == 0);
    CHECK(difference_cosine(&trial.comparison.total) == 1);
    CHECK(trial.comparison.rows[0].difference.is_identical);
    end(&trial);
}

static void the_figures_are_those_of_the_definition(void)
{
    static const float a[] = {3, 4, 0, 0}, b[] = {3, 0, 0, -4};
    struct trial trial;
    const struct difference *total;

    SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, a, 4));
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, b, 4));
    trial = compare(1);
    total = &trial.comparison.total;
    CHECK(!total->is_identical && total->max_abs == 4);
    CHECK(total->sum_diff == 32 && total->sum_a == 25 && total->sum_b == 25 && total->sum_ab == 9);
    CHECK(is_near(difference_relative_l2(total), sqrt(32) / 5));
    CHECK(is_near(difference_cosine(total), 9.0 / 25));
    end(&trial);
}

static void dtypes_may_differ_and_are_compared_by_value(void)
{
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR("x", DTYPE_F32, 1, 16));
    SAFETENSORS("b/model.safetensors", TENSOR("x", DTYPE_BF16, 1, 16));
    trial = compare(1);
    CHECK(!trial.comparison.total.is_identical);
    CHECK(trial.comparison.total.max_abs == 0);
    CHECK(difference_relative_l2(&trial.comparison.total) == 0);
    CHECK(is_near(difference_cosine(&trial.comparison.total), 1));
    end(&trial);
}

static void bits_count_even_when_values_agree(void)
{
    static const float a[] = {0.0f, 1}, b[] = {-0.0f, 1};
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, a, 2));
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, b, 2));
    trial = compare(1);
    CHECK(!trial.comparison.total.is_identical && trial.comparison.total.max_abs == 0);
    end(&trial);
}

static void the_number_of_threads_does_not_change_a_figure(void)
{
    static float a[300000], b[300000];
    struct trial first;

    for (size_t i = 0; i < 300000; i++) {
        a[i] = (float)(i % 1013) / 77;
        b[i] = a[i] + (float)(i % 31) / 1e4f;
    }
    SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, a, 300000),
                TENSOR_BYTES("y", DTYPE_F32, a + 5, 70000));
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, b, 300000),
                TENSOR_BYTES("y", DTYPE_F32, b + 5, 70000));
    first = compare(1);
    for (size_t n = 2; n <= 16; n *= 2) {
        struct trial other = compare(n);

        CHECK(memcmp(&first.comparison.total, &other.comparison.total,
                     sizeof first.comparison.total)
              == 0);
        end(&other);
    }
    end(&first);
}

static void prefixes_do_not_matter_and_what_only_one_has_is_listed(void)
{
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR("bert.embeddings.LayerNorm.gamma", DTYPE_F32, 1, 2),
                TENSOR("only.in.a", DTYPE_F32, 1, 2), TENSOR("classifier.weight", DTYPE_F32, 1, 2));
    SAFETENSORS("b/model.safetensors", TENSOR("embeddings.LayerNorm.weight", DTYPE_F32, 1, 2),
                TENSOR("only.in.b", DTYPE_F32, 1, 2), TENSOR("another", DTYPE_F32, 1, 2));
    trial = compare(1);
    CHECK(trial.comparison.n_rows == 1 && trial.comparison.rows[0].difference.is_identical);
    CHECK(strcmp(trial.comparison.rows[0].b->name, "embeddings.LayerNorm.weight") == 0);
    CHECK(trial.comparison.n_only_a == 2 && trial.comparison.n_only_b == 2);
    CHECK(strcmp(trial.comparison.only_a[1], "only.in.a") == 0);
    CHECK(strcmp(trial.comparison.only_b[0], "another") == 0);
    CHECK(!trial.comparison.total.is_identical);
    end(&trial);
}

static void one_tensor_is_paired_once(void)
{
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR("x", DTYPE_F32, 1, 2),
                TENSOR("model.x", DTYPE_F32, 1, 2));
    SAFETENSORS("b/model.safetensors", TENSOR("x", DTYPE_F32, 1, 2));
    trial = compare(1);
    CHECK(trial.comparison.n_rows == 1 && trial.comparison.n_only_a == 1);
    CHECK(trial.comparison.n_only_b == 0);
    CHECK(strcmp(trial.comparison.rows[0].a->name, "x") == 0);
    CHECK(strcmp(trial.comparison.only_a[0], "model.x") == 0);
    end(&trial);
}

static void shapes_that_differ_have_no_figures(void)
{
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR("x", DTYPE_F32, 1, 2, 3),
                TENSOR("y", DTYPE_F32, 1, 2));
    SAFETENSORS("b/model.safetensors", TENSOR("x", DTYPE_F32, 1, 3, 2),
                TENSOR("y", DTYPE_F32, 1, 2));
    trial = compare(1);
    CHECK(trial.comparison.n_rows == 2);
    CHECK(isnan(trial.comparison.rows[0].difference.max_abs));
    CHECK(isnan(difference_cosine(&trial.comparison.rows[0].difference)));
    CHECK(!trial.comparison.rows[0].difference.is_identical);
    CHECK(trial.comparison.rows[1].difference.is_identical);
    CHECK(!trial.comparison.total.is_identical && trial.comparison.total.max_abs == 0);
    end(&trial);
}

static void nan_is_shown_and_equal_infinities_do_not_differ(void)
{
    static const float nan[] = {NAN, 1, 2}, clean[] = {0, 1, 9}, infinite[] = {INFINITY, 1, 2};
    struct trial trial;

    SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, nan, 3));
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, clean, 3));
    trial = compare(1);
    CHECK(isnan(trial.comparison.total.max_abs) && isnan(trial.comparison.total.sum_diff));
    end(&trial);
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, nan, 3));
    trial = compare(1);
    CHECK(trial.comparison.total.is_identical); /* the same bytes */
    end(&trial);
    SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, infinite, 3));
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, infinite, 3));
    trial = compare(1);
    CHECK(trial.comparison.total.is_identical && trial.comparison.total.max_abs == 0);
    end(&trial);
    SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", DTYPE_F32, clean, 3));
    trial = compare(1);
    CHECK(isinf(trial.comparison.total.max_abs));
    end(&trial);
}

static void the_largest_difference_wins_whatever_the_order(void)
{
    struct difference nan = {false, NAN, 1, 1, 1, 1}, small = {true, 1, 1, 2, 3, 4};
    struct difference large = {true, 5, 1, 2, 3, 4}, sum;

    sum = small;
    difference_add(&sum, &large);
    CHECK(sum.max_abs == 5 && sum.is_identical && sum.sum_ab == 8);
    sum = large;
    difference_add(&sum, &small);
    CHECK(sum.max_abs == 5);
    sum = large;
    difference_add(&sum, &nan);
    CHECK(isnan(sum.max_abs) && !sum.is_identical);
    difference_add(&sum, &small);
    CHECK(isnan(sum.max_abs));
}

static void every_dtype_can_be_compared(void)
{
    static unsigned char bytes[64], others[64];

    for (size_t i = 0; i < 64; i++) {
        bytes[i] = (unsigned char)(i * 5 % 64);
        others[i] = bytes[i];
    }
    others[1] ^= 1;
    for (int d = 0; d < N_DTYPES; d++) {
        struct trial trial;

        if (d == DTYPE_C128) /* not in safetensors */
            continue;
        SAFETENSORS("a/model.safetensors", TENSOR_BYTES("x", (enum dtype)d, bytes, 8));
        SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", (enum dtype)d, bytes, 8));
        trial = compare(1);
        CHECK(trial.comparison.n_rows == 1 && trial.comparison.total.is_identical);
        CHECK(trial.comparison.total.sum_a > 0 && trial.comparison.total.max_abs == 0);
        end(&trial);
        SAFETENSORS("b/model.safetensors", TENSOR_BYTES("x", (enum dtype)d, others, 8));
        trial = compare(1);
        CHECK(!trial.comparison.total.is_identical);
        end(&trial);
    }
}

static void modules_are_compared_under_their_path(void)
{
    static const char modules[] = "[{\"path\":\"\",\"type\":\"x.Transformer\"},"
                                  "{\"path\":\"2_Dense\",\"type\":\"x.Dense\"},"
                                  "{\"path\":\"3_Dense\",\"type\":\"x.Dense\"}]";
    struct trial trial;

    for (const char *const *name = (const char *const[]){"m", "n", NULL}; *name; name++) {
        char path[64];

        snprintf(path, sizeof path, "%s/modules.json", *name);
        scratch_text(path, modules);
        snprintf(path, sizeof path, "%s/model.safetensors", *name);
        SAFETENSORS(path, TENSOR("x", DTYPE_F32, 1, 2));
    }
    SAFETENSORS("m/2_Dense/model.safetensors", TENSOR("x", DTYPE_F32, 1, 2),
                TENSOR("linear.bias", DTYPE_F32, 1, 1));
    SAFETENSORS("n/2_Dense/model.safetensors", TENSOR("x", DTYPE_F32, 4, 2));
    SAFETENSORS("n/3_Dense/model.safetensors", TENSOR("linear.weight", DTYPE_F32, 1, 2));
    trial = compare_these("m", "n", 1);
    CHECK(trial.comparison.n_rows == 2 && !trial.comparison.total.is_identical);
    CHECK(strcmp(trial.comparison.rows[0].name, "x") == 0);
    CHECK(trial.comparison.rows[0].difference.is_identical);
    CHECK(strcmp(trial.comparison.rows[1].name, "2_Dense/x") == 0);
    CHECK(trial.comparison.rows[1].difference.max_abs == 3 && trial.comparison.total.max_abs == 3);
    CHECK(trial.comparison.n_only_a == 1 && trial.comparison.n_only_b == 1);
    CHECK(strcmp(trial.comparison.only_a[0], "2_Dense/linear.bias") == 0);
    CHECK(strcmp(trial.comparison.only_b[0], "3_Dense/linear.weight") == 0);
    end(&trial);
}

TESTS(TEST(equal_models_are_identical), TEST(the_figures_are_those_of_the_definition),
      TEST(dtypes_may_differ_and_are_compared_by_value), TEST(bits_count_even_when_values_agree),
      TEST(the_number_of_threads_does_not_change_a_figure),
      TEST(prefixes_do_not_matter_and_what_only_one_has_is_listed), TEST(one_tensor_is_paired_once),
      TEST(shapes_that_differ_have_no_figures),
      TEST(nan_is_shown_and_equal_infinities_do_not_differ),
      TEST(the_largest_difference_wins_whatever_the_order), TEST(every_dtype_can_be_compared),
      TEST(modules_are_compared_under_their_path))
