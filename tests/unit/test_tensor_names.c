/* test_tensor_names.c - one meaning, many spellings. */
#include "arch/tensor_names.h"

#include "test.h"

static void prefixes_and_old_spellings_go(void)
{
    static const char *const table[][2] = {
        {"embed_tokens.weight", "embed_tokens.weight"},
        {"model.embed_tokens.weight", "embed_tokens.weight"},
        {"model.layers.0.self_attn.q_proj.weight", "layers.0.self_attn.q_proj.weight"},
        {"lm_head.weight", "lm_head.weight"},
        {"transformer.h.0.attn.c_attn.bias", "h.0.attn.c_attn.bias"},
        {"h.0.attn.c_attn.bias", "h.0.attn.c_attn.bias"},
        {"bert.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight"},
        {"roberta.encoder.layer.0.output.dense.bias", "encoder.layer.0.output.dense.bias"},
        {"distilbert.transformer.layer.0.ffn.lin1.weight", "layer.0.ffn.lin1.weight"},
        {"transformer.layer.0.ffn.lin1.weight", "layer.0.ffn.lin1.weight"},
        {"gpt_neox.layers.3.attention.dense.weight", "layers.3.attention.dense.weight"},
        {"language_model.model.norm.weight", "norm.weight"},
        {"model.language_model.norm.weight", "norm.weight"},
        {"0.auto_model.encoder.layer.1.output.dense.bias", "encoder.layer.1.output.dense.bias"},
        {"auto_model.pooler.dense.weight", "pooler.dense.weight"},
        {"module.model.norm.weight", "norm.weight"},
        {"_orig_mod.model.norm.weight", "norm.weight"},
        {"module._orig_mod.lm_head.weight", "lm_head.weight"},
        {"base_model.model.model.norm.weight", "norm.weight"},
        {"bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"},
        {"embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"},
        {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight"},
        {"shared.weight", "shared.weight"},
        {"", ""},
        /* Not at the beginning, or only alike. */
        {"encoder.model.weight", "encoder.model.weight"},
        {"models.weight", "models.weight"},
        {"bertha.weight", "bertha.weight"},
        {"1.auto_model.x", "1.auto_model.x"},
        {"layer.gamma", "layer.gamma"},
        {"LayerNorm.gamma.x", "LayerNorm.gamma.x"},
    };
    struct buffer plain = {0};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        tensor_names_plain(table[i][0], &plain);
        if (strcmp(plain.data, table[i][1]) != 0)
            printf("# '%s' became '%s'\n", table[i][0], plain.data);
        CHECK(strcmp(plain.data, table[i][1]) == 0);
    }
    buffer_release(&plain);
}

