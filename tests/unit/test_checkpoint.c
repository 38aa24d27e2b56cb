/* test_checkpoint.c - which files of a directory are its weights, and reading values from them. */
#include "format/checkpoint.h"

#include "base/memory.h"
#include "format/checkpoint_reader.h"
#include "scratch.h"

static struct checkpoint *open_valid(const char *name, const char *file, const char *notice)
{
    struct error err = {0};
    struct notices notices = {0};
    struct checkpoint *checkpoint = scratch_open(name, file, &notices, &err);

    if (!checkpoint)
        printf("# %s\n", err.text);
    CHECK(checkpoint);
    CHECK(notices.n_texts == (notice != NULL));
    if (notice && notices.n_texts)
        CHECK_CONTAINS(notices.texts[0], notice);
    notices_release(&notices);
    return checkpoint;
}

static void check_refused(const char *name, const char *file, enum error_code code,
                          const char *part)
{
    struct error err = {0};
    struct notices notices = {0};
    struct checkpoint *checkpoint = scratch_open(name, file, &notices, &err);

    CHECK(!checkpoint && err.code == code);
    CHECK_CONTAINS(err.text, part);
    checkpoint_close(checkpoint);
    notices_release(&notices);
}

/* The whole file `from` of fixtures/, copied to the scratch directory. */
static void copy_fixture(const char *from, const char *to)
{
    FILE *file = fopen(from, "rb");
    struct buffer bytes = {0};
    char part[4096];
    size_t got;

    scratch_must(file != NULL, "open", from);
    while ((got = fread(part, 1, sizeof part, file)) > 0)
        buffer_add(&bytes, part, got);
    fclose(file);
    scratch_write(to, bytes.data, bytes.size);
    buffer_release(&bytes);
}

static bool has(const struct checkpoint *checkpoint, const char *tensor)
{
    return checkpoint && checkpoint_find(checkpoint, tensor);
}

/* ---- precedence ---- */

/* Everything at once; each step takes away what won before. */
static void weights_are_looked_for_in_the_order_of_transformers(void)
{
    struct checkpoint *checkpoint;

    SAFETENSORS("order/model.safetensors", TENSOR("whole", DTYPE_F32, 1, 2));
    SAFETENSORS("order/model-00001-of-00001.safetensors", TENSOR("shard", DTYPE_F32, 1, 2));
    scratch_text("order/model.safetensors.index.json",
                 "{\"weight_map\":{\"shard\":\"model-00001-of-00001.safetensors\"}}");
    copy_fixture("fixtures/torchbin/plain.bin", "order/pytorch_model.bin");
    copy_fixture("fixtures/torchbin/plain.bin", "order/pytorch_model-00001-of-00001.bin");
    copy_fixture("fixtures/torchbin/plain.bin", "order/lone.pt");

    checkpoint = open_valid("order", NULL, NULL);
    CHECK(has(checkpoint, "whole") && !has(checkpoint, "shard"));
    CHECK(checkpoint && checkpoint->n_files == 1 && !checkpoint->index);
    CHECK(checkpoint && strcmp(checkpoint->files[0].name, "model.safetensors") == 0);
    checkpoint_close(checkpoint);

    unlink(scratch_path("order/model.safetensors"));
    checkpoint = open_valid("order", NULL, NULL);
    CHECK(has(checkpoint, "shard"));
    CHECK(checkpoint && strcmp(checkpoint->index, "model.safetensors.index.json") == 0);
    CHECK(checkpoint &&
          strcmp(checkpoint->files[0].name, "model-00001-of-00001.safetensors") == 0);

    unlink(scratch_path("order/model.safetensors.index.json"));
    {
        struct checkpoint *bin = open_valid("order", NULL, NULL);
        struct buffer index = {0};

        CHECK(bin && strcmp(bin->files[0].name, "pytorch_model.bin") == 0 && bin->n_tensors);
        buffer_format(&index, "{\"weight_map\":{\"%s\":\"pytorch_model-00001-of-00001.bin\"}}",
                      bin ? bin->tensors[0].name : "");
        scratch_text("order/pytorch_model.bin.index.json", index.data);
        buffer_release(&index);
        checkpoint_close(bin);
    }
    checkpoint_close(checkpoint);

    unlink(scratch_path("order/pytorch_model.bin"));
    checkpoint = open_valid("order", NULL, "the index does not name");
    CHECK(checkpoint && strcmp(checkpoint->index, "pytorch_model.bin.index.json") == 0);
    CHECK(checkpoint && checkpoint->n_tensors == 1);
    checkpoint_close(checkpoint);

    unlink(scratch_path("order/pytorch_model.bin.index.json"));
    checkpoint = open_valid("order", NULL, NULL);
    CHECK(checkpoint && strcmp(checkpoint->files[0].name, "lone.pt") == 0);
    checkpoint_close(checkpoint);

    unlink(scratch_path("order/lone.pt"));
    check_refused("order", NULL, ERROR_FORMAT, "no weights");
}

