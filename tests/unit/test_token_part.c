/* test_token_part.c - which tensors have something for each token. */
#include "mix/token_part.h"

#include "test.h"

static struct tensor tensor(const char *name, const size_t *shape, size_t n_dims)
{
    return (struct tensor){.name = name, .shape = shape, .n_dims = n_dims};
}

static void every_architecture_has_its_names(void)
{
    static const struct {
        const char *name;
        size_t n_dims;
        enum token_part part;
    } table[] = {
        {"model.embed_tokens.weight", 2, TOKEN_PART_EMBEDDING},
        {"transformer.wte.weight", 2, TOKEN_PART_EMBEDDING},
        {"transformer.word_embeddings.weight", 2, TOKEN_PART_EMBEDDING},             /* BLOOM, Falcon */
        {"backbone.embeddings.weight", 2, TOKEN_PART_EMBEDDING},                     /* Mamba */
        {"model.embeddings.tok_embeddings.weight", 2, TOKEN_PART_EMBEDDING},         /* ModernBERT */
        {"transformer.embedding.word_embeddings.weight", 2, TOKEN_PART_EMBEDDING},   /* ChatGLM */
        {"bert.embeddings.word_embeddings.weight", 2, TOKEN_PART_EMBEDDING},
        {"bert.embeddings.position_embeddings.weight", 2, TOKEN_PART_NONE},
        {"lm_head.weight", 2, TOKEN_PART_HEAD},
        {"proj_out.weight", 2, TOKEN_PART_HEAD},                                     /* Whisper */
        {"transformer.output_layer.weight", 2, TOKEN_PART_HEAD},
        {"decoder.weight", 2, TOKEN_PART_HEAD},
        {"predictions.decoder.weight", 2, TOKEN_PART_HEAD},                          /* ALBERT */
        {"generator_lm_head.weight", 2, TOKEN_PART_HEAD},                            /* ELECTRA */
        {"decoder.bias", 1, TOKEN_PART_BIAS},
        {"predictions.bias", 1, TOKEN_PART_BIAS},
        {"predictions.decoder.bias", 1, TOKEN_PART_BIAS},
        {"generator_lm_head.bias", 1, TOKEN_PART_BIAS},
        {"cls.predictions.decoder.bias", 1, TOKEN_PART_BIAS},
        {"lm_head.bias", 1, TOKEN_PART_BIAS},
        {"final_logits_bias", 2, TOKEN_PART_BIAS},                                   /* BART, Marian */
        {"model.norm.weight", 1, TOKEN_PART_NONE},
    };
    static const size_t shape[] = {1, 9};
    struct buffer plain = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct tensor like = tensor(table[i].name, shape, table[i].n_dims);

        if (token_part_of(&like, &plain) != table[i].part)
            CHECK(!"another part");
    }
    buffer_release(&plain);
}

static int check(const char *name, const size_t *shape, size_t n_dims, size_t n_tokens, size_t width)
{
    struct tensor embedding = tensor("e", (const size_t[]){n_tokens, width}, 2);
    struct tensor other = tensor(name, shape, n_dims);
    struct error err = {0};
    int rc = token_part_check_other(&other, &embedding, &err);

    CHECK(rc == 0 || err.code == ERROR_UNSUPPORTED);
    return rc;
}

static void what_has_as_many_rows_is_not_left_where_it_is(void)
{
    CHECK(check("medusa_head.0.1.weight", (size_t[]){9, 4}, 2, 9, 4));
    CHECK(check("some.bias", (size_t[]){9}, 1, 9, 4));
    CHECK(check("some.bias", (size_t[]){1, 9}, 2, 9, 4));
    CHECK(check("model.embed_tokens_per_layer.weight", (size_t[]){7, 6}, 2, 9, 4));
    CHECK(!check("model.norm.weight", (size_t[]){4}, 1, 9, 4));
    CHECK(!check("scale", NULL, 0, 9, 4));
    CHECK(!check("model.layers.0.mlp.up_proj.weight", (size_t[]){9, 4}, 2, 9, 4));
    CHECK(!check("embeddings.position_embeddings.weight", (size_t[]){9, 4}, 2, 9, 4));
    CHECK(!check("wpe.weight", (size_t[]){9, 4}, 2, 9, 4));
    CHECK(!check("model.norm.weight", (size_t[]){4}, 1, 4, 4)); /* as many tokens as it is wide */
}

static void one_row_becomes_a_column_and_back(void)
{
    struct arena arena = {0};
    struct tensor bias = tensor("final_logits_bias", (const size_t[]){1, 9}, 2);
    struct tensor head = tensor("lm_head.weight", (const size_t[]){1, 9}, 2), made;
    const struct tensor *rows = token_part_as_rows(&bias, &arena);

    CHECK(rows->n_dims == 2 && rows->shape[0] == 9 && rows->shape[1] == 1);
    CHECK(token_part_as_rows(&head, &arena) == &head);
    made = tensor("final_logits_bias", (const size_t[]){12, 1}, 2);
    token_part_shape_like(&made, &bias, &arena);
    CHECK(made.n_dims == 2 && made.shape[0] == 1 && made.shape[1] == 12);
    arena_release(&arena);
}

TESTS(TEST(every_architecture_has_its_names), TEST(what_has_as_many_rows_is_not_left_where_it_is),
      TEST(one_row_becomes_a_column_and_back))
