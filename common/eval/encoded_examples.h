/* encoded_examples.h - examples as ids: made once, on all threads, for all models that read them
 * alike. A text that comes more than once, a passage of several queries say, is there once. */
#ifndef COCKTAIL_ENCODED_EXAMPLES_H
#define COCKTAIL_ENCODED_EXAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/architecture.h"
#include "base/error.h"
#include "base/threads.h"
#include "eval/examples.h"
#include "eval/sequences.h"
#include "text/tokenizer.h"

struct encoding_rules { /* all borrowed */
    enum model_type type;
    const struct tokenizer *tokenizer;
    const char *prompt;         /* in front of a query, and of a passage of an encoder, or NULL */
    size_t max_length;          /* tokens of a text, at least 1 */
    bool are_prompts;           /* inputs are prompts as a chat template puts them, */
    bool have_marks;            /* with the marks of special_marks.h */
};

/* The texts of an example, in this order:
 *   decoder          input, output and end of text as one; its first n_given[i] ids are not judged.
 *                    Behind a prompt, which has its special tokens, no blank comes
 *   encoder-decoder  the input; the output, which should come out
 *   encoder          query, positive, negatives
 *   reranker         the query with the positive, with each negative */
struct encoded_examples { /* a zeroed struct holds none */
    struct sequences texts; /* all different */
    struct ids numbers;     /* [ends of the last example]: which text */
    size_t *ends;           /* [n_items] of each example, in numbers */
    size_t *n_given;        /* [n_items], of a decoder at least 1; else 0 */
    size_t n_items;
    size_t n_texts, n_cut;  /* as notices count them */
    struct encoding_rules rules; /* that they were made by; the prompt is a copy */
    char *prompt;
};

/* Makes them, unless they are there as these rules have them. ERROR_FORMAT, with FILE:LINE, for an
 * example of which nothing is left to be judged; ERROR_SIGINT. Released with encoded_examples_release,
 * also after an error. */
int encoded_examples_make(struct encoded_examples *encoded, const struct encoding_rules *rules,
                          const struct examples *examples, struct threads *threads,
                          struct error *err);
void encoded_examples_release(struct encoded_examples *encoded);

/* ERROR_FORMAT, with FILE:LINE, for a token that the model `name` has no embedding for. */
int encoded_examples_check(const struct encoded_examples *encoded, const struct examples *examples,
                           size_t n_embeddings, const char *name, struct error *err);

/* Of an example: the numbers of its texts, [n_texts]. */
const uint32_t *encoded_examples_numbers(const struct encoded_examples *encoded, size_t example,
                                         size_t *n_texts);
/* One of its texts. */
struct sequence encoded_examples_text(const struct encoded_examples *encoded, size_t example,
                                      size_t text);

#endif
