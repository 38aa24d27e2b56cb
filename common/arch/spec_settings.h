/* spec_settings.h - the fields of struct model_spec as settings: what a user calls each, and what
 * it means when two models differ in it.
 *
 * One row for each field in which models may differ by config.json. Those that always follow from
 * another, or from the family, have none; tests/unit/test_spec_compare.c lists them with the reason
 * and fails for a field that is neither there nor tried. */
#ifndef COCKTAIL_SPEC_SETTINGS_H
#define COCKTAIL_SPEC_SETTINGS_H

#include <stddef.h>

enum { SETTING_KEYS_MAX = 12 };

enum setting_kind {
    SETTING_SIZE,          /* size_t */
    SETTING_SIZE_OR_NONE,  /* 0: none */
    SETTING_FLOAT,
    SETTING_FLOAT_OR_NONE, /* 0: none */
    SETTING_DOUBLE,
    SETTING_DOUBLE_OR_NONE, /* 0: none */
    SETTING_BOOL,
    SETTING_CHOICE,        /* an enum */
    SETTING_ID,            /* int64_t; negative: none */
    SETTING_TOKEN,         /* uint32_t */
    SETTING_HEADS,         /* query heads, of each chosen expert where attention has experts */
    SETTING_WINDOW,        /* where a layer slides; else none */
    SETTING_SLIDING,       /* layers that slide; counts where both have a window */
    SETTING_LAYERS,        /* uint8_t [n_layers], or NULL: none */
    SETTING_ROPE_KIND,     /* with its factor */
    SETTING_ROPE_FACTORS,  /* double [n_dims / 2] */
    SETTING_FAMILY,
};

enum setting_place { /* struct that the offset counts from; bits */
    IN_MODEL = 1,
    IN_STACK = 2,
    IN_ENCODER = 4, /* of an encoder-decoder */
    IN_MLA = 8,
    IN_MOE = 16,
    IN_ATTENTION_MOE = 32,
    IN_ROPE = 64,          /* of full layers */
    IN_SLIDING_ROPE = 128, /* of sliding ones, if there are any */
};

struct setting_key {
    const char *name;   /* in config.json; after "rope." in rope_parameters or rope_scaling */
    const char *absent; /* what its absence means; NULL: what the field holds */
};

struct setting {
    unsigned places;
    size_t offset;
    enum setting_kind kind;
    /* What models must have the same of: a difference is refused. NULL: it is told in a notice. */
    const char *same;
    const char *plain;        /* its name where no key explains a difference; NULL: the first's */
    const char *const *names; /* SETTING_CHOICE: by value. One name, one meaning */
    unsigned rope_kinds;      /* bits: counts where both are of one of these kinds; 0: always */
    /* In the order in which they are looked at; those that may be behind a difference. */
    struct setting_key keys[SETTING_KEYS_MAX];
};

extern const struct setting settings[];
extern const size_t n_settings;

/* Where the struct of a place lies in struct model_spec. Encoders have neither ropes nor latent
 * heads nor experts in attention. */
extern const struct setting_home {
    enum setting_place place;
    size_t offset;
} setting_homes[];
extern const size_t n_setting_homes;

#endif
