#include "answer_choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "serve/model_marks.h"

void answer_choice_release(struct answer_choice *choice)
{
    buffer_release(&choice->raw);
    buffer_release(&choice->reasoning);
    buffer_release(&choice->text);
    free(choice->logprobs);
    tokenizer_stream_release(&choice->told);
    tool_calls_release(&choice->calls);
    harmony_release(&choice->harmony);
    *choice = (struct answer_choice){0};
}

/* ---- thoughts ---- */

static void move(struct buffer *from, size_t n, struct buffer *to)
{
    if (n)
        buffer_add(to, from->data, n);
    if (n)
        buffer_splice(from, 0, n, "");
}

/* Bytes at the end of `text` that `mark` begins with. */
static size_t count_held(const struct buffer *text, const char *mark)
{
    size_t n = strlen(mark) - 1;

    n = n < text->size ? n : text->size;
    while (n && memcmp(text->data + text->size - n, mark, n) != 0)
        n--;
    return n;
}

static size_t skip_blank(const struct buffer *text)
{
    size_t n = 0;

    while (n < text->size && strchr(" \t\r\n", text->data[n]))
        n++;
    return n;
}

/* Whether the text begins with a thought. */
static void look_for_thought(struct answer_choice *choice, bool is_last)
{
    struct buffer *raw = &choice->raw;
    size_t blank = skip_blank(raw), n = raw->size - blank;
    bool may_come = n == 0;

    for (const struct thought_marks *marks = thought_marks; marks->begin; marks++) {
        size_t length = strlen(marks->begin);

        if (n && memcmp(raw->data + blank, marks->begin, n < length ? n : length) != 0)
            continue;
        may_come = true;
        if (n < length)
            continue;
        buffer_splice(raw, 0, blank + length, "");
        choice->thought = THOUGHT_OPEN;
        choice->thought_end = marks->end;
        return;
    }
    if (is_last || !may_come)
        choice->thought = THOUGHT_OVER;
}

/* The mark that ends the thought and comes first, or NULL; *n_held: bytes that may begin one. */
static const char *find_thought_end(const struct answer_choice *choice, size_t *length,
                                    size_t *n_held)
{
    const struct buffer *raw = &choice->raw;
    const char *first = NULL;

    *n_held = 0;
    for (const struct thought_marks *marks = thought_marks; marks->begin; marks++) {
        const char *found;
        size_t held;

        if (choice->thought_end && choice->thought_end != marks->end)
            continue;
        found = raw->size ? memmem(raw->data, raw->size, marks->end, strlen(marks->end)) : NULL;
        held = count_held(raw, marks->end);
        *n_held = held > *n_held ? held : *n_held;
        if (found && (!first || found < first)) {
            first = found;
            *length = strlen(marks->end);
        }
    }
    return first;
}

static void read_thought(struct answer_choice *choice, bool is_last)
{
    struct buffer *raw = &choice->raw;
    size_t length = 0, n_held;
    const char *end = find_thought_end(choice, &length, &n_held);

    if (!end) {
        move(raw, raw->size - (is_last ? 0 : n_held), &choice->reasoning);
        return;
    }
    move(raw, (size_t)(end - raw->data), &choice->reasoning);
    buffer_splice(raw, 0, length, "");
    choice->thought = THOUGHT_OVER;
}

/* ---- text ---- */

/* How much of `raw` can be given as text. */
static size_t count_certain(const struct answer_choice *choice, const struct answer_rules *rules)
{
    const struct buffer *raw = &choice->raw;
    size_t n = raw->size, n_held;

    if (!rules->model)
        return n;
    n_held = model_marks_count_held(rules->model->tokenizer, &rules->model->kept, raw);
    if (rules->tools)
        n = tool_calls_count_before(raw, !choice->has_text);
    return n < raw->size - n_held ? n : raw->size - n_held;
}

static void read_text(struct answer_choice *choice, const struct answer_rules *rules, bool is_last)
{
    struct buffer *raw = &choice->raw;
    size_t n_before = choice->text.size, n = is_last ? raw->size : count_certain(choice, rules);

    if (is_last && rules->tools) {
        tool_calls_find(raw, !choice->has_text, &choice->calls);
        tool_calls_fit(&choice->calls, rules->tools);
        n = raw->size;
    }
    move(raw, n, &choice->text);
    choice->has_text |= choice->text.size > n_before;
}

void answer_choice_sort(struct answer_choice *choice, const struct answer_rules *rules,
                        bool is_last)
{
    const struct served_model *model = rules->model;

    if (model && model->is_harmony) {
        harmony_sort(&choice->harmony, &choice->raw, is_last, &choice->reasoning, &choice->text,
                     &choice->calls);
    } else {
        if (choice->thought == THOUGHT_MAYBE)
            look_for_thought(choice, is_last);
        if (choice->thought == THOUGHT_OPEN)
            read_thought(choice, is_last);
        if (choice->thought == THOUGHT_OVER)
            read_text(choice, rules, is_last);
    }
    if (!model)
        return;
    model_marks_strip(model->tokenizer, &model->kept, &choice->reasoning);
    model_marks_strip(model->tokenizer, &model->kept, &choice->text);
}

const char *answer_choice_reason(const struct answer_choice *choice)
{
    if (choice->calls.n_calls)
        return "tool_calls";
    return choice->state == GENERATION_LENGTH ? "length" : "stop";
}

/* ---- log probabilities ---- */

