#include "examples.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "base/line_reader.h"
#include "base/memory.h"
#include "math/random.h"

void examples_release(struct examples *examples)
{
    free(examples->name);
    free(examples->items);
    arena_release(&examples->arena);
    unused_release(&examples->unused);
    *examples = (struct examples){0};
}

int examples_context(const struct examples *examples, const struct example *example,
                     struct error *err)
{
    if (examples->is_list)
        return error_context(err, "%s:%zu: example %zu", examples->name, example->line,
                             example->number);
    return error_context(err, "%s:%zu", examples->name, example->line);
}

/* ---- one example ---- */

enum member { INSTRUCTION, INPUT, OUTPUT, QUERY, POS, NEG, N_MEMBERS };

static const char *const member_names[N_MEMBERS] = {
    [INSTRUCTION] = "instruction", [INPUT] = "input", [OUTPUT] = "output",
    [QUERY] = "query", [POS] = "pos", [NEG] = "neg",
};

struct draft { /* an example while it is read */
    struct examples *examples;
    size_t line;
    struct arena *arena;
    bool has[N_MEMBERS];
    struct example_text texts[QUERY + 1], positive;
    struct example_text *negatives;
    size_t n_positives, n_negatives, capacity;
    char *task; /* the first unknown member that is a list */
    struct buffer keys; /* the names of all members, for messages */
};

static bool is_wanted(enum example_kind kind, enum member member)
{
    if (member == INSTRUCTION)
        return kind == EXAMPLE_OUTPUT;
    return (kind != EXAMPLE_RANKING) == (member == INPUT || member == OUTPUT);
}

/* An instruction needs no input, and an input no instruction. */
static bool is_needed(enum example_kind kind, enum member member, const struct draft *draft)
{
    return is_wanted(kind, member) && member != INSTRUCTION &&
           !(member == INPUT && is_wanted(kind, INSTRUCTION) && draft->has[INSTRUCTION]);
}

/* Fails: the value that follows is not what was expected. */
static int wrong_type(struct json_reader *reader, const char *expected, struct error *err)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",        [JSON_STRING] = "a string",
        [JSON_NUMBER] = "a number",  [JSON_BOOL] = "true or false", [JSON_NULL] = "null",
    };
    enum json_kind kind = json_reader_peek(reader);

    if (json_reader_skip(reader, err)) /* it is no value at all */
        return -1;
    return error_set(err, ERROR_FORMAT, "is %s, not %s", names[kind], expected);
}

static int read_text(struct json_reader *reader, const char *expected, struct arena *arena,
                     struct example_text *out, struct error *err)
{
    struct json_text text;

    if (json_reader_peek(reader) != JSON_STRING)
        return wrong_type(reader, expected, err);
    if (json_reader_string(reader, &text, err))
        return -1;
    out->bytes = arena_copy(arena, text.bytes, text.length);
    out->n = text.length;
    return 0;
}

static int read_passage(struct json_reader *reader, bool is_positive, const char *expected,
                        struct draft *draft, struct error *err)
{
    struct example_text text = {0};

    if (read_text(reader, expected, draft->arena, &text, err))
        return -1;
    if (is_positive) {
        if (draft->n_positives++ == 0)
            draft->positive = text;
        return 0;
    }
    if (draft->n_negatives == draft->capacity) {
        draft->capacity = draft->capacity ? 2 * draft->capacity : 8;
        draft->negatives =
            memory_resize(draft->negatives, draft->capacity, sizeof *draft->negatives);
    }
    draft->negatives[draft->n_negatives++] = text;
    return 0;
}

/* A list of texts, or one text. */
static int read_passages(struct json_reader *reader, bool is_positive, struct draft *draft,
                         struct error *err)
{
    size_t item = 0;
    int more;

    *(is_positive ? &draft->n_positives : &draft->n_negatives) = 0;
    if (json_reader_peek(reader) != JSON_ARRAY)
        return read_passage(reader, is_positive, "a list of strings", draft, err);
    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0) {
        item++;
        if (read_passage(reader, is_positive, "a string", draft, err))
            return error_context(err, "item %zu", item);
    }
    return more;
}

static void add_key(struct buffer *keys, struct json_text key)
{
    if (keys->size < 200)
        buffer_format(keys, "%s\"%.60s\"", keys->size ? ", " : "", key.bytes);
}

/* The value behind `key`. */
static int read_member(struct json_reader *reader, enum example_kind kind, struct json_text key,
                       struct draft *draft, struct error *err)
{
    enum member member = 0;
    int rc;

