#include "encoded_examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/memory.h"

/* Examples whose ids are held twice: as a thread made them, and among all. */
enum { BLOCK_ITEMS = 1024 };

struct made { /* of one example */
    struct sequences texts;
    size_t n_given, n_texts, n_cut;
};

struct scratch { /* of a worker */
    struct tokenizer_scratch *tokenizer;
    struct encoding encoding;
    struct buffer text;
};

struct block {
    const struct encoding_rules *rules;
    const struct examples *examples;
    size_t first;
    struct made *made;        /* [BLOCK_ITEMS] */
    struct scratch *scratch;  /* [workers of the pool] */
};

/* ---- one example ---- */

static int encode(const struct encoding_rules *rules, struct scratch *scratch,
                  struct example_text text, const struct example_text *pair, size_t max_length,
                  bool is_prompt, struct made *made, struct error *err)
{
    const struct encode_options options = {.no_special = is_prompt, .max_length = max_length,
                                           .has_marks = rules->have_marks};

    if (tokenizer_encode(rules->tokenizer, scratch->tokenizer, text.bytes, text.n,
                         pair ? pair->bytes : NULL, pair ? pair->n : 0, &options,
                         &scratch->encoding, err))
        return -1;
    made->n_texts += max_length > 0;
    made->n_cut += scratch->encoding.is_truncated;
    return 0;
}

/* input + " " + output and the end of text; no blank behind a prompt. As many targets are left out
 * as the input alone has ids, whatever the joint text makes of it: so LM-Cocktail. A tokenizer that
 * names no end of text does without. */
static int make_continuation(const struct encoding_rules *rules, struct scratch *scratch,
                             const struct example *example, struct made *made, struct error *err)
{
    const struct encoding *encoding = &scratch->encoding;
    struct buffer *joint = &scratch->text;
    size_t n, n_read;
    bool has_eos;
    uint32_t eos;

    if (encode(rules, scratch, example->input, NULL, 0, rules->are_prompts, made, err))
        return -1;
    /* Of no tokens at all: none stands before the first, nothing could tell it. */
    made->n_given = encoding->n_ids ? encoding->n_ids : 1;
    buffer_clear(joint);
    buffer_add(joint, example->input.bytes, example->input.n);
    if (!rules->are_prompts)
        buffer_add_char(joint, ' ');
    buffer_add(joint, example->output.bytes, example->output.n);
    if (encode(rules, scratch, (struct example_text){joint->data, joint->size}, NULL, 0,
               rules->are_prompts, made, err))
        return -1;
    has_eos = tokenizer_special(rules->tokenizer, "eos_token", &eos);
    n = encoding->n_ids + has_eos;
    n_read = n < rules->max_length ? n : rules->max_length;
    made->n_texts = 1;
    made->n_cut = n_read < n;
    sequences_add(&made->texts, encoding->ids, NULL, n_read - (has_eos && n_read == n));
    if (has_eos && n_read == n)
        sequences_extend(&made->texts, eos);
    if (made->n_given >= n_read)
        return error_set(err, ERROR_FORMAT, "nothing of the output is left: the input has %zu "
                         "tokens, and of both together %zu of %zu are read", made->n_given, n_read,
                         n);
    return 0;
}

static int add_text(const struct encoding_rules *rules, struct scratch *scratch,
                    struct example_text text, const struct example_text *pair, const char *what,
                    bool is_prompt, struct made *made, struct error *err)
{
    const struct encoding *encoding = &scratch->encoding;

    if (encode(rules, scratch, text, pair, rules->max_length, is_prompt, made, err))
        return -1;
    if (encoding->n_ids == 0)
        return error_set(err, ERROR_FORMAT, "%s", what);
    sequences_add(&made->texts, encoding->ids, encoding->type_ids, encoding->n_ids);
    return 0;
}

