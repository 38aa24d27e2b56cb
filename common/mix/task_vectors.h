/* task_vectors.h - task arithmetic and its kin: differences from the base, thinned out, voted on,
 * summed, and added to the base.
 *
 * For every input: d = x - base, in float; some of its items are dropped (how, is what the methods
 * differ in); with rescale, the rest is multiplied by the sum of all magnitudes over the sum of
 * those that are left, unless one is below 1e-7. Then w d. Where the method votes, the sign of an
 * item is that of the sum of all w d (+ for 0), and only what has that sign counts. The sum is, with
 * normalize, divided by the sum of the weights (of those that count in the item, where there is a
 * vote, unless that is 0; of all, where there is none, unless it is below 1e-8); multiplied by
 * lambda; added. Density 1 drops nothing, density 0 everything.
 *
 * Without drops and votes all this is one weighted sum of models and base, and computed so, in
 * double: it is then the same for all methods. */
#ifndef COCKTAIL_TASK_VECTORS_H
#define COCKTAIL_TASK_VECTORS_H

#include "mix/blocks.h"
#include "mix/combine_method.h"

/* Which items of a block are kept, of one input: to kept[BLOCKS_WORDS] (blocks.h). Called for the blocks of a call in their order, input by input in each; `context` is the method's
 * own, and knows how far it is. */
typedef void task_keep(const struct combine_call *call, void *context, size_t input, size_t first,
                       size_t n, const float *difference, uint64_t *kept);

struct task_rules {
    task_keep *keep; /* NULL: all are kept */
    void *context;
    const double *scales; /* [n_inputs], of what is kept; NULL: 1 */
    bool votes;
};

/* Places of settings. */
enum { TASK_DENSITY, TASK_GAMMA, TASK_EPSILON = TASK_GAMMA };
enum { TASK_NORMALIZE, TASK_RESCALE, TASK_LAMBDA, TASK_INT8_MASK };

#define TASK_WEIGHT                                                                               \
    {"weight", COMBINE_WEIGHT, COMBINE_NUMBER, .is_required = true,                               \
     .meaning = "factor of the model's difference from the base"}
#define TASK_DENSITY_ROW                                                                          \
    {"density", COMBINE_EACH, COMBINE_NUMBER, .standard = 1, .most = 1,                           \
     .meaning = "which part of the difference is kept"}
#define TASK_WHOLE(normalize_standard, rescale_standard)                                          \
    {"normalize", COMBINE_ALL, COMBINE_BOOLEAN, .standard = (normalize_standard),                 \
     .meaning = "divide by the sum of the weights"},                                              \
    {"rescale", COMBINE_ALL, COMBINE_BOOLEAN, .standard = (rescale_standard),                     \
     .meaning = "make what is kept as large as what was there"},                                  \
    {"lambda", COMBINE_ALL, COMBINE_NUMBER, .standard = 1,                                        \
     .meaning = "factor of the sum of the differences"},                                          \
    {"int8_mask", COMBINE_ALL, COMBINE_BOOLEAN, .meaning = "accepted, changes nothing"}

/* What happens to the difference of an input. */
enum task_share { TASK_NONE, TASK_SOME, TASK_ALL };
enum task_share task_share(const struct combine_input *input);
/* Whether some input keeps some. */
bool task_drops(const struct combine_call *call);
bool task_rescales(const struct combine_call *call);
/* `all` over `kept`, two sums of magnitudes; 1 where one is too small. */
double task_scale(double all, double kept);

/* What a pass does with the differences of an input that keeps some: with a block of them, n, and 0
 * behind. Called as task_keep is. */
typedef void task_looker(const struct combine_call *call, void *context, size_t input, size_t first,
                         size_t n, const float *difference);
void task_look(const struct combine_call *call, task_looker *look, void *context);

/* What task_combine has there for each input, and behind it the method what it wants for itself:
 * their sum is its scratch_input_bytes. */
struct task_block {
    uint64_t kept[BLOCKS_WORDS];
    float difference[COMBINE_BLOCK_ITEMS];
};
enum { TASK_INPUT_BYTES = sizeof(struct block_term) + sizeof(struct task_block) };
void *task_scratch(const struct combine_call *call); /* aligned to 8 */
void task_combine(const struct task_rules *rules, const struct combine_call *call, void *out);

#endif
