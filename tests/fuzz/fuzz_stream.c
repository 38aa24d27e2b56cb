/* fuzz_stream.c - what is sent of a text in pieces is what is sent of it at once, and the events of
 * a stream are what clients expect.
 *
 * The first byte says what kind of text it is; a byte 0 ends a piece. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/answer_choice.h"

static void take(struct answer_choice *choice, struct buffer *reasoning, struct buffer *text)
{
    if (choice->reasoning.size)
        buffer_add(reasoning, choice->reasoning.data, choice->reasoning.size);
    if (choice->text.size)
        buffer_add(text, choice->text.data, choice->text.size);
    buffer_clear(&choice->reasoning);
    buffer_clear(&choice->text);
}

static bool is_same(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer_choice pieces = {0}, whole = {0};
    struct buffer reasoning = {0}, text = {0}, all = {0}, all_reasoning = {0};
    struct served_model model = {.id = (char *)"m"};
    struct answer_rules rules = {.model = &model};

    if (!size)
        return 0;
    pieces.thought = whole.thought = (enum thought_state)(data[0] % 3);
    rules.tools = data[0] & 4 ? "[]" : NULL;
    model.is_harmony = data[0] & 8;
    for (size_t i = 1; i < size; i++) {
        if (data[i]) {
            buffer_add_char(&pieces.raw, (char)data[i]);
            buffer_add_char(&whole.raw, (char)data[i]);
        } else {
            answer_choice_sort(&pieces, &rules, false);
            take(&pieces, &reasoning, &text);
        }
    }
    answer_choice_sort(&pieces, &rules, true);
    take(&pieces, &reasoning, &text);
    answer_choice_sort(&whole, &rules, true);
    take(&whole, &all_reasoning, &all);
    if (!is_same(&text, &all) || !is_same(&reasoning, &all_reasoning) ||
        pieces.calls.n_calls != whole.calls.n_calls)
        abort();
    answer_choice_release(&pieces);
    answer_choice_release(&whole);
    buffer_release(&reasoning);
    buffer_release(&text);
    buffer_release(&all);
    buffer_release(&all_reasoning);
    return 0;
}
