/* lora_factors.h - A and B of an adapter's modules as floats, read when they are needed: those of a few
 * modules at once, so that a model streams past its adapter. */
#ifndef COCKTAIL_LORA_FACTORS_H
#define COCKTAIL_LORA_FACTORS_H

#include <stddef.h>

#include "adapter/lora_folder.h"
#include "math/svd.h"

enum { LORA_PANEL = 32 };

/* A matrix [n_rows, n] in panels of LORA_PANEL columns, the last filled up with zeros: panel p has row r at
 * ((p n_rows) + r) LORA_PANEL. */
struct lora_panels {
    const float *values;
    size_t n_rows;
};

struct lora_factors {
    struct lora_panels a, b; /* A [rank n_experts, in], B turned [rank n_experts, out] */
};

struct lora_store; /* may be used by several threads at once */

/* The folder is borrowed, and must stay where it is. Freed with lora_store_free. */
struct lora_store *lora_store_new(const struct lora_folder *lora);
void lora_store_free(struct lora_store *store);
/* Releases *svd, which may be filled until then, when the store is freed. */
void lora_store_keep(struct lora_store *store, struct svd *svd);
/* The factors of module number `module`, valid until they are given back. ERROR_RESOURCES, ERROR_IO. */
int lora_store_take(struct lora_store *store, size_t module, struct lora_factors *factors,
                    struct error *err);
void lora_store_give(struct lora_store *store, size_t module);

#endif
