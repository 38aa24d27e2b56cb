/* Which files of a repository are fetched, and which names are refused. */
#include "hub/hub_choose.h"

#include "base/memory.h"
#include "test.h"

struct repository {
    struct hub_listing listing;
    const char *texts[8][2]; /* path, content: for those that are read; NULL ends */
};

/* "a b c": files by these names, 10 bytes each. */
static void fill(struct hub_listing *listing, const char *names)
{
    struct error err = {0};

    *listing = (struct hub_listing){0};
    while (*names) {
        size_t n = strcspn(names, " ");

        hub_listing_add(listing, &(struct hub_file){.path = memory_format("%.*s", (int)n, names),
                                                    .size_bytes = 10});
        names += n + (names[n] == ' ');
    }
    CHECK(hub_listing_finish(listing, &err) == 0);
}

static int read_text(void *context, const struct hub_file *file, struct buffer *out,
                     struct error *err)
{
    const struct repository *repository = context;

    for (size_t i = 0; repository->texts[i][0]; i++)
        if (strcmp(repository->texts[i][0], file->path) == 0) {
            buffer_add_text(out, repository->texts[i][1]);
            return 0;
        }
    return error_set(err, ERROR_NETWORK, "'%s' should not be read", file->path);
}

static int choose(struct repository *repository, enum hub_need need, const char *pattern,
                  struct error *err)
{
    struct hub_wish wish = {need, &pattern, pattern != NULL, read_text, repository};

    *err = (struct error){0};
    return hub_choose(&repository->listing, &wish, err);
}

/* What is chosen of the files `names`: "a b", weights behind the texts. */
static bool chooses(struct repository *repository, const char *names, enum hub_need need,
                    const char *pattern, const char *expected)
{
    struct buffer chosen = {0};
    struct error err;
    bool same;

    fill(&repository->listing, names);
    buffer_add_text(&chosen, "");
    if (choose(repository, need, pattern, &err))
        buffer_add_text(&chosen, err.text);
    for (int use = HUB_TEXT; use <= HUB_WEIGHTS; use++)
        for (size_t i = 0; !err.code && i < repository->listing.n_files; i++)
            if ((int)repository->listing.files[i].use == use)
                buffer_format(&chosen, "%s%s", chosen.size ? " " : "",
                              repository->listing.files[i].path);
    same = strcmp(chosen.data, expected) == 0;
    if (!same)
        printf("# '%s', not '%s'\n", chosen.data, expected);
    buffer_release(&chosen);
    hub_listing_release(&repository->listing);
    return same;
}

static bool model_is(const char *names, const char *expected)
{
    struct repository repository = {0};

    return chooses(&repository, names, HUB_NEED_MODEL, NULL, expected);
}

static void one_kind_of_weights(void)
{
    CHECK(model_is("config.json model.safetensors pytorch_model.bin tf_model.h5 flax_model.msgpack",
                   "config.json model.safetensors"));
    CHECK(model_is("config.json pytorch_model.bin rust_model.ot", "config.json pytorch_model.bin"));
    CHECK(model_is("config.json model.pth colbert.onnx", "config.json model.pth"));
    CHECK(model_is("config.json a.pt b.pt", "config.json"));
    CHECK(model_is("config.json pytorch_model.bin colbert_linear.pt sparse_linear.pt",
                   "config.json colbert_linear.pt pytorch_model.bin sparse_linear.pt"));
    CHECK(model_is("colbert_linear.pt config.json model.pt", "config.json colbert_linear.pt model.pt"));
    CHECK(model_is("config.json colbert_linear.pt", "config.json"));
    CHECK(model_is("config.json model.safetensors other_head.pt", "config.json model.safetensors"));
    CHECK(model_is("config.json q4.gguf other.safetensors", "config.json"));
}

static void texts_in_any_folder(void)
{
    CHECK(model_is("1_Pooling/config.json LICENSE README.md added.txt chat.jinja code/a.py "
                   "image.png model.safetensors notes.pdf spiece.model vocab.tiktoken x/LICENSE",
                   "1_Pooling/config.json LICENSE README.md added.txt chat.jinja code/a.py "
                   "spiece.model vocab.tiktoken x/LICENSE model.safetensors"));
}

static void nothing_that_mix_would_leave_out(void)
{
    CHECK(model_is(".gitattributes checkpoint-500/config.json config.json model.safetensors "
                   "onnx/config.json onnx/model.onnx openvino/x.json optimizer.pt "
                   "original/params.json trainer_state.json training_args.bin "
                   "adapter_config.json model.safetensors.index.json",
                   "config.json model.safetensors"));
}

