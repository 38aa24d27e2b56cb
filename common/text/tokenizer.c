/* tokenizer.c - the stages put together: added tokens, normalizer, pre-tokenizer, model, template.
 *
 * Text is cut at raw added tokens, each rest is normalized and cut at normalized added tokens, and
 * what remains is split into words for the model (docs/tokenizers.md, "Pipeline"). */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/ids.h"
#include "text/marks.h"
#include "text/pieces.h"
#include "text/tokenizer_parts.h"

struct tokenizer_scratch {
    struct normalizer_scratch *normalizer;
    struct subword_scratch *subword;
    struct buffer clean, normal; /* text as UTF-8, and normalized */
    struct buffer bare;          /* without marks */
    bool has_marks;
    struct pieces pieces, spare;
    struct ids first, second;
};

const struct added_token *tokenizer_added(const struct tokenizer *tokenizer, const char *content,
                                          size_t length)
{
    const size_t *index = hash_map_find(&tokenizer->added_by_content, content, length);

    return index ? &tokenizer->added[*index] : NULL;
}

const struct added_token *tokenizer_added_id(const struct tokenizer *tokenizer, uint32_t id)
{
    const size_t *index = hash_map_find(&tokenizer->added_by_id, (const char *)&id, sizeof id);

    return index ? &tokenizer->added[*index] : NULL;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    for (size_t i = 0; i < tokenizer->n_added; i++)
        free(tokenizer->added[i].normal);
    for (size_t i = 0; i < tokenizer->n_specials; i++)
        free(tokenizer->specials[i].name);
    free(tokenizer->added);
    arena_release(&tokenizer->arena);
    free(tokenizer->specials);
    hash_map_release(&tokenizer->added_by_content);
    hash_map_release(&tokenizer->added_by_id);
    added_matcher_free(tokenizer->raw_matcher);
    added_matcher_free(tokenizer->normalized_matcher);
    normalizer_free(tokenizer->normalizer);
    pretokenizer_free(tokenizer->pretokenizer);
    subword_free(tokenizer->subword);
    template_release(&tokenizer->template);
    decoder_free(tokenizer->decoder);
    free(tokenizer);
}

struct tokenizer_scratch *tokenizer_scratch_new(const struct tokenizer *tokenizer)
{
    struct tokenizer_scratch *scratch = memory_zalloc(1, sizeof *scratch);

    scratch->normalizer = normalizer_scratch_new();
    scratch->subword = subword_scratch_new(tokenizer->subword);
    return scratch;
}

void tokenizer_scratch_free(struct tokenizer_scratch *scratch)
{
    if (!scratch)
        return;
    normalizer_scratch_free(scratch->normalizer);
    subword_scratch_free(scratch->subword);
    buffer_release(&scratch->clean);
    buffer_release(&scratch->normal);
    buffer_release(&scratch->bare);
    pieces_release(&scratch->pieces);
    pieces_release(&scratch->spare);
    ids_release(&scratch->first);
    ids_release(&scratch->second);
    free(scratch);
}

/* ---- text to ids ---- */

/* Normalized text without added tokens. */
static int encode_words(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                        const char *text, size_t n, size_t n_origin, struct ids *ids,
                        struct error *err)
{
    if (tokenizer->scan) {
        for (size_t at = 0; at < n;) {
            size_t end = tokenizer->scan(text, n, at);

            if (subword_encode(tokenizer->subword, scratch->subword, text + at, end - at, ids, err))
                return -1;
            at = end;
        }
        return 0;
    }
    pieces_clear(&scratch->pieces);
    buffer_add(&scratch->pieces.text, text, n);
    pieces_add(&scratch->pieces, 0, n, n_origin);
    if (pretokenizer_run(tokenizer->pretokenizer, &scratch->pieces, &scratch->spare, err))
        return -1;
    for (size_t i = 0; i < scratch->pieces.n_items; i++)
        if (subword_encode(tokenizer->subword, scratch->subword,
                           scratch->pieces.text.data + scratch->pieces.items[i].start,
                           scratch->pieces.items[i].length, ids, err))
            return -1;
    return 0;
}

