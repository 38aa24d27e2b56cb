/* gguf_names.h - what the tensors of a model are called in a GGUF file, and how they lie there.
 *
 * One table for both directions. Source: docs/models.md, "GGUF". */
#ifndef COCKTAIL_GGUF_NAMES_H
#define COCKTAIL_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* An architecture of GGUF that is a model of transformers: a mixture of experts is another one,
 * though GGUF calls both llama. */
struct gguf_architecture {
    const char *name;       /* general.architecture */
    const char *model_type; /* of config.json */
    const char *class_name; /* architectures[0] there */
    bool has_experts;       /* expert_count is above 0 */
    unsigned set;           /* one bit, for the tables */
};

enum { /* sets of architectures */
    GGUF_LLAMA = 1 << 0, GGUF_MIXTRAL = 1 << 1, GGUF_QWEN2 = 1 << 2, GGUF_QWEN3 = 1 << 3,
    GGUF_QWEN2_MOE = 1 << 4, GGUF_QWEN3_MOE = 1 << 5, GGUF_GEMMA = 1 << 6, GGUF_GEMMA2 = 1 << 7,
    GGUF_GEMMA3 = 1 << 8, GGUF_PHI3 = 1 << 9, GGUF_GPT2 = 1 << 10, GGUF_BERT = 1 << 11,
    GGUF_GRANITE_MOE = 1 << 12, GGUF_OLMOE = 1 << 13, GGUF_DEEPSEEK2 = 1 << 14,
    GGUF_ALL = (1 << 15) - 1,
    GGUF_GEMMAS = GGUF_GEMMA | GGUF_GEMMA2 | GGUF_GEMMA3,
    GGUF_EXPERTS = GGUF_MIXTRAL | GGUF_QWEN2_MOE | GGUF_QWEN3_MOE | GGUF_GRANITE_MOE | GGUF_OLMOE |
                   GGUF_DEEPSEEK2,
    GGUF_ROTARY = GGUF_ALL & ~(GGUF_GPT2 | GGUF_BERT),
};

/* How the tensor of GGUF comes from that of transformers. */
enum gguf_how {
    GGUF_AS_IS,
    GGUF_PAIRS_OF_Q, GGUF_PAIRS_OF_K, /* of each head, rows 0, n/2, 1, n/2 + 1, …; biases, too */
    GGUF_PLUS_1,       /* w + 1, in float */
    GGUF_TURNED,       /* [n_in, n_out] as [n_out, n_in]; biases as they are */
    GGUF_STACKED,      /* [E, …] of the tensors of all experts ('@') */
    GGUF_GATE_ROWS, GGUF_UP_ROWS, /* of each expert, the first and the second half of its rows */
    /* Only read, and then HF's name is NULL: */
    GGUF_QKV,          /* rows of attn_q, attn_k and attn_v, each as it would be alone */
    GGUF_GATE_UP,      /* rows of ffn_gate_exps and ffn_up_exps, expert by expert */
    GGUF_K_B, GGUF_V_B, /* [n_heads, rank, n], [n_heads, n, rank]: rows of attn_kv_b, by heads */
    GGUF_ROPE,         /* factors of rotary embeddings: config.json has them */
    GGUF_DROPPED,      /* says nothing that the rest does not say */
};

struct gguf_name {
    const char *gguf, *hf; /* '#' stands for the number of the layer, '@' for that of the expert */
    enum gguf_how how;
    unsigned set;
    bool is_needed; /* each layer, and each expert, has the weight */
    unsigned biased; /* of the set, those that may have a bias, too */
};

/* NULL: we do not know it. `name` is general.architecture. */
const struct gguf_architecture *gguf_architecture_find(const char *name, bool has_experts);
/* The one that a model of that model_type is written as; NULL: there is none. */
const struct gguf_architecture *gguf_architecture_of(const char *model_type);
/* "llama, qwen2, …" */
void gguf_architecture_list(struct buffer *out);

/* A row for a name, and what stands in the name for its marks. */
struct gguf_place {
    const struct gguf_name *name;
    size_t layer, expert; /* 0 where the name has no such mark */
    const char *ending;   /* ".weight", ".bias", or "" where the names of the row are whole */
};

/* The rows of an architecture, one after another: `i` counts all rows; NULL at the end. */
const struct gguf_name *gguf_names_next(const struct gguf_architecture *architecture, size_t *i);
/* By the name in GGUF, and by that of transformers (with prefixes: architecture_name_style). False:
 * there is none. Numbers above 10^9 are none. */
bool gguf_names_find(const struct gguf_architecture *architecture, const char *gguf,
                     struct gguf_place *place);
bool gguf_names_find_hf(const struct gguf_architecture *architecture, const char *hf,
                        struct gguf_place *place);
/* Adds place->name->gguf or …->hf with its marks and its ending. */
void gguf_names_add(struct buffer *out, const char *pattern, const struct gguf_place *place);

#endif
