/* What files are, by their names. */
#include "base/model_files.h"

#include "test.h"

static void what_weights_are_called(void)
{
    static const char *const yes[] = {
        "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model.bin.index.json", "a.pt", "b.pth", "tf_model.h5",
        "flax_model.msgpack", "rust_model.ot", "model.onnx", "model.onnx_data", "q4.gguf",
        "consolidated.00.pth", "consolidated.safetensors",
    };
    static const char *const no[] = {"config.json", "tokenizer.json", "vocab.txt", "a.py", "bin",
                                     "tokenizer.model", "README.md", "merges.txt", "a.json"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        CHECK(model_files_is_weights(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        CHECK(!model_files_is_weights(no[i]));
}

static void what_is_no_part_of_the_model(void)
{
    CHECK(model_files_is_stale("optimizer.pt"));
    CHECK(model_files_is_stale("training_args.bin"));
    CHECK(model_files_is_stale(".gitattributes"));
    CHECK(model_files_is_stale("adapter_config.json"));
    CHECK(model_files_is_stale("checklist.chk"));
    CHECK(!model_files_is_stale("config.json"));
    CHECK(!model_files_is_stale("tokenizer.json"));
    CHECK(model_files_is_stale_folder("onnx"));
    CHECK(model_files_is_stale_folder("checkpoint-500"));
    CHECK(!model_files_is_stale_folder("1_Pooling"));
}

static void weights_of_a_directory_without_others(void)
{
    CHECK(model_files_is_lone_weights("colbert.pt"));
    CHECK(!model_files_is_lone_weights("colbert_linear.pt") &&
          model_files_is_head("colbert_linear.pt"));
    CHECK(!model_files_is_lone_weights("sparse_linear.pt") &&
          model_files_is_head("sparse_linear.pt"));
    CHECK(!model_files_is_head("model.pt"));
    CHECK(model_files_is_lone_weights("model.pth"));
    CHECK(!model_files_is_lone_weights("optimizer.pt"));
    CHECK(!model_files_is_lone_weights("consolidated.00.pth"));
    CHECK(!model_files_is_lone_weights("model.bin"));
}

static void numbered_files_have_a_number(void)
{
    char *path = model_files_numbered("a.b/consolidated.00.safetensors", 7);

    CHECK(strcmp(path, "a.b/consolidated.07.safetensors") == 0);
    free(path);
    CHECK(model_files_number("consolidated.00.pth") == 0);
    CHECK(model_files_number("consolidated.17.pt") == 17);
    CHECK(model_files_number("consolidated.09.safetensors") == 9);
    CHECK(model_files_number("consolidated.safetensors") == -1);
    CHECK(model_files_number("consolidated.1.pth") == -1);
    CHECK(model_files_number("consolidated.001.pth") == -1);
    CHECK(model_files_number("consolidated.00.json") == -1);
    CHECK(model_files_number("consolidated-00001-of-00002.safetensors") == -1);
    CHECK(model_files_number("") == -1);
}

TESTS(TEST(what_weights_are_called), TEST(what_is_no_part_of_the_model),
      TEST(weights_of_a_directory_without_others), TEST(numbered_files_have_a_number))
