/* test_megatron.c - what Megatron-LM's files hold beside tensors, and the rules that ranks follow.
 * What whole directories give stands in tests/cli/megatron*.sh. */
#include "arch/megatron.h"

#include "base/json.h"
#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "format/pickle.h"
#include "format/torchbin_nested.h"
#include "test.h"

/* ---- files ---- */

static struct checkpoint *read_file(const char *path, const char *root, cJSON **values,
                                    struct error *err)
{
    static const char *const wanted[] = {"args", "checkpoint_version", "iteration", "absent", NULL};
    struct checkpoint *checkpoint = memory_zalloc(1, sizeof *checkpoint);
    struct file *file = file_open(path, path, err);

    *values = NULL;
    CHECK(file != NULL);
    if (file) {
        checkpoint_add_file(checkpoint, file, path);
        if (torchbin_read_nested(checkpoint, 0, root, wanted, values, err))
            CHECK(!*values);
    }
    return checkpoint;
}

static const char switch_file[] =
    "fixtures/megatron/switch-ep2/iter_0000001/mp_rank_00_000/model_optim_rng.pt";

static void values_beside_tensors_are_data(void)
{
    struct error err = {0};
    cJSON *values;
    struct checkpoint *checkpoint = read_file(switch_file, "model", &values, &err);
    const cJSON *args = json_find(values, "args");

    CHECK(json_find(values, "checkpoint_version")->valuedouble == 3);
    CHECK(json_find(values, "iteration")->valuedouble == 1);
    CHECK(!json_find(values, "absent"));
    CHECK(json_find(args, "num_experts")->valuedouble == 4);
    CHECK(json_find(args, "norm_epsilon")->valuedouble == 1e-5);
    CHECK(json_find_bool(args, "group_query_attention") == 0);
    CHECK(json_find_bool(args, "bias_gelu_fusion") == 1);
    CHECK(cJSON_IsNull(cJSON_GetObjectItem(args, "virtual_pipeline_model_parallel_size")));
    CHECK_CONTAINS(json_find_string(args, "params_dtype"), "torch.float32");
    CHECK_CONTAINS(json_find_string(args, "model_type"), "megatron.core.enums.ModelType");
    CHECK_CONTAINS(json_find_string(args, "tokenizer_type"), "NullTokenizer");
    cJSON_Delete(values);
    checkpoint_close(checkpoint);
}

/* 5 before and behind the layers, and 10 and 4 for each of its two experts in each of two; the
 * tensors of rng_state are none. */
static void tensors_are_called_by_the_way_to_them(void)
{
    struct error err = {0};
    cJSON *values;
    struct checkpoint *checkpoint = read_file(switch_file, "model", &values, &err);
    const struct tensor *tensor =
        checkpoint_find(checkpoint, "model.language_model.embedding.word_embeddings.weight");

    CHECK(checkpoint->n_tensors == 4 + 2 * (9 + 2 * 4));
    CHECK(tensor && tensor->n_dims == 2 && tensor->shape[0] == 60 && tensor->shape[1] == 24);
    CHECK(checkpoint_find(checkpoint, "model.language_model.encoder.layers.1.mlp.local_experts.1."
                                      "dense_4h_to_h.bias"));
    cJSON_Delete(values);
    checkpoint_close(checkpoint);
}

static void only_the_root_is_walked_through(void)
{
    struct error err = {0};
    cJSON *values;
    struct checkpoint *checkpoint = read_file(switch_file, "mode", &values, &err);

    CHECK(values && checkpoint->n_tensors == 0 && !err.code);
    cJSON_Delete(values);
    checkpoint_close(checkpoint);
}

/* ---- records ---- */

static const struct pickle_global names[] = {
    {"argparse", "Namespace", PICKLE_GIVES_RECORD, NULL, 0, 0},
    {"_io", "BytesIO", PICKLE_GIVES_OPAQUE, NULL, 0, 0},
    {"torch", "Size", PICKLE_GIVES_OBJECT, NULL, 0, 0},
};

#define RECORD "\x80\2cargparse\nNamespace\n)\x81"
#define OPAQUE "\x80\2c_io\nBytesIO\n)\x81"

static int load(struct pickle *pickle, const char *bytes, size_t size, struct error *err)
{
    static const struct pickle_rules rules = {names, sizeof names / sizeof *names, NULL, NULL};

    return pickle_load(pickle, &rules, bytes, size, 0, err);
}

#define LOAD(pickle, bytes, err) load(pickle, bytes, sizeof(bytes) - 1, err)

