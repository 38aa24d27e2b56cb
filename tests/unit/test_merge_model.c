/* test_merge_model.c - a merge that is an input of another, and is never written. */
#include "mix/merge_model.h"

#include "mix/combine.h"
#include "tensor/tensor_source.h"

#include "scratch.h"

static void open_merge(struct merge *merge, struct model_folder *models, const double *weights,
                       struct error *err)
{
    static const char *const names[] = {"one", "two"};
    struct merge_options options = {.names = names, .dtype = "f32", .shard_bytes = 1000000000,
                                    .method = &combine_linear};

    CHECK(merge_open_models(merge, models, 2, &options, err) == 0);
    CHECK(!models[0].folder && !models[1].folder);
    if (err->code)
        printf("# %s\n", err->text);
    merge_set_weights(merge, weights);
}

static void open_model(struct model_folder *model, const char *path, struct error *err)
{
    CHECK(model_folder_open(model, path, NULL, false, err) == 0);
}

static double first_item(const struct checkpoint *weights, const char *name)
{
    const struct tensor *tensor = checkpoint_find(weights, name);
    struct error err = {0};
    float value = 0;

    CHECK(tensor && tensor->dtype == DTYPE_F32);
    if (tensor)
        CHECK(tensor_read(tensor, 7, 1, &value, &err) == 0);
    return value;
}

static double stored_item(const char *path, const char *name)
{
    struct model_folder model;
    struct notices notices = {0};
    struct error err = {0};
    const struct tensor *tensor;
    double value = 0;
    char bytes[8];

    open_model(&model, path, &err);
    tensor = checkpoint_find(model_folder_weights(&model, &notices, &err), name);
    CHECK(tensor && tensor_read(tensor, 7, 1, bytes, &err) == 0);
    if (tensor)
        dtype_to_double(tensor->dtype, bytes, &value, 1);
    model_folder_release(&model);
    notices_release(&notices);
    return value;
}

static void a_merge_is_an_input_of_another(void)
{
    static const char name[] = "model.layers.0.mlp.up_proj.weight";
    static const char *const paths[] = {"fixtures/decoder-base", "fixtures/decoder-arithmetic",
                                        "fixtures/decoder-tense"};
    struct error err = {0};
    struct model_folder inner_models[2], outer_models[2], result;
    struct merge inner, outer;
    double x[3], inner_value;

    for (size_t i = 0; i < 3; i++)
        x[i] = stored_item(paths[i], name);
    open_model(&inner_models[0], paths[0], &err);
    open_model(&inner_models[1], paths[1], &err);
    open_merge(&inner, inner_models, (double[]){0.25, 0.75}, &err);
    CHECK(merge_model_open(&outer_models[0], &inner, "stage", &err) == 0);
    CHECK(outer_models[0].name && strcmp(outer_models[0].name, "stage") == 0);
    open_model(&outer_models[1], paths[2], &err);
    open_merge(&outer, outer_models, (double[]){0.5, 0.5}, &err);
    CHECK(merge_model_open(&result, &outer, "result", &err) == 0);
    inner_value = (float)(0.25 * x[0] + 0.75 * x[1]);
    CHECK(first_item(outer.weights[0].items[0].checkpoint, name) == inner_value);
    CHECK(first_item(model_folder_weights(&result, &outer.notices, &err), name) ==
          (float)(0.5 * inner_value + 0.5 * x[2]));
    CHECK(strstr(result.config.text, "\"float32\""));
    model_folder_release(&result);
    merge_release(&outer);
    merge_release(&inner);
}

TESTS(TEST(a_merge_is_an_input_of_another))
