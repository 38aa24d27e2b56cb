#include "arch/llama_files.h"

#include "scratch.h"

struct made {
    struct config config;
    struct checkpoint *checkpoint;
};

/* One file of weights, whose queries have so many rows, beside params.json. */
static struct made make(const char *vocab_size, size_t n_rows)
{
    struct made made = {.checkpoint = NULL};
    struct error err = {0};
    struct folder *folder;
    char *text = memory_format("{\"dim\":4,\"n_layers\":1,\"n_heads\":2,\"vocab_size\":%s,"
                               "\"multiple_of\":4,\"norm_eps\":1e-5}", vocab_size);

    scratch_text("own/params.json", text);
    SAFETENSORS("own/consolidated.00.safetensors",
                TENSOR("layers.0.attention.wq.weight", DTYPE_F32, 0, n_rows, 4),
                TENSOR("tok_embeddings.weight", DTYPE_F32, 0, 7, 4));
    folder = folder_open(scratch_path("own"), false, &err);
    CHECK(config_load(&made.config, folder, "", true, &err) == 0);
    folder_close(folder);
    made.checkpoint = scratch_open("own", NULL, NULL, &err);
    CHECK(made.checkpoint != NULL);
    free(text);
    return made;
}

static void end(struct made *made)
{
    checkpoint_close(made->checkpoint);
    config_release(&made->config);
}

static void a_last_file_that_is_missing_is_named(void)
{
    struct made made = make("7", 2);
    struct error err = {0};

    CHECK(llama_files_check(made.checkpoint, &made.config, "own", &err) == -1);
    CHECK(err.code == ERROR_FORMAT);
    CHECK(strstr(err.text, "'own/consolidated.01.safetensors' is missing") != NULL);
    end(&made);
    made = make("7", 4);
    CHECK(llama_files_check(made.checkpoint, &made.config, "own", &err) == 0);
    made.config.is_consolidated = false; /* another's file of that name */
    CHECK(llama_files_check(made.checkpoint, &made.config, "own", &err) == 0);
    end(&made);
}

static void the_number_of_tokens_is_that_of_the_embedding(void)
{
    struct made made = make("-1", 4);

    CHECK(llama_files_lack_vocab_size(&made.config));
    llama_files_read_vocab_size(made.checkpoint, &made.config);
    CHECK(!llama_files_lack_vocab_size(&made.config));
    CHECK(json_find(made.config.json, "vocab_size")->valuedouble == 7);
    end(&made);
    made = make("7", 4);
    CHECK(!llama_files_lack_vocab_size(&made.config));
    end(&made);
}

TESTS(TEST(a_last_file_that_is_missing_is_named),
      TEST(the_number_of_tokens_is_that_of_the_embedding))