static void the_first_that_is_there_counts_even_when_it_is_bad(void)
{
    scratch_text("bad-first/model.safetensors", "not safetensors at all");
    copy_fixture("fixtures/torchbin/plain.bin", "bad-first/pytorch_model.bin");
    check_refused("bad-first", NULL, ERROR_FORMAT, "model.safetensors");
}

static void a_single_pt_file_is_read_but_not_the_state_of_a_training_run(void)
{
    struct checkpoint *checkpoint;

    copy_fixture("fixtures/torchbin/plain.bin", "lone/model.pth");
    scratch_text("lone/optimizer.pt", "x");
    scratch_text("lone/scheduler.pt", "x");
    scratch_text("lone/rng_state_0.pth", "x");
    scratch_text("lone/scaler.pt", "x");
    scratch_text("lone/notes.txt", "x");
    checkpoint = open_valid("lone", NULL, NULL);
    CHECK(checkpoint && strcmp(checkpoint->files[0].name, "model.pth") == 0);
    checkpoint_close(checkpoint);
}

static void of_two_pt_files_none_is_guessed(void)
{
    struct checkpoint *checkpoint;

    copy_fixture("fixtures/torchbin/plain.bin", "two/a.pt");
    copy_fixture("fixtures/torchbin/plain.bin", "two/b.pth");
    check_refused("two", NULL, ERROR_FORMAT, "'a.pt' and 'b.pth'");
    checkpoint = open_valid("two", "b.pth", NULL);
    CHECK(checkpoint && strcmp(checkpoint->files[0].name, "b.pth") == 0);
    checkpoint_close(checkpoint);
}

static void an_empty_directory_says_what_was_looked_for(void)
{
    scratch_folder("none");
    check_refused("none", NULL, ERROR_FORMAT, "model.safetensors");
    check_refused("none", NULL, ERROR_FORMAT, "*.pt");
}