/* What the marks were to prevent. */
static int check_plain(const struct tokenizer *tokenizer, const struct ids *ids, size_t first,
                       struct error *err)
{
    for (size_t i = first; i < ids->n_items; i++) {
        const struct added_token *token = tokenizer_added_id(tokenizer, ids->items[i]);

        if (token && token->special)
            return error_set(err, ERROR_FORMAT, "'" ERROR_NAME "' cannot be text: the tokenizer "
                             "makes the special token of it", token->content);
    }
    return 0;
}

/* The same, which may hold marks. */
static int encode_marked(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                         const char *text, size_t n, size_t n_origin, struct ids *ids,
                         struct error *err)
{
    struct buffer *bare = &scratch->bare;
    size_t n_ids = ids->n_items;

    if (!scratch->has_marks)
        return encode_words(tokenizer, scratch, text, n, n_origin, ids, err);
    buffer_clear(bare);
    buffer_add(bare, text, n);
    if (!marks_drop(bare))
        return encode_words(tokenizer, scratch, text, n, n_origin, ids, err);
    if (bare->size == 0)
        return 0;
    return encode_words(tokenizer, scratch, bare->data, bare->size,
                        n_origin < bare->size ? n_origin : bare->size, ids, err) ||
                   check_plain(tokenizer, ids, n_ids, err)
               ? -1
               : 0;
}

/* Text between raw added tokens. */
static int encode_segment(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                          const char *text, size_t n, bool is_first, struct ids *ids,
                          struct error *err)
{
    struct added_search search = {.matcher = tokenizer->normalized_matcher,
                                  .skips_marked = scratch->has_marks};
    struct added_span span;
    size_t n_origin;

    buffer_clear(&scratch->normal);
    if (normalizer_run(tokenizer->normalizer, scratch->normalizer, text, n, &scratch->normal,
                       &n_origin, err))
        return -1;
    search.text = scratch->normal.data;
    search.n = scratch->normal.size;
    while (added_search_next(&search, &span)) {
        if (span.token)
            ids_add(ids, span.token->id);
        else if (encode_marked(tokenizer, scratch, search.text + span.start,
                               span.end - span.start,
                               is_first && span.start < n_origin ? n_origin - span.start : 0, ids,
                               err))
            return -1;
    }
    return 0;
}

static int encode_text(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       const char *text, size_t n, struct ids *ids, struct error *err)
{
    struct added_search search = {.matcher = tokenizer->raw_matcher,
                                  .skips_marked = scratch->has_marks};
    struct added_span span;

    ids_clear(ids);
    if (utf8_valid_prefix(text, n) < n) {
        buffer_clear(&scratch->clean);
        utf8_add_lossy(&scratch->clean, text, n);
        text = scratch->clean.data;
        n = scratch->clean.size;
    }
    search.text = text;
    search.n = n;
    while (added_search_next(&search, &span)) {
        if (span.token)
            ids_add(ids, span.token->id);
        else if (encode_segment(tokenizer, scratch, text + span.start, span.end - span.start,
                                span.start == 0, ids, err))
            return -1;
    }
    return 0;
}

/* ---- truncation and template ---- */

/* Lengths that a pair keeps of n[0] and n[1] so that they are at most `max` together: longest
 * first. */
static void share_length(size_t n[2], size_t max)
{
    bool is_swapped = n[0] > n[1];
    size_t shorter = n[is_swapped], longer;

    if (n[0] + n[1] <= max)
        return;
    longer = shorter > max ? shorter : shorter > max - shorter ? shorter : max - shorter;
    if (shorter + longer > max) {
        shorter = max / 2;
        longer = shorter + max % 2;
    }
    n[is_swapped] = shorter;
    n[!is_swapped] = longer;
}

