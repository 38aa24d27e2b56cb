#include "text_stream.h"

#include <string.h>

void text_stream_init(struct text_stream *stream, const struct tokenizer *tokenizer,
                      const struct text_stops *stops, const struct ids *kept)
{
    *stream = (struct text_stream){.tokenizer = tokenizer, .stops = *stops, .ids.kept = kept};
}

void text_stream_release(struct text_stream *stream)
{
    tokenizer_stream_release(&stream->ids);
    buffer_release(&stream->held);
    *stream = (struct text_stream){0};
}

/* Where the first of the stops begins that stand in `text`, or its size. */
static size_t find_stop(const struct text_stops *stops, const struct buffer *text)
{
    size_t first = text->size;

    for (size_t i = 0; text->size && i < stops->n_items; i++) {
        const char *stop = stops->items[i];
        const char *found = memmem(text->data, text->size, stop, strlen(stop));

        if (found && (size_t)(found - text->data) < first)
            first = (size_t)(found - text->data);
    }
    return first;
}

/* Bytes at the end of `text` that one of the stops begins with. */
static size_t count_held(const struct text_stops *stops, const struct buffer *text)
{
    size_t most = 0;

    for (size_t i = 0; i < stops->n_items; i++) {
        size_t n = strlen(stops->items[i]) - 1;

        if (n > text->size)
            n = text->size;
        while (n > most && memcmp(text->data + text->size - n, stops->items[i], n) != 0)
            n--;
        most = n > most ? n : most;
    }
    return most;
}

/* Moves what is certain from `held` to `out`. 1: a stop has come. */
static int move_certain(struct text_stream *stream, struct buffer *out)
{
    struct buffer *held = &stream->held;
    size_t n = find_stop(&stream->stops, held);
    bool has_stopped = n < held->size;

    if (!has_stopped)
        n -= count_held(&stream->stops, held);
    if (n) {
        buffer_add(out, held->data, n);
        buffer_splice(held, 0, n, "");
    }
    return has_stopped;
}

int text_stream_add(struct text_stream *stream, uint32_t id, struct buffer *out,
                    struct error *err)
{
    if (tokenizer_stream_add(stream->tokenizer, &stream->ids, id, true, &stream->held, err))
        return -1;
    return move_certain(stream, out);
}

int text_stream_end(struct text_stream *stream, struct buffer *out, struct error *err)
{
    struct buffer *held = &stream->held;

    if (tokenizer_stream_end(stream->tokenizer, &stream->ids, true, held, err))
        return -1;
    if (move_certain(stream, out))
        return 1;
    if (held->size)
        buffer_add(out, held->data, held->size);
    buffer_clear(held);
    return 0;
}
