/* test_base_files.c - what the result takes over from the base, and what it leaves. */
#include "mix/base_files.h"

#include "scratch.h"

static const char *const none[] = {NULL};

static bool no(const char *path)
{
    (void)path;
    return false;
}

/* Lists NAME with these handled files; *err tells when it cannot. */
static struct base_files list(const char *name, const char *const *handled, const char *output,
                              struct error *err)
{
    struct folder *folder = folder_open(scratch_path(name), false, err);
    struct base_files files = {0};

    if (folder)
        base_files_list(&files, folder, handled, output, err);
    folder_close(folder);
    return files;
}

static bool holds(char **names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void put(const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    scratch_text(path, "12345");
}

static void what_belongs_to_the_model_is_kept(void)
{
    static const char *const kept[] = {
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "tokenizer.model", "special_tokens_map.json", "vocab.txt", "merges.txt",
        "added_tokens.json", "modeling_own.py", "configuration_own.py", "modules.json",
        "1_Pooling/config.json", "2_Dense/config.json", "sentence_bert_config.json",
        "config_sentence_transformers.json", "chat_template.jinja", "LICENSE", ".hidden-note",
        "assets/deep/er/picture.png", "preprocessor_config.json", "bin", "pt.txt",
    };
    struct error err = {0};
    struct base_files files;
    size_t n = sizeof kept / sizeof *kept;

    for (size_t i = 0; i < n; i++)
        put("kept", kept[i]);
    files = list("kept", none, scratch_path("output"), &err);
    CHECK(err.code == ERROR_NONE && files.n_kept == n && files.n_left_out == 0);
    for (size_t i = 0; i < n; i++) {
        if (!holds(files.kept, files.n_kept, kept[i]))
            printf("# %s\n", kept[i]);
        CHECK(holds(files.kept, files.n_kept, kept[i]));
        CHECK(base_files_keeps(&files, kept[i]));
    }
    for (size_t i = 1; i < files.n_kept; i++) /* sorted */
        CHECK(strcmp(files.kept[i - 1], files.kept[i]) < 0);
    CHECK(!base_files_keeps(&files, "absent") && !base_files_keeps(&files, "1_Pooling"));
    CHECK(files.kept_bytes == 5 * n);
    base_files_release(&files);
    base_files_release(&files);
}

static void weights_and_stale_things_are_left_out_in_any_folder(void)
{
    static const char *const left[] = {
        "pytorch_model.bin", "pytorch_model.bin.index.json", "other.safetensors",
        "model.safetensors.index.json", "model.pt", "colbert_linear.pth", "tf_model.h5",
        "flax_model.msgpack", "rust_model.ot", "model.onnx", "model.onnx_data", "model.gguf",
        "adapter_config.json", "adapter_model.bin", "optimizer.pt", "optimizer.bin",
        "scheduler.pt", "rng_state.pth", "rng_state_0.pth", "scaler.pt", "training_args.bin",
        "trainer_state.json", "consolidated.00.pth", "checklist.chk", ".gitattributes", ".gitignore",
    };
    static const char *const folders[] = {"openvino/", "onnx/", "original/", "checkpoint-500/",
                                          ".git/", ".cache/", "consolidated/"};
    struct error err = {0};
    struct base_files files;
    size_t n = sizeof left / sizeof *left, n_folders = sizeof folders / sizeof *folders;

    put("left", "config.json");
    for (size_t i = 0; i < n; i++) {
        char below[512];

        snprintf(below, sizeof below, "sub/%s", left[i]);
        put("left", left[i]);
        put("left", below);
    }
    for (size_t i = 0; i < n_folders; i++) {
        char inside[512];

        snprintf(inside, sizeof inside, "%sconfig.json", folders[i]);
        put("left", inside);
    }
    put("left", "sub/onnx/config.json");
    files = list("left", none, scratch_path("output"), &err);
    CHECK(err.code == ERROR_NONE);
    CHECK(files.n_kept == 1 && holds(files.kept, files.n_kept, "config.json"));
    CHECK(files.n_left_out == 2 * n + n_folders + 1);
    for (size_t i = 0; i < n; i++) {
        char below[512];

        snprintf(below, sizeof below, "sub/%s", left[i]);
        CHECK(holds(files.left_out, files.n_left_out, left[i]));
        CHECK(holds(files.left_out, files.n_left_out, below));
    }
    for (size_t i = 0; i < n_folders; i++)
        CHECK(holds(files.left_out, files.n_left_out, folders[i]));
    CHECK(holds(files.left_out, files.n_left_out, "sub/onnx/"));
    base_files_release(&files);
}

static void handled_files_are_neither_kept_nor_left_out(void)
{
    static const char *const handled[] = {"config.json", "0_T/model.safetensors", NULL};
    struct error err = {0};
    struct base_files files;

    put("handled", "config.json");
    put("handled", "0_T/config.json");
    put("handled", "0_T/model.safetensors");
    put("handled", "model.safetensors");
    files = list("handled", handled, scratch_path("output"), &err);
    CHECK(files.n_kept == 1 && holds(files.kept, 1, "0_T/config.json"));
    CHECK(files.n_left_out == 1 && holds(files.left_out, 1, "model.safetensors"));
    base_files_release(&files);
}

static void the_output_inside_the_base_is_passed_over(void)
{
    struct error err = {0};
    struct base_files files;

    put("around", "config.json");
    put("around", "out/config.json");
    put("around", ".out.cocktail-partial/config.json");
    put("around", "sub/.x.cocktail-partial/config.json");
    put("around", "outer/config.json");
    files = list("around", none, scratch_path("around/out"), &err);
    CHECK(files.n_kept == 2 && files.n_left_out == 0);
    CHECK(holds(files.kept, files.n_kept, "config.json"));
    CHECK(holds(files.kept, files.n_kept, "outer/config.json"));
    base_files_release(&files);
}

static void what_is_not_a_regular_file_is_refused(void)
{
    struct error err = {0};
    struct base_files files;

    put("fifo", "config.json");
    unlink(scratch_path("fifo/pipe"));
    CHECK(mkfifo(scratch_path("fifo/pipe"), 0666) == 0);
    files = list("fifo", none, scratch_path("output"), &err);
    CHECK(err.code == ERROR_FORMAT && files.n_kept == 0);
    CHECK_CONTAINS(err.text, "pipe");
    base_files_release(&files);

    err = (struct error){0};
    scratch_text("secret", "secret");
    put("leads-out", "config.json");
    scratch_link("../secret", "leads-out/notes.txt");
    files = list("leads-out", none, scratch_path("output"), &err);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "notes.txt");
    base_files_release(&files);
}