static void reserve(struct encoding *encoding, size_t n)
{
    if (n <= encoding->capacity)
        return;
    encoding->capacity = n > 2 * encoding->capacity ? n : 2 * encoding->capacity;
    encoding->ids = memory_resize(encoding->ids, encoding->capacity, sizeof *encoding->ids);
    encoding->type_ids = memory_resize(encoding->type_ids, encoding->capacity, 1);
    encoding->is_special = memory_resize(encoding->is_special, encoding->capacity, 1);
}

static void append(struct encoding *out, const uint32_t *ids, size_t n, uint8_t type_id,
                   uint8_t is_special)
{
    reserve(out, out->n_ids + n);
    if (n) {
        memcpy(out->ids + out->n_ids, ids, n * sizeof *ids);
        memset(out->type_ids + out->n_ids, type_id, n);
        memset(out->is_special + out->n_ids, is_special, n);
    }
    out->n_ids += n;
}

static void apply_template(const struct template_list *list, const uint32_t *const ids[2],
                           const size_t n[2], bool no_special, struct encoding *out)
{
    if (list->n_parts == 0) {
        append(out, ids[0], n[0], 0, 0);
        append(out, ids[1], n[1], 1, 0);
    }
    for (size_t i = 0; i < list->n_parts; i++) {
        const struct template_part *part = &list->parts[i];

        if (part->kind != TEMPLATE_SPECIAL)
            append(out, ids[part->kind], n[part->kind], part->type_id, 0);
        else if (!no_special)
            append(out, part->ids, part->n_ids, part->type_id, 1);
    }
}

int tokenizer_encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t n, const char *pair, size_t n_pair,
                     const struct encode_options *options, struct encoding *out, struct error *err)
{
    const struct template_list *list =
        pair ? &tokenizer->template.pair : &tokenizer->template.single;
    struct ids *ids[2] = {&scratch->first, &scratch->second};
    const uint32_t *starts[2];
    size_t lengths[2], n_added = options->no_special ? 0 : template_n_added(list);

    out->n_ids = 0;
    out->is_truncated = false;
    scratch->has_marks = options->has_marks;
    if (encode_text(tokenizer, scratch, text, n, ids[0], err))
        return -1;
    ids_clear(ids[1]);
    if (pair && encode_text(tokenizer, scratch, pair, n_pair, ids[1], err))
        return -1;
    lengths[0] = ids[0]->n_items;
    lengths[1] = ids[1]->n_items;
    if (options->max_length) {
        if (options->max_length < n_added)
            return error_set(err, ERROR_USAGE, "a maximum length of %zu leaves no room for the %zu "
                             "special tokens", options->max_length, n_added);
        if (pair)
            share_length(lengths, options->max_length - n_added);
        else if (lengths[0] > options->max_length - n_added)
            lengths[0] = options->max_length - n_added;
        out->is_truncated = lengths[0] + lengths[1] < ids[0]->n_items + ids[1]->n_items;
    }
    for (size_t i = 0; i < 2; i++) {
        starts[i] = ids[i]->items;
        if (tokenizer->truncates_left && lengths[i])
            starts[i] += ids[i]->n_items - lengths[i];
    }
    apply_template(list, starts, lengths, options->no_special, out);
    if (!tokenizer->gives_types && out->n_ids)
        memset(out->type_ids, 0, out->n_ids);
    return 0;
}

void encoding_release(struct encoding *encoding)
{
    free(encoding->ids);
    free(encoding->type_ids);
    free(encoding->is_special);
    *encoding = (struct encoding){0};
}

/* ---- ids to text ---- */

/* As the reference has it, the text decides: a token that the normalizer changes is not special. */
static bool is_special(const struct tokenizer *tokenizer, const char *token, size_t length)
{
    const struct added_token *added = tokenizer_added(tokenizer, token, length);

    return added && added->special;
}

static bool is_kept(const struct ids *kept, uint32_t id)
{
    for (size_t i = 0; kept && i < kept->n_items; i++)
        if (kept->items[i] == id)
            return true;
    return false;
}