static void buffers_are_told_from_parameters(void)
{
    static const struct {
        const char *name;
        size_t n_dims;
        bool is_parameter;
    } table[] = {
        {"bert.embeddings.position_ids", 2, false},
        {"embeddings.position_ids", 2, false},
        {"roberta.embeddings.token_type_ids", 2, false},
        {"model.layers.0.self_attn.rotary_emb.inv_freq", 1, false},
        {"model.rotary_emb.inv_freq", 1, false},
        {"gpt_neox.layers.0.attention.rotary_emb.inv_freq", 1, false},
        /* GPT-2: the mask is called as a bias is, but has four dimensions. */
        {"transformer.h.0.attn.bias", 4, false},
        {"h.0.attn.bias", 4, false},
        {"h.0.attn.bias", 1, true},
        {"h.0.attn.c_attn.bias", 1, true},
        {"h.0.attn.c_proj.bias", 1, true},
        {"h.0.attn.masked_bias", 0, false},
        {"h.0.attn.masked_bias", 1, false},
        /* GPT-NeoX */
        {"gpt_neox.layers.0.attention.bias", 4, false},
        {"gpt_neox.layers.0.attention.bias", 1, true},
        {"gpt_neox.layers.0.attention.masked_bias", 0, false},
        {"gpt_neox.layers.0.attention.query_key_value.bias", 1, true},
        {"layers.0.attn.mask", 2, false},
        {"layers.0.attn.cum_weight", 2, false},
        {"decoder.layers.0.mlp.linear_fc1._extra_state", 1, false},
        {"layers.0.q_proj.SCB", 1, false},
        {"layers.0.q_proj.weight_format", 1, false},
        {"layers.0.q_proj.g_idx", 1, false},
        {"model.embed_tokens.weight", 2, true},
        {"bert.embeddings.position_embeddings.weight", 2, true},
        {"bert.encoder.layer.0.attention.self.query.bias", 1, true},
        {"bert.encoder.layer.0.attention.output.dense.bias", 1, true},
        {"model.norm.weight", 1, true},
        {"score.weight", 2, true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct tensor tensor = {.name = table[i].name, .n_dims = table[i].n_dims};

        if (tensor_names_is_parameter(&tensor) != table[i].is_parameter)
            printf("# %s with %zu dimensions\n", table[i].name, table[i].n_dims);
        CHECK(tensor_names_is_parameter(&tensor) == table[i].is_parameter);
    }
}

static void a_tied_tensor_names_what_it_may_equal(void)
{
    static const struct {
        const char *name, *owner;
        bool is_head;
    } table[] = {
        {"lm_head.weight", "embed_tokens.weight", true},
        {"lm_head.weight", "wte.weight", true},
        {"lm_head.weight", "shared.weight", true},
        {"embed_out.weight", "embed_in.weight", true},
        {"output.weight", "tok_embeddings.weight", true},
        {"cls.predictions.decoder.weight", "embeddings.word_embeddings.weight", true},
        {"lm_head.decoder.weight", "embeddings.word_embeddings.weight", true},
        {"vocab_projector.weight", "embeddings.word_embeddings.weight", true},
        {"cls.predictions.decoder.bias", "cls.predictions.bias", false},
        {"lm_head.decoder.bias", "lm_head.bias", false},
        {"encoder.embed_tokens.weight", "shared.weight", false},
        {"decoder.embed_tokens.weight", "shared.weight", false},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct tied_name *tied = tensor_names_find_tied(table[i].name);
        bool is_found = false;

        CHECK(tied && tied->is_head == table[i].is_head);
        for (size_t k = 0; tied && tied->owners[k]; k++)
            is_found |= strcmp(tied->owners[k], table[i].owner) == 0;
        CHECK(is_found);
        if (table[i].is_head)
            CHECK(tensor_names_is_embedding(table[i].owner));
    }
    CHECK(!tensor_names_find_tied("embed_tokens.weight"));
    CHECK(!tensor_names_find_tied("lm_head.bias"));
    CHECK(!tensor_names_find_tied("model.lm_head.weight")); /* names are plain */
    CHECK(!tensor_names_is_embedding("embeddings.position_embeddings.weight"));
    CHECK(!tensor_names_is_embedding("cls.predictions.bias"));
}

static void heads_of_encoders_are_known(void)
{
    static const char *const yes[] = {
        "cls.predictions.transform.dense.weight", "cls.predictions.bias",
        "cls.seq_relationship.weight", "lm_head.dense.weight", "lm_head.layer_norm.bias",
        "vocab_transform.weight", "vocab_projector.bias", "classifier.weight",
        "classifier.out_proj.bias", "pre_classifier.weight", "score.weight",
    };
    static const char *const no[] = {
        "pooler.dense.weight", "embeddings.word_embeddings.weight", "encoder.layer.0.cls.weight",
        "layers.0.mlp.down_proj.weight", "scores.weight", "linear.weight",
    };

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        CHECK(tensor_names_is_encoder_head(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        CHECK(!tensor_names_is_encoder_head(no[i]));
}

/* What transformers looks for: with its own prefix or without any. */
static void names_are_written_as_the_architecture_has_them(void)
{
    static const struct name_style llama = {.body = "model."}, bare_bert = {"bert.", NULL, true},
                                   distilbert = {"distilbert.", "transformer.", false},
                                   bare_distilbert = {"distilbert.", "transformer.", true},
                                   t5 = {.body = ""}, unknown = {0};
    static const struct {
        const struct name_style *style;
        const char *stored, *written;
    } rows[] = {
        {&llama, "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"},
        {&llama, "layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight"},
        {&llama, "_orig_mod.model.norm.weight", "model.norm.weight"},
        {&llama, "base_model.model.model.norm.weight", "model.norm.weight"},
        {&llama, "language_model.model.norm.weight", "model.norm.weight"},
        {&llama, "module.norm.weight", "model.norm.weight"},
        {&llama, "module.lm_head.weight", "lm_head.weight"},
        {&llama, "model.layers.0._checkpoint_wrapped_module.mlp.up_proj.weight",
         "model.layers.0.mlp.up_proj.weight"},
        {&llama, "model.score.weight", "score.weight"},
        {&bare_bert, "bert.pooler.dense.bias", "bert.pooler.dense.bias"},
        {&bare_bert, "pooler.dense.bias", "pooler.dense.bias"},
        {&bare_bert, "model.pooler.dense.bias", "pooler.dense.bias"},
        {&bare_bert, "0.auto_model.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"},
        {&bare_bert, "bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"},
        {&distilbert, "distilbert.transformer.layer.0.ffn.lin1.weight",
         "distilbert.transformer.layer.0.ffn.lin1.weight"},
        {&distilbert, "module.distilbert.transformer.layer.0.ffn.lin1.weight",
         "distilbert.transformer.layer.0.ffn.lin1.weight"},
        {&distilbert, "distilbert.layer.0.ffn.lin1.weight",
         "distilbert.transformer.layer.0.ffn.lin1.weight"},
        {&distilbert, "transformer.layer.0.ffn.lin1.weight", "transformer.layer.0.ffn.lin1.weight"},
        {&distilbert, "distilbert.embeddings.word_embeddings.weight",
         "distilbert.embeddings.word_embeddings.weight"},
        {&distilbert, "module.pre_classifier.weight", "pre_classifier.weight"},
        {&bare_distilbert, "model.transformer.layer.0.ffn.lin1.weight",
         "transformer.layer.0.ffn.lin1.weight"},
        {&t5, "model.shared.weight", "shared.weight"},
        {&t5, "encoder.block.0.layer.0.layer_norm.weight",
         "encoder.block.0.layer.0.layer_norm.weight"},
        {&unknown, "module.model.layers.0.x", "model.layers.0.x"},
        {&unknown, "language_model.model.layers.0.x", "language_model.model.layers.0.x"},
    };
    struct buffer out = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tensor_names_write(rows[i].stored, *rows[i].style, &out);
        if (strcmp(out.data, rows[i].written) != 0)
            printf("# '%s' is written as '%s'\n", rows[i].stored, out.data);
        CHECK(strcmp(out.data, rows[i].written) == 0);
    }
    buffer_release(&out);
}

TESTS(TEST(names_are_written_as_the_architecture_has_them), TEST(prefixes_and_old_spellings_go), TEST(buffers_are_told_from_parameters),
      TEST(a_tied_tensor_names_what_it_may_equal), TEST(heads_of_encoders_are_known),)