    add_key(&draft->keys, key);
    while (member < N_MEMBERS && !json_text_is(key, member_names[member]))
        member++;
    if (member == INSTRUCTION && json_reader_peek(reader) == JSON_NULL)
        return json_reader_skip(reader, err);
    if (member < N_MEMBERS)
        draft->has[member] = true;
    if (member == N_MEMBERS || !is_wanted(kind, member)) {
        unused_add(&draft->examples->unused, key.bytes, draft->line);
        if (member == N_MEMBERS && !draft->task && json_reader_peek(reader) == JSON_ARRAY)
            draft->task = memory_copy(key.bytes);
        return json_reader_skip(reader, err);
    }
    rc = member == POS || member == NEG
             ? read_passages(reader, member == POS, draft, err)
             : read_text(reader, "a string", draft->arena, &draft->texts[member], err);
    return rc ? error_context(err, "\"%s\"", member_names[member]) : 0;
}

static int find_missing(enum example_kind kind, const struct draft *draft, struct error *err)
{
    bool has_other = false, has_wanted = false;

    for (enum member member = 0; member < N_MEMBERS; member++) {
        has_other |= draft->has[member] && member != INSTRUCTION && !is_wanted(kind, member);
        has_wanted |= draft->has[member] && is_wanted(kind, member);
    }
    for (enum member member = 0; member < N_MEMBERS; member++) {
        if (draft->has[member] || !is_needed(kind, member, draft))
            continue;
        if (has_other)
            return error_set(err, ERROR_FORMAT, "no \"%s\"; a model of this type takes %s, and this "
                             "is %s: {%s}", member_names[member],
                             kind != EXAMPLE_RANKING ? "{\"input\", \"output\"}"
                                                     : "{\"query\", \"pos\", \"neg\"}",
                             kind != EXAMPLE_RANKING ? "for encoders and rerankers"
                                                     : "for decoders and encoder-decoders",
                             draft->keys.data);
        if (draft->task)
            return error_set(err, ERROR_FORMAT, "no \"%s\"; if '" ERROR_NAME "' is a task with a "
                             "list of examples, choose it with --task", member_names[member],
                             draft->task);
        if (!has_wanted && draft->keys.size)
            return error_set(err, ERROR_FORMAT, "no \"%s\", but %s", member_names[member],
                             draft->keys.data);
        return error_set(err, ERROR_FORMAT, "no \"%s\"", member_names[member]);
    }
    return 0;
}

static int check_draft(enum example_kind kind, const struct draft *draft, struct error *err)
{
    if (find_missing(kind, draft, err))
        return -1;
    if (kind != EXAMPLE_RANKING && draft->texts[OUTPUT].n == 0)
        return error_set(err, ERROR_FORMAT, "\"output\" is empty");
    if (kind == EXAMPLE_RANKING && draft->n_positives == 0)
        return error_set(err, ERROR_FORMAT, "\"pos\" is an empty list");
    if (kind == EXAMPLE_RANKING && draft->n_negatives == 0)
        return error_set(err, ERROR_FORMAT, "\"neg\" is an empty list");
    return 0;
}

/* The instruction, and the input on the next line, as far as they are there. */
static struct example_text join_input(struct examples *examples, const struct draft *draft)
{
    struct example_text first = draft->texts[INSTRUCTION], second = draft->texts[INPUT];
    char *bytes;

    if (!draft->has[INSTRUCTION] || first.n == 0)
        return second;
    if (!examples->instruction_line)
        examples->instruction_line = draft->line;
    if (second.n == 0)
        return first;
    bytes = arena_alloc(&examples->arena, first.n + second.n + 2);
    memcpy(bytes, first.bytes, first.n);
    bytes[first.n] = '\n';
    memcpy(bytes + first.n + 1, second.bytes, second.n + 1);
    return (struct example_text){bytes, first.n + second.n + 1};
}

static void keep_draft(struct examples *examples, const struct draft *draft, size_t line,
                       size_t number)
{
    struct example *example;

    if (examples->n_items == examples->capacity) {
        examples->capacity = examples->capacity ? 2 * examples->capacity : 16;
        examples->items = memory_resize(examples->items, examples->capacity,
                                        sizeof *examples->items);
    }
    example = &examples->items[examples->n_items++];
    *example = (struct example){
        .line = line,
        .number = number,
        .input = join_input(examples, draft),
        .output = draft->texts[OUTPUT],
        .query = draft->texts[QUERY],
        .positive = draft->positive,
        .n_negatives = draft->n_negatives,
    };
    if (draft->n_positives > 1 && !examples->positives_line)
        examples->positives_line = line;
    if (draft->n_negatives) {
        size_t size = draft->n_negatives * sizeof *draft->negatives;

        example->negatives = memcpy(arena_alloc(&examples->arena, size), draft->negatives, size);
    }
}