static void attributes_become_items(void)
{
    struct error err = {0};
    struct pickle pickle;
    const struct pickle_value *value;

    CHECK(LOAD(&pickle, RECORD "}(U\1aK\5U\1bNub.", &err) == 0);
    CHECK(pickle.result.kind == PICKLE_DICT && pickle.result.node->n_items == 4);
    value = pickle_find(pickle.result.node, "a");
    CHECK(value && value->kind == PICKLE_INTEGER && value->integer == 5);
    pickle_release(&pickle);
    CHECK(LOAD(&pickle, RECORD ".", &err) == 0); /* none at all */
    CHECK(pickle.result.kind == PICKLE_DICT && pickle.result.node->n_items == 0);
    pickle_release(&pickle);
}

static void what_is_opaque_takes_any_state(void)
{
    struct error err = {0};
    struct pickle pickle;

    CHECK(LOAD(&pickle, OPAQUE "K\5b.", &err) == 0);
    CHECK(pickle.result.kind == PICKLE_OBJECT && pickle.result.node->n_items == 0);
    pickle_release(&pickle);
}

static void other_states_are_refused(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } rows[] = {
#define ROW(bytes, text) {bytes, sizeof(bytes) - 1, text}
        ROW(RECORD "K\5b.", "the state of argparse.Namespace is not a dictionary"),
        ROW(RECORD RECORD "b.", "is not a dictionary"),
        ROW(RECORD "}U\1aK\5sb}U\1aK\6sb.", "argparse.Namespace gets a second state"),
        ROW("\x80\2cargparse\nNamespace\nK\1\x85\x81.", "got 1 arguments, more than 0"),
        ROW("\x80\2ctorch\nSize\n)\x85R}b.", "what it builds on takes no state"),
        ROW("\x80\2}}b.", "what it builds on takes no state"),
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct pickle pickle;

        CHECK(load(&pickle, rows[i].bytes, rows[i].size, &err) == -1);
        CHECK(err.code == ERROR_FORMAT);
        CHECK_CONTAINS(err.text, rows[i].text);
        pickle_release(&pickle);
    }
}

/* ---- rules ---- */

static void check_rules(struct megatron megatron, bool fits, const char *sentence)
{
    struct buffer text = {0};

    CHECK(megatron_fits_rules(&megatron, &text) == fits);
    CHECK_CONTAINS(text.data, sentence);
    buffer_release(&text);
}

static const struct megatron one = {
    .n_tensor = 1, .n_stages = 1, .n_chunks = 1, .n_expert = 1, .n_data = 1, .n_context = 1,
    .n_world = 1, .n_experts = 8,
};

static struct megatron ranks(size_t n_tensor, size_t n_expert, size_t n_data,
                             size_t n_expert_tensor)
{
    struct megatron megatron = one;

    megatron.n_tensor = n_tensor;
    megatron.n_expert = n_expert;
    megatron.n_data = n_data;
    megatron.n_expert_tensor = n_expert_tensor;
    megatron.n_world = n_tensor * n_data;
    return megatron;
}

static void experts_were_cut_out_of_data_parallel_ranks(void)
{
    struct megatron parallel = ranks(2, 4, 4, 0);

    check_rules(one, true, "8 experts are EP 1 * 8; DP 1 is a multiple of EP 1");
    check_rules(ranks(1, 4, 8, 0), true, "8 experts are EP 4 * 2; DP 8 is a multiple of EP 4");
    check_rules(ranks(1, 4, 6, 0), false, "DP 6 is no multiple of EP 4: groups of expert");
    check_rules(parallel, false, "sequence_parallel is false, but with TP 2 and EP 4");
    parallel.is_sequence_parallel = true;
    check_rules(parallel, true, "DP 4 is a multiple of EP 4");
    check_rules(ranks(2, 1, 2, 0), true, "DP 2 is a multiple of EP 1");
}

static void experts_have_a_grid_of_their_own(void)
{
    check_rules(ranks(2, 4, 2, 1), true, "world_size 4 is a multiple of ETP 1 * EP 4 * PP 1");
    check_rules(ranks(2, 4, 2, 2), false, "world_size 4 is no multiple of ETP 2 * EP 4 * PP 1");
}

static void all_processes_are_counted(void)
{
    struct megatron dense = ranks(2, 1, 3, 0);

    dense.n_experts = 0;
    check_rules(dense, true, "world_size 6 is TP 2 * PP 1 * CP 1 * DP 3");
    dense.n_world = 8;
    check_rules(dense, false, "world_size 8 is not TP 2 * PP 1 * CP 1 * DP 3");
}

TESTS(TEST(values_beside_tensors_are_data), TEST(tensors_are_called_by_the_way_to_them),
      TEST(only_the_root_is_walked_through), TEST(attributes_become_items),
      TEST(what_is_opaque_takes_any_state), TEST(other_states_are_refused),
      TEST(experts_were_cut_out_of_data_parallel_ranks),
      TEST(experts_have_a_grid_of_their_own), TEST(all_processes_are_counted))