/* lists: empty, scratch */
static int decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                  bool skip_special, const struct ids *kept, struct token_list lists[2],
                  struct buffer *out, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct added_token *added = tokenizer_added_id(tokenizer, ids[i]);
        size_t length = 0;
        const char *token = added ? NULL : subword_token(tokenizer->subword, ids[i], &length);

        if (added) {
            token = added->normal ? added->normal : added->content;
            length = added->normal ? added->normal_length : added->length;
        }
        if (!token || (skip_special && is_special(tokenizer, token, length) &&
                       !is_kept(kept, ids[i])))
            continue;
        token_list_add(&lists[0], token, length);
    }
    return decoder_run(tokenizer->decoder, &lists[0], &lists[1], out, err);
}

int tokenizer_decode(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                     bool skip_special, struct buffer *out, struct error *err)
{
    struct token_list lists[2] = {0};
    int rc = decode(tokenizer, ids, n, skip_special, NULL, lists, out, err);

    token_list_release(&lists[0]);
    token_list_release(&lists[1]);
    return rc;
}

bool tokenizer_add_piece(const struct tokenizer *tokenizer, uint32_t id, struct buffer *out)
{
    size_t length = 0;
    const char *token = tokenizer_token(tokenizer, id, &length);

    return token && decoder_add_piece(tokenizer->decoder, token, length, out);
}

/* The text of what is out, and of all there is. Decoders look at neighbours, so a few ids that are
 * already out are decoded again. */
static int decode_both(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                       bool skip_special, struct error *err)
{
    const uint32_t *ids = stream->n_ids ? stream->ids + stream->n_prefix : NULL;

    buffer_clear(&stream->before);
    buffer_clear(&stream->now);
    return decode(tokenizer, ids, stream->n_read - stream->n_prefix, skip_special, stream->kept,
                  stream->lists, &stream->before, err) ||
                   decode(tokenizer, ids, stream->n_ids - stream->n_prefix, skip_special,
                          stream->kept, stream->lists, &stream->now, err)
               ? -1
               : 0;
}

int tokenizer_stream_add(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                         uint32_t id, bool skip_special, struct buffer *out, struct error *err)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const struct buffer *before = &stream->before, *now = &stream->now;

    if (stream->n_ids == stream->capacity) {
        stream->capacity = stream->capacity ? 2 * stream->capacity : 64;
        stream->ids = memory_resize(stream->ids, stream->capacity, sizeof *stream->ids);
    }
    stream->ids[stream->n_ids++] = id;
    if (decode_both(tokenizer, stream, skip_special, err))
        return -1;
    if (now->size > before->size &&
        !(now->size >= 3 && memcmp(now->data + now->size - 3, replacement, 3) == 0)) {
        buffer_add(out, now->data + before->size, now->size - before->size);
        stream->n_prefix = stream->n_read;
        stream->n_read = stream->n_ids;
    }
    return 0;
}

int tokenizer_stream_end(const struct tokenizer *tokenizer, struct tokenizer_stream *stream,
                         bool skip_special, struct buffer *out, struct error *err)
{
    const struct buffer *before = &stream->before, *now = &stream->now;

    if (decode_both(tokenizer, stream, skip_special, err))
        return -1;
    if (now->size > before->size)
        buffer_add(out, now->data + before->size, now->size - before->size);
    return 0;
}

void tokenizer_stream_release(struct tokenizer_stream *stream)
{
    free(stream->ids);
    token_list_release(&stream->lists[0]);
    token_list_release(&stream->lists[1]);
    buffer_release(&stream->before);
    buffer_release(&stream->now);
    *stream = (struct tokenizer_stream){0};
}

/* ---- look-ups ---- */

const char *tokenizer_token(const struct tokenizer *tokenizer, uint32_t id, size_t *length)
{
    const struct added_token *added = tokenizer_added_id(tokenizer, id);

    if (!added)
        return subword_token(tokenizer->subword, id, length);
    *length = added->length;
    return added->content;
}