/* The object that follows. */
static int read_example(struct examples *examples, struct json_reader *reader,
                        enum example_kind kind, size_t line, size_t number, struct error *err)
{
    struct draft draft = {.examples = examples, .line = line, .arena = &examples->arena};
    struct json_text key;
    int more = -1;

    if (json_reader_peek(reader) != JSON_OBJECT)
        wrong_type(reader, "an object", err);
    else
        more = json_reader_object(reader, err) ? -1 : 1;
    while (more > 0) {
        more = json_reader_member(reader, &key, err);
        if (more > 0 && read_member(reader, kind, key, &draft, err))
            more = -1;
    }
    if (more == 0)
        more = check_draft(kind, &draft, err);
    if (more == 0)
        keep_draft(examples, &draft, line, number);
    free(draft.negatives);
    free(draft.task);
    buffer_release(&draft.keys);
    return more;
}

/* ---- JSON Lines ---- */

static int read_line(struct examples *examples, const char *text, size_t n, size_t line,
                     enum example_kind kind, struct error *err)
{
    const struct example here = {.line = line};
    struct json_reader reader;
    int rc = 0;

    json_reader_init(&reader, text, n);
    if (json_reader_peek(&reader) != JSON_NONE || reader.position < reader.size) {
        rc = read_example(examples, &reader, kind, line, line, err);
        if (rc == 0)
            rc = json_reader_finish(&reader, err);
        if (rc && examples->n_items == 0 && reader.depth > 0 && reader.position >= reader.size) {
            *err = (struct error){0};
            error_set(err, ERROR_FORMAT, "ends within an object; one line holds one example, "
                      "and of an object of lists --task says which");
        }
    }
    json_reader_release(&reader);
    return rc ? examples_context(examples, &here, err) : 0;
}

static int read_lines(struct examples *examples, struct line_reader *lines, const char *text,
                      size_t n, enum example_kind kind, struct error *err)
{
    int more = 1;

    while (more > 0) {
        if (read_line(examples, text, n, line_reader_line(lines), kind, err))
            return -1;
        more = line_reader_next(lines, &text, &n, err);
    }
    return more;
}

/* ---- a JSON document ---- */

struct document {
    struct json_reader reader;
    size_t line, position; /* the line of a position in the text */
    bool is_in_example;
};

static size_t line_here(struct document *document)
{
    for (; document->position < document->reader.position; document->position++)
        document->line += document->reader.text[document->position] == '\n';
    return document->line;
}

static int read_list(struct examples *examples, struct document *document,
                     enum example_kind kind, struct error *err)
{
    struct json_reader *reader = &document->reader;
    int more;

    if (json_reader_peek(reader) != JSON_ARRAY)
        return wrong_type(reader, "a list of examples", err);
    if (json_reader_array(reader, err))
        return -1;
    while ((more = json_reader_item(reader, err)) > 0) {
        size_t number = examples->n_items + 1;

        json_reader_peek(reader); /* steps over white space */
        document->is_in_example = true;
        if (read_example(examples, reader, kind, line_here(document), number, err))
            return error_context(err, "example %zu", number);
        document->is_in_example = false;
    }
    return more;
}

static void add_name(struct buffer *names, struct json_text key)
{
    if (names->size < 200)
        buffer_format(names, "%s%.60s", names->size ? ", " : "", key.bytes);
    else if (names->data[names->size - 1] != '.')
        buffer_add_text(names, ", ...");
}

/* The list `task` of an object of lists. */
static int read_task(struct examples *examples, struct document *document, const char *task,
                     enum example_kind kind, struct error *err)
{
    struct json_reader *reader = &document->reader;
    struct buffer names = {0};
    bool is_found = false;
    struct json_text key;
    int more = -1;

    if (json_reader_peek(reader) != JSON_OBJECT)
        wrong_type(reader, "an object of lists, as --task wants", err);
    else
        more = json_reader_object(reader, err) ? -1 : 1;
    while (more > 0 && (more = json_reader_member(reader, &key, err)) > 0) {
        if (json_text_is(key, task)) {
            examples->n_items = 0; /* of a name given twice the last counts, as in Python */
            is_found = true;
            if (read_list(examples, document, kind, err))
                more = -1;
        } else {
            add_name(&names, key);
            if (json_reader_skip(reader, err))
                more = -1;
        }
    }
    if (more == 0 && !is_found)
        more = error_set(err, ERROR_FORMAT, "no task '" ERROR_NAME "'; there is: %s", task,
                         names.data ? names.data : "none");
    buffer_release(&names);
    return more;
}