static void mistral_files_only_where_there_are_no_others(void)
{
    CHECK(model_is("config.json consolidated.safetensors model.safetensors params.json",
                   "config.json params.json model.safetensors"));
    CHECK(model_is("consolidated.safetensors params.json tekken.json",
                   "params.json tekken.json consolidated.safetensors"));
    CHECK(model_is("consolidated.00.safetensors consolidated.01.safetensors params.json",
                   "params.json consolidated.00.safetensors consolidated.01.safetensors"));
    /* That one is missing, who reads them says. */
    CHECK(model_is("consolidated.00.pt consolidated.02.pt params.json",
                   "params.json consolidated.00.pt consolidated.02.pt"));
    CHECK(model_is("consolidated.00.pth consolidated.01.pth params.json",
                   "params.json consolidated.00.pth consolidated.01.pth"));
}

static void an_index_says_which_shards(void)
{
    struct repository repository = {
        .texts = {{"model.safetensors.index.json",
                   "{\"metadata\":{\"x\":[1]},\"weight_map\":{\"a\":\"m-1.safetensors\","
                   "\"b\":\"m-2.safetensors\",\"c\":\"m-1.safetensors\"}}"}},
    };
    static const char names[] = "config.json m-1.safetensors m-2.safetensors m-3.safetensors "
                                "model.safetensors.index.json pytorch_model.bin";
    struct error err;

    CHECK(chooses(&repository, names, HUB_NEED_MODEL, NULL,
                  "config.json m-1.safetensors m-2.safetensors model.safetensors.index.json"));
    CHECK(chooses(&repository, names, HUB_NEED_TEXTS, NULL, "config.json"));
    fill(&repository.listing, "m-1.safetensors model.safetensors.index.json");
    CHECK(choose(&repository, HUB_NEED_MODEL, NULL, &err) == -1 && err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "'model.safetensors.index.json': shard 'm-2.safetensors' is not there");
    hub_listing_release(&repository.listing);
}

static void modules_have_weights_of_their_own(void)
{
    struct repository repository = {
        .texts = {{"modules.json", "[{\"idx\":0,\"path\":\"\"},{\"path\":\"1_Pooling\"},"
                                   "{\"path\":\"2_Dense\",\"type\":[]},{}]"}},
    };

    CHECK(chooses(&repository,
                  "1_Pooling/config.json 2_Dense/config.json 2_Dense/model.safetensors "
                  "2_Dense/pytorch_model.bin 3_Dense/model.safetensors config.json "
                  "model.safetensors modules.json pytorch_model.bin",
                  HUB_NEED_MODEL, NULL,
                  "1_Pooling/config.json 2_Dense/config.json config.json modules.json "
                  "2_Dense/model.safetensors model.safetensors"));
    CHECK(model_is("0_Transformer/config.json 0_Transformer/pytorch_model.bin",
                   "0_Transformer/config.json 0_Transformer/pytorch_model.bin"));
}

static void patterns_replace_the_choice(void)
{
    struct repository repository = {0};
    static const char names[] = "a.json onnx/deep/model.onnx onnx/x.json tf_model.h5";
    struct error err;

    CHECK(chooses(&repository, names, HUB_NEED_MODEL, "onnx/*",
                  "onnx/x.json onnx/deep/model.onnx"));
    CHECK(chooses(&repository, names, HUB_NEED_MODEL, "onnx/",
                  "onnx/x.json onnx/deep/model.onnx"));
    CHECK(chooses(&repository, names, HUB_NEED_MODEL, "*.json", "a.json onnx/x.json"));
    CHECK(chooses(&repository, names, HUB_NEED_MODEL, "[!a]*.h5", "tf_model.h5"));
    fill(&repository.listing, names);
    CHECK(choose(&repository, HUB_NEED_MODEL, "*.JSON", &err) == -1 && err.code == ERROR_USAGE);
    hub_listing_release(&repository.listing);
}

/* ---- names ---- */

static bool is_refused(const char *path, size_t length)
{
    struct error err = {0};

    return hub_listing_check_path(path, length, &err) == -1 && err.code == ERROR_FORMAT;
}

