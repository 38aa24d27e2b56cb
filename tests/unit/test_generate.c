/* test_generate.c - with a cache, token by token, the texts that transformers generates. */
#include "model/generate.h"

#include <dirent.h>

#include "golden.h"

struct listener {
    struct ids ids;
};

static int hear(void *context, uint32_t id, struct error *err)
{
    struct listener *listener = context;

    (void)err;
    ids_add(&listener->ids, id);
    return 0;
}

/* What continues the first text of golden.safetensors (MoLM: its own prompt). */
static struct ids find_prompt(const struct golden *golden)
{
    bool has_own = golden_find(golden, "greedy_prompt") != NULL;
    const char *name = has_own ? "greedy_prompt" : "ids";
    int32_t *values = golden_values(golden, name);
    struct ids prompt = {0};
    size_t n = golden_find(golden, name)->n_items;

    if (!has_own) {
        size_t n_texts, *ends = golden_ends(golden, "ends", &n_texts);

        n = ends[0];
        free(ends);
    }
    for (size_t i = 0; i < n; i++)
        ids_add(&prompt, (uint32_t)values[i]);
    free(values);
    return prompt;
}

static void check_greedy(const char *name, const char *path, const struct golden *golden)
{
    struct ids prompt = find_prompt(golden), eos = {0};
    int32_t *expected = golden_values(golden, "greedy");
    size_t n = golden_find(golden, "greedy")->n_items;
    struct listener listener = {{0}};
    struct generate_options options = {
        .name = name,
        .max_tokens = n,
        .eos = &eos,
        .look = hear,
        .context = &listener,
    };
    enum generate_stop stop;
    struct tokenizer *tokenizer;
    struct fixture loaded;
    struct error err = {0};
    bool is_same;

    fixture_load(&loaded, path, 2);
    tokenizer = tokenizer_load(loaded.folder.folder, "", &(struct error){0});
    if (tokenizer) /* not every fixture has one: then its text is not one that ends */
        CHECK(generate_find_eos(&loaded.folder, tokenizer, &eos, &err) == 0);
    CHECK(generate_run(loaded.model, &prompt, &options, &stop, &err) == 0);
    is_same = listener.ids.n_items == n &&
              memcmp(listener.ids.items, expected, n * sizeof *expected) == 0;
    CHECK(is_same);
    if (!is_same)
        printf("# %s: another text, %s\n", name, err.text);
    tokenizer_free(tokenizer);
    fixture_release(&loaded);
    ids_release(&listener.ids);
    ids_release(&prompt);
    ids_release(&eos);
    free(expected);
}

/* Among them texts that grow beyond the length where longrope takes other frequencies, and where a
 * window begins to slide. */
static void greedy_texts_are_those_of_transformers(void)
{
    DIR *directory = opendir("fixtures/models");
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory))) {
        char *path = memory_format("models/%s", entry->d_name);
        char *whole = memory_format("fixtures/%s", path);
        struct notices notices = {0};
        struct error err = {0};
        struct golden golden = {0};

        if (entry->d_name[0] != '.')
            golden.folder = folder_open(whole, false, &err);
        if (golden.folder)
            golden.checkpoint =
                checkpoint_open(golden.folder, "", "golden.safetensors", &notices, &err);
        if (golden.checkpoint && golden_find(&golden, "greedy")) {
            check_greedy(entry->d_name, path, &golden);
            n++;
        }
        checkpoint_close(golden.checkpoint);
        folder_close(golden.folder);
        notices_release(&notices);
        free(whole);
        free(path);
    }
    CHECK(n >= 60);
    if (directory)
        closedir(directory);
}

TESTS(TEST(greedy_texts_are_those_of_transformers))