/* As it stands in a text: sentencepiece's tokens begin with their blank there. */
static void decode(const struct tokenizer *tokenizer, uint32_t id, struct buffer *out)
{
    static const char blank[] = "\xe2\x96\x81";
    struct error error = {0};
    size_t n = 0;
    const char *spelled = tokenizer_token(tokenizer, id, &n);

    buffer_clear(out);
    if (tokenizer_decode(tokenizer, &id, 1, false, out, &error))
        return;
    if (spelled && n >= 3 && memcmp(spelled, blank, 3) == 0 &&
        (out->size == 0 || out->data[0] != ' '))
        buffer_splice(out, 0, 0, " ");
}

static void add_text(struct json_writer *json, const char *key, const struct buffer *text)
{
    json_writer_bytes(json, key, text->size ? text->data : "", text->size);
}

/* token, logprob, bytes: those of a piece of a character, too, which the text cannot show */
static void add_token(struct json_writer *json, const struct token_logprob *token,
                      const struct tokenizer *tokenizer, struct buffer *scratch)
{
    struct buffer piece = {0};

    decode(tokenizer, token->id, scratch);
    add_text(json, "token", scratch);
    json_writer_float(json, "logprob", token->logprob);
    if (tokenizer_add_piece(tokenizer, token->id, &piece)) {
        buffer_clear(scratch);
        buffer_add(scratch, piece.data, piece.size);
    }
    buffer_release(&piece);
    json_writer_array(json, "bytes");
    for (size_t i = 0; i < scratch->size; i++)
        json_writer_size(json, NULL, (unsigned char)scratch->data[i]);
    json_writer_end(json);
}

void answer_choice_add_logprobs(struct json_writer *json, const struct answer_choice *choice,
                                const struct tokenizer *tokenizer, size_t n_top, size_t n)
{
    struct buffer scratch = {0};

    json_writer_object(json, "logprobs");
    json_writer_array(json, "content");
    for (size_t i = 0; i < n; i++) {
        const struct token_logprob *tokens = choice->logprobs + i * (1 + n_top);

        json_writer_object(json, NULL);
        add_token(json, tokens, tokenizer, &scratch);
        json_writer_array(json, "top_logprobs");
        for (size_t k = 1; k <= n_top; k++) {
            json_writer_object(json, NULL);
            add_token(json, &tokens[k], tokenizer, &scratch);
            json_writer_end(json);
        }
        json_writer_end(json);
        json_writer_end(json);
    }
    json_writer_end(json);
    json_writer_end(json);
    buffer_release(&scratch);
}

static void add_top(struct json_writer *json, const struct token_logprob *tokens, size_t n_top,
                    const struct tokenizer *tokenizer, struct buffer *scratch)
{
    bool is_among = false;

    json_writer_object(json, NULL);
    for (size_t k = 1; k <= n_top; k++) {
        decode(tokenizer, tokens[k].id, scratch);
        json_writer_float(json, scratch->data ? scratch->data : "", tokens[k].logprob);
        is_among |= tokens[k].id == tokens[0].id;
    }
    if (!is_among) {
        decode(tokenizer, tokens[0].id, scratch);
        json_writer_float(json, scratch->data ? scratch->data : "", tokens[0].logprob);
    }
    json_writer_end(json);
}

/* Where the text of the next token begins. */
static void add_told(struct answer_choice *choice, const struct tokenizer *tokenizer, uint32_t id,
                     struct buffer *scratch)
{
    struct error error = {0};

    buffer_clear(scratch);
    if (tokenizer_stream_add(tokenizer, &choice->told, id, true, scratch, &error))
        return;
    for (size_t i = 0; i < scratch->size; i++)
        choice->text_offset += (scratch->data[i] & 0xc0) != 0x80;
}

void answer_choice_drop_logprobs(struct answer_choice *choice, size_t n_top, size_t n)
{
    size_t width = 1 + n_top;

    choice->n_logprobs -= n;
    if (choice->n_logprobs)
        memmove(choice->logprobs, choice->logprobs + n * width,
                choice->n_logprobs * width * sizeof *choice->logprobs);
}

void answer_choice_add_token_lists(struct json_writer *json, struct answer_choice *choice,
                                   const struct tokenizer *tokenizer, size_t n_top, size_t n)
{
    const struct token_logprob *tokens = choice->logprobs;
    size_t width = 1 + n_top;
    struct buffer scratch = {0};

    json_writer_object(json, "logprobs");
    json_writer_array(json, "tokens");
    for (size_t i = 0; i < n; i++) {
        decode(tokenizer, tokens[i * width].id, &scratch);
        add_text(json, NULL, &scratch);
    }
    json_writer_end(json);
    json_writer_array(json, "token_logprobs");
    for (size_t i = 0; i < n; i++)
        json_writer_float(json, NULL, tokens[i * width].logprob);
    json_writer_end(json);
    json_writer_array(json, "top_logprobs");
    for (size_t i = 0; i < n; i++)
        if (isnan(tokens[i * width].logprob)) /* the first of a text */
            json_writer_null(json, NULL);
        else
            add_top(json, tokens + i * width, n_top, tokenizer, &scratch);
    json_writer_end(json);
    json_writer_array(json, "text_offset");
    for (size_t i = 0; i < n; i++) {
        json_writer_size(json, NULL, choice->text_offset);
        add_told(choice, tokenizer, tokens[i * width].id, &scratch);
    }
    json_writer_end(json);
    json_writer_end(json);
    buffer_release(&scratch);
}