static void hostile_names(void)
{
    static const char *const bad[] = {
        "", ".", "..", "../x", "x/../y", "x/..", "/etc/passwd", "x//y", "x/", "./x", "x/.",
        "a\\b", "..\\x", "C:x", "C:/x", "a\nb", "a\x1b[m", "a\x7f",
    };
    static const char *const good[] = {"x", "..x", "x..", "...", ".x", "x/y/z", "xy:z", "\xc3\xa4",
                                       "a b", "-x", "1_Pooling/config.json"};
    char text[1100];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(is_refused(bad[i], strlen(bad[i])));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(!is_refused(good[i], strlen(good[i])));
    CHECK(is_refused("a\0b", 3));
    memset(text, 'a', sizeof text);
    CHECK(!is_refused(text, 255));
    CHECK(is_refused(text, 256));
    for (size_t i = 99; i < sizeof text; i += 100)
        text[i] = '/';
    CHECK(!is_refused(text, 1024));
    CHECK(is_refused(text, 1025));
}

static void names_that_exclude_each_other(void)
{
    static const char *const pairs[][2] = {{"a", "a"}, {"a", "a/b"}, {"a/b", "a/b/c/d"}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct hub_listing listing = {0};
        struct error err = {0};

        for (size_t k = 0; k < 2; k++)
            hub_listing_add(&listing, &(struct hub_file){.path = memory_copy(pairs[i][k])});
        CHECK(hub_listing_finish(&listing, &err) == -1 && err.code == ERROR_FORMAT);
        hub_listing_release(&listing);
    }
}

/* ---- what huggingface_hub notes of a repository ---- */

#define SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA1 "a9993e364706816aba3e25717850c26c9cd0d89d"

static int parse_tree(struct hub_listing *listing, const char *text)
{
    struct error err = {0};

    *listing = (struct hub_listing){0};
    return hub_listing_parse_tree(listing, text, strlen(text), &err);
}

static void a_tree_lists_all_files(void)
{
    struct hub_listing listing;
    const struct hub_file *file;

    CHECK(parse_tree(&listing, "{\"format_version\":1,\"files\":{\"m.bin\":{\"size\":7,\"blob_id\":\""
                               SHA1 "\",\"lfs_sha256\":\"" SHA256 "\",\"lfs_size\":7,"
                               "\"xet_hash\":\"x\"},\"c.json\":{\"size\":3,\"blob_id\":\"" SHA1
                               "\",\"lfs_sha256\":null}}}") == 0);
    CHECK(listing.n_files == 2);
    file = hub_listing_find(&listing, "m.bin");
    CHECK(file && strcmp(file->blob, SHA256) == 0 && strcmp(file->sha256, SHA256) == 0 &&
          file->size_bytes == 7 && !hub_file_is_git(file));
    file = hub_listing_find(&listing, "c.json");
    CHECK(file && strcmp(file->blob, SHA1) == 0 && !file->sha256[0] && hub_file_is_git(file));
    CHECK(!hub_listing_find(&listing, "none"));
    hub_listing_release(&listing);
}

static void a_tree_that_is_none(void)
{
    static const char *const texts[] = {
        "", "[]", "{}", "{\"format_version\":2,\"files\":{}}",
        "{\"format_version\":1,\"files\":{\"../x\":{\"size\":3,\"blob_id\":\"" SHA1 "\"}}}",
        "{\"format_version\":1,\"files\":{\"x\":{\"blob_id\":\"" SHA1 "\"}}}",
        "{\"format_version\":1,\"files\":{\"x\":{\"size\":-3,\"blob_id\":\"" SHA1 "\"}}}",
        "{\"format_version\":1,\"files\":{\"x\":{\"size\":3,\"blob_id\":\"../../x\"}}}",
        "{\"format_version\":1,\"files\":{\"x\":{\"size\":3}}}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hub_listing listing;

        CHECK(parse_tree(&listing, texts[i]) == -1);
        CHECK(listing.n_files == 0);
    }
}

static void content_is_known_by_its_name(void)
{
    struct hub_file file = {.blob = SHA256, .size_bytes = 3};

    CHECK(hub_file_holds(&file, "abc", 3));
    CHECK(!hub_file_holds(&file, "abd", 3));
    /* printf abc | git hash-object --stdin */
    strcpy(file.blob, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    CHECK(hub_file_holds(&file, "abc", 3));
    CHECK(!hub_file_holds(&file, "ab", 2));
}

TESTS(TEST(one_kind_of_weights), TEST(texts_in_any_folder), TEST(nothing_that_mix_would_leave_out),
      TEST(mistral_files_only_where_there_are_no_others), TEST(an_index_says_which_shards),
      TEST(modules_have_weights_of_their_own), TEST(patterns_replace_the_choice),
      TEST(hostile_names), TEST(names_that_exclude_each_other), TEST(a_tree_lists_all_files),
      TEST(a_tree_that_is_none), TEST(content_is_known_by_its_name))