static void a_circle_of_folders_ends(void)
{
    struct error err = {0};
    struct base_files files;

    put("circle", "sub/config.json");
    scratch_link("..", "circle/sub/up");
    files = list("circle", none, scratch_path("output"), &err);
    CHECK(err.code == ERROR_FORMAT);
    CHECK_CONTAINS(err.text, "nested");
    base_files_release(&files);
}

static void kept_files_are_copied_byte_for_byte(void)
{
    static char large[2500000];
    struct error err = {0};
    struct outdir *outdir = outdir_open(scratch_path("copied"), false, no, &err);
    struct folder *folder;
    struct base_files files = {0};
    char *found;
    size_t n;

    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * i >> 7);
    scratch_write("source/sub/large.model", large, sizeof large);
    scratch_text("source/empty.py", "");
    scratch_text("source/target.txt", "text");
    scratch_link("target.txt", "source/link.txt");
    folder = folder_open(scratch_path("source"), false, &err);
    CHECK(folder && base_files_list(&files, folder, none, scratch_path("copied"), &err) == 0);
    CHECK(outdir && base_files_copy(&files, folder, outdir, &err) == 0);
    CHECK(outdir && outdir_commit(outdir, &err) == 0);
    outdir_close(outdir);
    folder_close(folder);
    base_files_release(&files);
    found = scratch_read("copied/sub/large.model", &n);
    CHECK(found && n == sizeof large && memcmp(found, large, n) == 0);
    free(found);
    CHECK(scratch_holds("copied/empty.py", ""));
    CHECK(scratch_holds("copied/link.txt", "text"));
    CHECK(readlink(scratch_path("copied/link.txt"), (char[8]){0}, 8) == -1); /* a file now */
}

TESTS(TEST(what_belongs_to_the_model_is_kept),
      TEST(weights_and_stale_things_are_left_out_in_any_folder),
      TEST(handled_files_are_neither_kept_nor_left_out),
      TEST(the_output_inside_the_base_is_passed_over),
      TEST(what_is_not_a_regular_file_is_refused), TEST(a_circle_of_folders_ends),
      TEST(kept_files_are_copied_byte_for_byte))