static int make_answer(const struct encoding_rules *rules, struct scratch *scratch,
                       const struct example *example, struct made *made, struct error *err)
{
    return add_text(rules, scratch, example->input, NULL, "the input has no tokens",
                    rules->are_prompts, made, err) ||
                   add_text(rules, scratch, example->output, NULL, "the output has no tokens", false,
                            made, err)
               ? -1
               : 0;
}

static int add_prompted(const struct encoding_rules *rules, struct scratch *scratch,
                        struct example_text text, const struct example_text *pair,
                        struct made *made, struct error *err)
{
    if (rules->prompt) {
        buffer_clear(&scratch->text);
        buffer_add_text(&scratch->text, rules->prompt);
        buffer_add(&scratch->text, text.bytes, text.n);
        text = (struct example_text){scratch->text.data, scratch->text.size};
    }
    return add_text(rules, scratch, text, pair, "a text without tokens", false, made, err);
}

static int make_ranking(const struct encoding_rules *rules, struct scratch *scratch,
                        const struct example *example, struct made *made, struct error *err)
{
    bool is_pair = rules->type == MODEL_RERANKER;

    if (!is_pair && add_prompted(rules, scratch, example->query, NULL, made, err))
        return -1;
    for (size_t i = 0; i <= example->n_negatives; i++) {
        struct example_text passage = i ? example->negatives[i - 1] : example->positive;

        if (is_pair ? add_prompted(rules, scratch, example->query, &passage, made, err)
                    : add_prompted(rules, scratch, passage, NULL, made, err))
            return -1;
    }
    return 0;
}

static int make_example(void *context, size_t task, size_t worker, struct error *err)
{
    const struct block *block = context;
    const struct example *example = &block->examples->items[block->first + task];
    struct scratch *scratch = &block->scratch[worker];
    struct made *made = &block->made[task];
    enum model_type type = block->rules->type;

    if (interrupt_check(err))
        return -1;
    if ((type == MODEL_DECODER           ? make_continuation
         : type == MODEL_ENCODER_DECODER ? make_answer
                                         : make_ranking)(block->rules, scratch, example, made, err))
        return examples_context(block->examples, example, err);
    return 0;
}

/* ---- all of them ---- */

struct known { /* texts by their ids and type ids, as bytes that stay where they are */
    struct hash_map map;
    struct arena arena;
    struct buffer key;
};

static uint32_t find_text(struct encoded_examples *encoded, struct known *known,
                          struct sequence text)
{
    size_t number = encoded->texts.n_sequences, *found;
    struct buffer *key = &known->key;

    buffer_clear(key);
    buffer_add(key, (const char *)text.ids, text.n * sizeof *text.ids);
    buffer_add(key, (const char *)text.type_ids, text.n);
    found = hash_map_find(&known->map, key->data, key->size);
    if (found)
        return (uint32_t)*found;
    hash_map_add(&known->map, arena_copy(&known->arena, key->data, key->size), key->size, number);
    sequences_add(&encoded->texts, text.ids, text.type_ids, text.n);
    return (uint32_t)number;
}

static void keep(struct encoded_examples *encoded, struct known *known, const struct made *made)
{
    size_t i = encoded->n_items++;

    encoded->n_given[i] = made->n_given;
    encoded->n_texts += made->n_texts;
    encoded->n_cut += made->n_cut;
    for (size_t t = 0; t < made->texts.n_sequences; t++)
        ids_add(&encoded->numbers, find_text(encoded, known, sequences_get(&made->texts, t)));
    encoded->ends[i] = encoded->numbers.n_items;
}

static int make_block(struct encoded_examples *encoded, struct known *known, struct block *block,
                      struct threads *threads, struct error *err)
{
    size_t n = block->examples->n_items - block->first;
    int rc;

    n = n < BLOCK_ITEMS ? n : BLOCK_ITEMS;
    rc = threads_run(threads, n, make_example, block, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            keep(encoded, known, &block->made[i]);
        sequences_release(&block->made[i].texts);
        block->made[i] = (struct made){0};
    }
    block->first += n;
    return rc;
}