static void whether_there_are_weights_is_told_without_reading_them(void)
{
    struct error err = {0};
    struct folder *folder;
    bool is_there;

    scratch_text("look/model.safetensors", "whatever");
    scratch_text("look/sub/pytorch_model.bin.index.json", "whatever");
    scratch_text("look/none/config.json", "{}");
    scratch_text("look/two/a.pt", "x");
    scratch_text("look/two/b.pt", "x");
    folder = folder_open(scratch_path("look"), false, &err);
    CHECK(folder && checkpoint_look(folder, "", &is_there, &err) == 0 && is_there);
    CHECK(folder && checkpoint_look(folder, "sub", &is_there, &err) == 0 && is_there);
    CHECK(folder && checkpoint_look(folder, "none", &is_there, &err) == 0 && !is_there);
    CHECK(folder && checkpoint_look(folder, "two", &is_there, &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    folder_close(folder);
}

/* ---- one file ---- */

static void a_file_may_be_named(void)
{
    struct checkpoint *checkpoint;

    SAFETENSORS("file/other.safetensors", TENSOR("other", DTYPE_F32, 1, 2));
    SAFETENSORS("file/model.safetensors", TENSOR("whole", DTYPE_F32, 1, 2));
    checkpoint = open_valid("file", "other.safetensors", NULL);
    CHECK(has(checkpoint, "other") && checkpoint->n_tensors == 1 && !checkpoint->index);
    checkpoint_close(checkpoint);
}

static void other_files_are_refused_by_name_and_content(void)
{
    scratch_text("other/model.onnx", "x");
    scratch_text("other/notes", "x");
    scratch_text("other/model.gguf", "GGUF....");
    scratch_text("other/gguf.safetensors", "GGUF....");
    scratch_text("other/lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid x\n");
    scratch_text("other/html.bin", "<html>not found</html>");
    scratch_text("other/model.safetensors.index.json", "{\"weight_map\":{}}");
    check_refused("other", "model.onnx", ERROR_UNSUPPORTED, "model.onnx");
    check_refused("other", "notes", ERROR_UNSUPPORTED, "notes");
    check_refused("other", "model.gguf", ERROR_UNSUPPORTED, "GGUF");
    check_refused("other", "gguf.safetensors", ERROR_FORMAT, "call it .gguf");
    check_refused("other", "lfs.safetensors", ERROR_FORMAT, "git lfs pull");
    check_refused("other", "html.bin", ERROR_FORMAT, "html.bin");
    check_refused("other", "absent.safetensors", ERROR_FORMAT, "no such file");
    check_refused("other", NULL, ERROR_FORMAT, "weight_map is empty");
}

static void a_file_without_tensors_is_no_checkpoint(void)
{
    scratch_safetensors("empty/model.safetensors", NULL, 0);
    check_refused("empty", NULL, ERROR_FORMAT, "no tensors");
}

/* ---- shards ---- */

static void shards_are_one_checkpoint(void)
{
    struct checkpoint *checkpoint;
    struct error err = {0};
    float values[3];

    SAFETENSORS("shards/a.safetensors", TENSOR("one", DTYPE_F32, 1, 3),
                TENSOR("two", DTYPE_F32, 4, 3));
    SAFETENSORS("shards/b.safetensors", TENSOR("three", DTYPE_F32, 7, 3));
    scratch_text("shards/model.safetensors.index.json",
                 "{\"metadata\":{\"total_size\":36},\"weight_map\":{\"three\":\"b.safetensors\","
                 "\"one\":\"a.safetensors\",\"two\":\"a.safetensors\"},\"more\":[1]}");
    checkpoint = open_valid("shards", NULL, NULL);
    CHECK(checkpoint && checkpoint->n_files == 2 && checkpoint->n_tensors == 3);
    CHECK(checkpoint && checkpoint->n_unmapped == 0);
    CHECK(has(checkpoint, "three") &&
          tensor_read(checkpoint_find(checkpoint, "three"), 0, 3, values, &err) ==
              0 && values[0] == 7 && values[2] == 9);
    CHECK(has(checkpoint, "two") &&
          tensor_read(checkpoint_find(checkpoint, "two"), 1, 2, values,
                          &err) == 0 &&
          values[0] == 5 && values[1] == 6);
    /* One "format" of two shards. */
    CHECK(checkpoint && checkpoint->n_metadata == 1);
    checkpoint_close(checkpoint);
}

static void reopened_it_has_the_same_files_and_other_tensors(void)
{
    struct checkpoint *first, *again;
    struct error err = {0};
    struct tensor *other;
    float value = 0;

    SAFETENSORS("reopened/model.safetensors", TENSOR("x", DTYPE_F32, 3, 4));
    first = open_valid("reopened", NULL, NULL);
    if (!first)
        return;
    again = checkpoint_reopen(first);
    CHECK(again->n_files == 1 && again->files[0].file == first->files[0].file);
    CHECK(has(again, "x") && again->n_tensors == 1);
    checkpoint_close(again);

    again = checkpoint_reopen(first);
    other = memory_zalloc(1, sizeof *other);
    *other = first->tensors[0];
    other->name = "y";
    CHECK(checkpoint_replace_tensors(again, other, 1, &err) == 0);
    CHECK(has(again, "y") && !has(again, "x") && has(first, "x") && !has(first, "y"));
    checkpoint_close(again);
    CHECK(tensor_read(&first->tensors[0], 2, 1, &value, &err) == 0 && value == 5);
    checkpoint_close(first);
}

static void tensors_that_the_index_does_not_name_are_left_out_with_a_notice(void)
{
    struct checkpoint *checkpoint;
    struct error err = {0};
    float values[2];

    SAFETENSORS("unmapped/a.safetensors", TENSOR("one", DTYPE_F32, 1, 2),
                TENSOR("extra", DTYPE_F32, 1, 2), TENSOR("two", DTYPE_F32, 100, 2));
    SAFETENSORS("unmapped/b.safetensors", TENSOR("two", DTYPE_F32, 3, 2));
    scratch_text("unmapped/model.safetensors.index.json",
                 "{\"weight_map\":{\"one\":\"a.safetensors\",\"two\":\"b.safetensors\"}}");
    checkpoint = open_valid("unmapped", NULL, "2 tensors");
    CHECK(checkpoint && checkpoint->n_tensors == 2 && checkpoint->n_unmapped == 2);
    CHECK(!has(checkpoint, "extra"));
    /* "two" is what the file that the index names for it holds. */
    CHECK(has(checkpoint, "two") &&
          tensor_read(checkpoint_find(checkpoint, "two"), 0, 2, values,
                          &err) == 0 &&
          values[0] == 3);
    checkpoint_close(checkpoint);
}

static void shards_lie_beside_their_index(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct folder *folder;
    struct checkpoint *checkpoint;

    SAFETENSORS("below/0_Transformer/a.safetensors", TENSOR("one", DTYPE_F32, 1, 2));
    scratch_text("below/0_Transformer/model.safetensors.index.json",
                 "{\"weight_map\":{\"one\":\"a.safetensors\"}}");
    folder = folder_open(scratch_path("below"), false, &err);
    checkpoint = folder ? checkpoint_open(folder, "0_Transformer", NULL, &notices, &err) : NULL;
    CHECK(has(checkpoint, "one"));
    CHECK(checkpoint && strcmp(checkpoint->files[0].name, "0_Transformer/a.safetensors") == 0);
    CHECK(checkpoint &&
          strcmp(checkpoint->index, "0_Transformer/model.safetensors.index.json") == 0);
    checkpoint_close(checkpoint);
    folder_close(folder);
}

/* ---- values ---- */

/* fixtures/make_torchbin.py: item i of a float tensor is (3 i - 4) / 2; a view shows items of its
 * storage in its own order. Here: any range read at once equals its items read one by one. */
static void a_range_of_a_strided_tensor_equals_its_items(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct folder *folder = folder_open("fixtures/torchbin", false, &err);
    struct checkpoint *checkpoint =
        folder ? checkpoint_open(folder, "", "views.bin", &notices, &err) : NULL;
    size_t n_strided = 0;

    CHECK(checkpoint);
    for (size_t t = 0; checkpoint && t < checkpoint->n_tensors; t++) {
        const struct tensor *tensor = &checkpoint->tensors[t];
        size_t item_bytes = dtype_info(tensor->dtype)->n_bits / 8, n_wrong = 0;
        char *items = memory_alloc(tensor->size_bytes), *range = memory_alloc(tensor->size_bytes);

        n_strided += tensor->strides != NULL;
        for (size_t i = 0; i < tensor->n_items; i++)
            CHECK(tensor_read(tensor, i, 1, items + i * item_bytes, &err) == 0);
        for (size_t first = 0; first < tensor->n_items; first++)
            for (size_t n = 0; n <= tensor->n_items - first; n++)
                n_wrong += tensor_read(tensor, first, n, range, &err) != 0 ||
                           memcmp(range, items + first * item_bytes, n * item_bytes) != 0;
        CHECK(n_wrong == 0);
        free(items);
        free(range);
    }
    CHECK(n_strided > 0);
    checkpoint_close(checkpoint);
    folder_close(folder);
    notices_release(&notices);
}

/* A view is only a description: here of bytes 0, 1, 2 … of a plain tensor. */
static void a_view_with_gaps_is_gathered(void)
{
    static const struct {
        size_t n_dims, shape[3], strides[3], offset;
    } views[] = {
        {2, {3, 4}, {10, 1}, 5},     /* columns of a wider matrix */
        {2, {4, 3}, {1, 4}, 0},      /* transposed */
        {2, {3, 4}, {0, 1}, 7},      /* one row three times */
        {2, {3, 4}, {4, 0}, 7},
        {1, {9}, {11}, 0},           /* every eleventh */
        {3, {2, 3, 4}, {50, 10, 2}, 3},
        {3, {2, 3, 4}, {4, 20, 1}, 30},
    };
    struct error err = {0};
    struct checkpoint *checkpoint;

    SAFETENSORS("views/model.safetensors", TENSOR("x", DTYPE_U8, 0, 100));
    checkpoint = open_valid("views", NULL, NULL);
    for (size_t v = 0; checkpoint && v < sizeof views / sizeof *views; v++) {
        struct tensor view = {.name = "view", .dtype = DTYPE_U8, .n_dims = views[v].n_dims,
                              .shape = views[v].shape, .strides = views[v].strides,
                              .source = checkpoint->tensors[0].source,
                              .offset = checkpoint->tensors[0].offset + views[v].offset};
        unsigned char expected[24], found[24];
        size_t n_wrong = 0;

        CHECK(tensor_measure(&view, &err) == 0);
        for (size_t i = 0; i < view.n_items; i++) {
            size_t rest = i, place = views[v].offset;

            for (size_t d = view.n_dims; d > 0; rest /= view.shape[--d])
                place += rest % view.shape[d - 1] * view.strides[d - 1];
            expected[i] = (unsigned char)place;
        }
        for (size_t first = 0; first < view.n_items; first++)
            for (size_t n = 0; n <= view.n_items - first; n++)
                n_wrong += tensor_read(&view, first, n, found, &err) != 0 ||
                           memcmp(found, expected + first, n) != 0;
        CHECK(n_wrong == 0);
    }
    checkpoint_close(checkpoint);
}

/* The same model stored in three ways gives the same values. */
static void zip_and_legacy_files_hold_what_safetensors_holds(void)
{
    static const char *const pairs[][2] = {{"fixtures/encoder-bin", "fixtures/encoder-parts"},
                                           {"fixtures/reranker-legacy", "fixtures/reranker-routes"},
                                           {"fixtures/decoder-sharded", "fixtures/decoder-tense"}};

    for (size_t p = 0; p < 3; p++) {
        struct error err = {0};
        struct notices notices = {0};
        struct folder *folders[2] = {folder_open(pairs[p][0], false, &err),
                                     folder_open(pairs[p][1], false, &err)};
        struct checkpoint *a = folders[0] ? checkpoint_open(folders[0], "", NULL, &notices, &err)
                                          : NULL;
        struct checkpoint *b = folders[1] ? checkpoint_open(folders[1], "", NULL, &notices, &err)
                                          : NULL;
        size_t n_compared = 0;

        for (size_t i = 0; a && b && i < a->n_tensors; i++) {
            const struct tensor *x = &a->tensors[i], *y = checkpoint_find(b, x->name);
            char *bytes[2];

            if (!y)
                continue;
            CHECK(x->dtype == y->dtype && tensor_same_shape(x, y));
            bytes[0] = memory_alloc(x->size_bytes);
            bytes[1] = memory_alloc(y->size_bytes);
            CHECK(tensor_read(x, 0, x->n_items, bytes[0], &err) == 0);
            CHECK(tensor_read(y, 0, y->n_items, bytes[1], &err) == 0);
            CHECK(x->size_bytes == y->size_bytes && memcmp(bytes[0], bytes[1], x->size_bytes) == 0);
            free(bytes[0]);
            free(bytes[1]);
            n_compared++;
        }
        CHECK(b && n_compared == b->n_tensors);
        checkpoint_close(a);
        checkpoint_close(b);
        folder_close(folders[0]);
        folder_close(folders[1]);
        notices_release(&notices);
    }
}

TESTS(TEST(weights_are_looked_for_in_the_order_of_transformers),
      TEST(the_first_that_is_there_counts_even_when_it_is_bad),
      TEST(a_single_pt_file_is_read_but_not_the_state_of_a_training_run),
      TEST(of_two_pt_files_none_is_guessed), TEST(an_empty_directory_says_what_was_looked_for),
      TEST(whether_there_are_weights_is_told_without_reading_them), TEST(a_file_may_be_named),
      TEST(other_files_are_refused_by_name_and_content),
      TEST(a_file_without_tensors_is_no_checkpoint),
      TEST(shards_are_one_checkpoint),
      TEST(reopened_it_has_the_same_files_and_other_tensors),
      TEST(tensors_that_the_index_does_not_name_are_left_out_with_a_notice),
      TEST(shards_lie_beside_their_index), TEST(a_view_with_gaps_is_gathered),
      TEST(a_range_of_a_strided_tensor_equals_its_items),
      TEST(zip_and_legacy_files_hold_what_safetensors_holds))