static int read_document(struct examples *examples, struct line_reader *lines, const char *first,
                         size_t n, const char *task, enum example_kind kind, struct error *err)
{
    struct document document = {.line = line_reader_line(lines)};
    struct buffer text = {0};
    const char *rest;
    size_t n_rest;
    int rc = -1;

    buffer_add(&text, first, n);
    buffer_add_char(&text, '\n');
    if (line_reader_rest(lines, SIZE_MAX, &rest, &n_rest, err))
        goto done;
    buffer_add(&text, rest, n_rest);
    examples->is_list = true;
    json_reader_init(&document.reader, text.data, text.size);
    rc = task ? read_task(examples, &document, task, kind, err)
              : read_list(examples, &document, kind, err);
    if (rc == 0)
        rc = json_reader_finish(&document.reader, err);
    if (rc) /* what is wrong in an example is said to be where it begins */
        error_context(err, "%s:%zu", examples->name,
                      document.is_in_example ? document.line : line_here(&document));
    json_reader_release(&document.reader);
done:
    buffer_release(&text);
    return rc;
}

/* ---- a file ---- */

/* The first line that is not blank says what the file is. */
static int first_line(struct line_reader *lines, const char **text, size_t *n, bool *is_list,
                      struct error *err)
{
    int more;

    while ((more = line_reader_next(lines, text, n, err)) > 0) {
        struct json_reader reader;
        enum json_kind kind;
        bool is_blank;

        json_reader_init(&reader, *text, *n);
        kind = json_reader_peek(&reader);
        is_blank = kind == JSON_NONE && reader.position == reader.size;
        json_reader_release(&reader);
        *is_list = kind == JSON_ARRAY;
        if (!is_blank)
            return 1;
    }
    return more;
}

int examples_load(struct examples *examples, const char *path, enum example_kind kind,
                  const char *task, struct error *err)
{
    struct line_reader *lines = line_reader_open_told(path, err);
    bool is_list = false;
    const char *text;
    size_t n;
    int rc;

    *examples = (struct examples){0};
    if (!lines)
        return -1;
    examples->name = memory_copy(line_reader_name(lines));
    rc = first_line(lines, &text, &n, &is_list, err);
    if (rc > 0)
        rc = task || is_list ? read_document(examples, lines, text, n, task, kind, err)
                             : read_lines(examples, lines, text, n, kind, err);
    if (rc == 0 && examples->n_items == 0)
        rc = error_set(err, ERROR_FORMAT, "'%s': holds no examples", examples->name);
    line_reader_close(lines);
    return rc;
}

/* ---- thinning ---- */

/* Selection sampling: each that is left is taken with the chance that fills the places left. */
static size_t draw(struct example_text *texts, size_t n, size_t n_kept, struct random *random)
{
    size_t n_taken = 0;

    for (size_t i = 0; i < n; i++)
        if (random_below(random, n - i) < n_kept - n_taken)
            texts[n_taken++] = texts[i];
    return n_taken;
}

void examples_thin(struct examples *examples, size_t n_negatives, uint64_t seed)
{
    struct random random;

    random_init(&random, seed);
    for (size_t i = 0; i < examples->n_items; i++) {
        struct example *example = &examples->items[i];

        if (example->n_negatives > n_negatives) {
            examples->n_thinned += example->n_negatives - n_negatives;
            example->n_negatives =
                draw(example->negatives, example->n_negatives, n_negatives, &random);
        }
    }
}

/* ---- notices ---- */

void examples_note(const struct examples *examples, struct notices *notices)
{
    if (examples->instruction_line)
        notices_add(notices, "'%s': the \"instruction\" of an example is put before its \"input\", "
                    "on a line of its own (from line %zu)", examples->name,
                    examples->instruction_line);
    if (examples->positives_line)
        notices_add(notices, "'%s': of several texts in \"pos\" the first is used (from line %zu)",
                    examples->name, examples->positives_line);
    if (examples->n_thinned)
        notices_add(notices, "'%s': %zu negatives are left out, as --neg-number says",
                    examples->name, examples->n_thinned);
    unused_note(&examples->unused, examples->name, notices);
}
