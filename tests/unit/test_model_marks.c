/* Marks that are special tokens are kept in a text, and taken out of it in the end. */
#include "serve/model_marks.h"

#include "scratch.h"
#include "text/text_stream.h"

#define TOKEN(content, special)                                                                   \
    "{\"id\":0,\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false,"                \
    "\"rstrip\":false,\"normalized\":false,\"special\":" special "}"

/* The added tokens have the ids from 2 on. */
static struct tokenizer *load(const char *added)
{
    struct error err = {0};
    struct folder *folder;
    struct tokenizer *tokenizer;
    char *json = memory_format("{\"added_tokens\":[%s],\"decoder\":{\"type\":\"Fuse\"},"
                               "\"model\":{\"type\":\"BPE\",\"merges\":[],"
                               "\"vocab\":{\"a\":0,\"b\":1}}}", added);

    scratch_folder("model");
    scratch_text("model/tokenizer.json", json);
    folder = folder_open(scratch_path("model"), false, &err);
    tokenizer = folder ? tokenizer_load(folder, "", &err) : NULL;
    folder_close(folder);
    free(json);
    scratch_must(tokenizer != NULL, "load", err.text);
    return tokenizer;
}

static void special_ones_are_found(void)
{
    struct tokenizer *tokenizer = load(TOKEN("[TOOL_CALLS]", "true") "," TOKEN("<think>", "false")
                                       "," TOKEN("<|end|>", "true") "," TOKEN("[ARGS]", "true"));
    struct ids kept = {0};

    CHECK(!model_marks_find(tokenizer, &kept));
    CHECK(kept.n_items == 2 && kept.items[0] == 2 && kept.items[1] == 5);
    ids_release(&kept);
    tokenizer_free(tokenizer);
    tokenizer = load(TOKEN("<|channel|>", "true") "," TOKEN("<|message|>", "true") ","
                     TOKEN("<|end|>", "true"));
    CHECK(model_marks_find(tokenizer, &kept) && kept.n_items == 3);
    ids_release(&kept);
    tokenizer_free(tokenizer);
}

static void they_are_kept_and_taken_out(void)
{
    struct tokenizer *tokenizer = load(TOKEN("[TOOL_CALLS]", "true") "," TOKEN("<s>", "true"));
    const struct text_stops none = {0};
    const uint32_t ids[] = {0, 3, 2, 1, 2};
    struct text_stream stream;
    struct buffer text = {0};
    struct error err = {0};
    struct ids kept = {0};

    model_marks_find(tokenizer, &kept);
    text_stream_init(&stream, tokenizer, &none, &kept);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        CHECK(text_stream_add(&stream, ids[i], &text, &err) == 0);
    CHECK(text_stream_end(&stream, &text, &err) == 0);
    CHECK(strcmp(text.data, "a[TOOL_CALLS]b[TOOL_CALLS]") == 0);
    model_marks_strip(tokenizer, &kept, &text);
    CHECK(strcmp(text.data, "ab") == 0);
    buffer_add_text(&text, "[TOOL");
    CHECK(model_marks_count_held(tokenizer, &kept, &text) == 5);
    buffer_add_text(&text, "x");
    CHECK(model_marks_count_held(tokenizer, &kept, &text) == 0);
    text_stream_release(&stream);
    buffer_release(&text);
    ids_release(&kept);
    tokenizer_free(tokenizer);
}

TESTS(TEST(special_ones_are_found), TEST(they_are_kept_and_taken_out))
