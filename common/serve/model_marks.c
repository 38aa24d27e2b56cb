#include "model_marks.h"

#include <string.h>

const struct thought_marks thought_marks[] = {
    {"<think>", "</think>"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"[THINK]", "[/THINK]"},
    {NULL, NULL},
};

#define BAR "\xef\xbd\x9c"
#define LOW "\xe2\x96\x81"

static const char *const marks[] = {
    "<think>", "</think>", "<|START_THINKING|>", "<|END_THINKING|>", "[THINK]", "[/THINK]",
    "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_ACTION|>", "<|END_ACTION|>",
    "<tool_call>", "</tool_call>", "<seed:tool_call>", "</seed:tool_call>",
    "<minimax:tool_call>", "</minimax:tool_call>", "<TOOLCALL>", "</TOOLCALL>", "<tool_calls>",
    "</tool_calls>", "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<arg_key>", "</arg_key>",
    "<arg_value>", "</arg_value>",
    "<" BAR "tool" LOW "calls" LOW "begin" BAR ">", "<" BAR "tool" LOW "calls" LOW "end" BAR ">",
    "<" BAR "tool" LOW "call" LOW "begin" BAR ">", "<" BAR "tool" LOW "call" LOW "end" BAR ">",
    "<" BAR "tool" LOW "sep" BAR ">",
    "<|tool_call_start|>", "<|tool_call_end|>", "<|tools_prefix|>", "<|tools_suffix|>",
    "<|python_start|>", "<|python_end|>", "<|python_tag|>",
};

static const char *const harmony_marks[] = {
    "<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|call|>",
    "<|return|>",
};

/* Special tokens are those that a text can do without. */
static bool find_special(const struct tokenizer *tokenizer, const char *mark, uint32_t *id)
{
    struct buffer text = {0};
    struct error error = {0};
    bool is_special;

    if (!tokenizer_find(tokenizer, mark, id))
        return false;
    is_special = tokenizer_decode(tokenizer, id, 1, true, &text, &error) == 0 && text.size == 0;
    buffer_release(&text);
    return is_special;
}

bool model_marks_find(const struct tokenizer *tokenizer, struct ids *kept)
{
    uint32_t id;
    bool is_harmony = find_special(tokenizer, "<|channel|>", &id) &&
                      find_special(tokenizer, "<|message|>", &id);

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (find_special(tokenizer, marks[i], &id))
            ids_add(kept, id);
    for (size_t i = 0; is_harmony && i < sizeof harmony_marks / sizeof *harmony_marks; i++)
        if (find_special(tokenizer, harmony_marks[i], &id))
            ids_add(kept, id);
    return is_harmony;
}

void model_marks_strip(const struct tokenizer *tokenizer, const struct ids *kept,
                       struct buffer *text)
{
    for (size_t i = 0; i < kept->n_items && text->size; i++) {
        size_t n = 0;
        const char *mark = tokenizer_token(tokenizer, kept->items[i], &n), *at;

        while (text->size && (at = memmem(text->data, text->size, mark, n)))
            buffer_splice(text, (size_t)(at - text->data), n, "");
    }
}

size_t model_marks_count_held(const struct tokenizer *tokenizer, const struct ids *kept,
                              const struct buffer *text)
{
    size_t n_held = 0;

    for (size_t i = 0; i < kept->n_items; i++) {
        size_t length = 0, n;
        const char *mark = tokenizer_token(tokenizer, kept->items[i], &length);

        n = length - 1 < text->size ? length - 1 : text->size;
        while (n > n_held && memcmp(text->data + text->size - n, mark, n) != 0)
            n--;
        n_held = n > n_held ? n : n_held;
    }
    return n_held;
}