int tokenizer_check_ids(const struct tokenizer *tokenizer, const uint32_t *ids, size_t n,
                        size_t n_rows, const char *name, struct error *err)
{
    size_t i = 0, length = 0;
    const char *token;

    while (i < n && ids[i] < n_rows)
        i++;
    if (i == n)
        return 0;
    token = tokenizer_token(tokenizer, ids[i], &length);
    return error_set(err, ERROR_FORMAT, "token '%.*s' has the id %u, but '%s' has embeddings for 0 "
                     "to %zu only (%zu rows); does the tokenizer belong to the model?", (int)(length < 160 ? length : 160),
                     token ? token : "", (unsigned)ids[i], name, n_rows - 1, n_rows);
}

bool tokenizer_find(const struct tokenizer *tokenizer, const char *token, uint32_t *id)
{
    const struct added_token *added = tokenizer_added(tokenizer, token, strlen(token));

    if (!added)
        return subword_find(tokenizer->subword, token, strlen(token), id);
    *id = added->id;
    return true;
}

bool tokenizer_special(const struct tokenizer *tokenizer, const char *name, uint32_t *id)
{
    for (size_t i = 0; i < tokenizer->n_specials; i++)
        if (strcmp(tokenizer->specials[i].name, name) == 0) {
            *id = tokenizer->specials[i].id;
            return true;
        }
    return false;
}

const char *tokenizer_type(const struct tokenizer *tokenizer)
{
    return subword_type(tokenizer->subword);
}

const char *tokenizer_file(const struct tokenizer *tokenizer)
{
    return tokenizer->file;
}

bool tokenizer_is_guess(const struct tokenizer *tokenizer)
{
    return tokenizer->is_guess;
}

/* ---- comparing ---- */

/* What is searched in a text, and how, in an order that does not depend on the file's. */
static int compare_contents(const void *a, const void *b)
{
    const struct added_token *x = *(const struct added_token *const *)a;
    const struct added_token *y = *(const struct added_token *const *)b;
    size_t n = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->content, y->content, n);

    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void describe_added(const struct tokenizer *tokenizer, struct buffer *out)
{
    const struct added_token **sorted = memory_alloc((tokenizer->n_added + 1) * sizeof *sorted);

    for (size_t i = 0; i < tokenizer->n_added; i++)
        sorted[i] = &tokenizer->added[i];
    qsort(sorted, tokenizer->n_added, sizeof *sorted, compare_contents);
    for (size_t i = 0; i < tokenizer->n_added; i++) {
        const struct added_token *token = sorted[i];
        const char *searched = token->normal ? token->normal : token->content;
        size_t length = token->normal ? token->normal_length : token->length;

        buffer_format(out, "%zu:", token->length);
        buffer_add(out, token->content, token->length);
        buffer_format(out, " %zu:", length);
        buffer_add(out, searched, length);
        buffer_format(out, " %d%d%d\n", token->single_word, token->lstrip, token->rstrip);
    }
    free(sorted);
}

void tokenizer_describe(const struct tokenizer *tokenizer, enum tokenizer_part part,
                        struct buffer *out)
{
    switch (part) {
    case TOKENIZER_ADDED: describe_added(tokenizer, out); break;
    case TOKENIZER_NORMALIZER: normalizer_describe(tokenizer->normalizer, out); break;
    case TOKENIZER_PRETOKENIZER: pretokenizer_describe(tokenizer->pretokenizer, out); break;
    case TOKENIZER_MODEL: subword_describe(tokenizer->subword, out); break;
    case TOKENIZER_TEMPLATE: template_describe(&tokenizer->template, out); break;
    }
}

int tokenizer_take_tokens(struct tokenizer *tokenizer, struct token_table *tokens,
                          struct error *err)
{
    subword_take_tokens(tokenizer->subword, tokens);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        if (token_table_put(tokens, tokenizer->added[i].content, tokenizer->added[i].length,
                            tokenizer->added[i].id, NULL, err))
            return -1;
    token_table_seal(tokens);
    return 0;
}