static int make_all(struct encoded_examples *encoded, const struct examples *examples,
                    struct threads *threads, struct error *err)
{
    size_t n = examples->n_items, n_workers = threads_count(threads);
    struct known known = {0};
    struct block block = {
        .rules = &encoded->rules,
        .examples = examples,
        .made = memory_zalloc(n < BLOCK_ITEMS ? n : BLOCK_ITEMS, sizeof *block.made),
        .scratch = memory_zalloc(n_workers, sizeof *block.scratch),
    };
    int rc = 0;

    encoded->ends = memory_zalloc(n, sizeof *encoded->ends);
    encoded->n_given = memory_zalloc(n, sizeof *encoded->n_given);
    for (size_t i = 0; i < n_workers; i++)
        block.scratch[i].tokenizer = tokenizer_scratch_new(encoded->rules.tokenizer);
    while (rc == 0 && block.first < n)
        rc = make_block(encoded, &known, &block, threads, err);
    for (size_t i = 0; i < n_workers; i++) {
        tokenizer_scratch_free(block.scratch[i].tokenizer);
        encoding_release(&block.scratch[i].encoding);
        buffer_release(&block.scratch[i].text);
    }
    free(block.scratch);
    free(block.made);
    hash_map_release(&known.map);
    arena_release(&known.arena);
    buffer_release(&known.key);
    return rc;
}

static bool is_made_by(const struct encoded_examples *encoded, const struct encoding_rules *rules)
{
    const struct encoding_rules *by = &encoded->rules;

    return encoded->n_items && by->type == rules->type && by->tokenizer == rules->tokenizer &&
           by->max_length == rules->max_length && by->are_prompts == rules->are_prompts &&
           by->have_marks == rules->have_marks &&
           !by->prompt == !rules->prompt && (!by->prompt || strcmp(by->prompt, rules->prompt) == 0);
}

int encoded_examples_make(struct encoded_examples *encoded, const struct encoding_rules *rules,
                          const struct examples *examples, struct threads *threads,
                          struct error *err)
{
    if (is_made_by(encoded, rules))
        return 0;
    encoded_examples_release(encoded);
    encoded->rules = *rules;
    if (rules->prompt)
        encoded->rules.prompt = encoded->prompt = memory_copy(rules->prompt);
    if (make_all(encoded, examples, threads, err)) {
        encoded_examples_release(encoded);
        return -1;
    }
    return 0;
}

void encoded_examples_release(struct encoded_examples *encoded)
{
    sequences_release(&encoded->texts);
    ids_release(&encoded->numbers);
    free(encoded->ends);
    free(encoded->n_given);
    free(encoded->prompt);
    *encoded = (struct encoded_examples){0};
}

/* ---- what is there ---- */

const uint32_t *encoded_examples_numbers(const struct encoded_examples *encoded, size_t example,
                                         size_t *n_texts)
{
    size_t first = example ? encoded->ends[example - 1] : 0;

    *n_texts = encoded->ends[example] - first;
    return encoded->numbers.items + first;
}

struct sequence encoded_examples_text(const struct encoded_examples *encoded, size_t example,
                                      size_t text)
{
    size_t n;

    return sequences_get(&encoded->texts, encoded_examples_numbers(encoded, example, &n)[text]);
}

int encoded_examples_check(const struct encoded_examples *encoded, const struct examples *examples,
                           size_t n_embeddings, const char *name, struct error *err)
{
    const struct ids *ids = &encoded->texts.ids;
    size_t i = 0;

    while (i < ids->n_items && ids->items[i] < n_embeddings)
        i++;
    for (size_t e = 0; i < ids->n_items && e < encoded->n_items; e++) {
        size_t n;
        const uint32_t *numbers = encoded_examples_numbers(encoded, e, &n);

        for (size_t t = 0; t < n; t++) {
            struct sequence text = sequences_get(&encoded->texts, numbers[t]);

            if (tokenizer_check_ids(encoded->rules.tokenizer, text.ids, text.n, n_embeddings, name,
                                    err))
                return examples_context(examples, &examples->items[e], err);
        }
    }
    return 0;
}
