/* A mixture of experts runs from the mapped file and touches, of its experts, only those that the
 * router chooses. The model is mostly a hole in a sparse file: what is read of it is counted page by
 * page. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/model.h"
#include "scratch.h"

enum {
    HIDDEN = 256, INNER = 2048, N_EXPERTS = 48, N_CHOSEN = 2, N_LAYERS = 2, VOCAB = 16,
    EXPERT_BYTES = HIDDEN * INNER * 2, /* of one matrix, BF16 */
    /* The kernel maps pages around one that is asked for. */
    AROUND = 128 * 1024,
};

static const char config[] =
    "{\"architectures\":[\"MixtralForCausalLM\"],\"hidden_size\":256,\"intermediate_size\":2048,"
    "\"num_local_experts\":48,\"num_experts_per_tok\":2,\"num_hidden_layers\":2,\"vocab_size\":16,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":4}";

/* Embeddings and routers get numbers, so that tokens differ in what they choose. */
static uint16_t number_at(size_t i)
{
    uint32_t bits = (uint32_t)(i * 2654435761u + 12345u) * 2246822519u;

    return (uint16_t)(0x3e80 | (bits >> 31) << 15 | (bits >> 20 & 0xff)); /* ± 0.25 to 1 */
}

static void fill(int fd, off_t at, size_t n_items, size_t seed)
{
    uint16_t *values = memory_zalloc(n_items, sizeof *values);

    for (size_t i = 0; i < n_items; i++)
        values[i] = seed ? number_at(i * 31 + seed) : 0x3f80;
    scratch_must(pwrite(fd, values, n_items * 2, at) == (ssize_t)(n_items * 2), "write", "model");
    free(values);
}

struct tensors {
    struct output_tensor list[16 + N_LAYERS * (9 + 3 * N_EXPERTS)];
    size_t n;
};

static void add(struct tensors *tensors, char *name, size_t rows, size_t columns)
{
    struct output_tensor *tensor = &tensors->list[tensors->n++];
    size_t *shape = memory_zalloc(2, sizeof *shape);
    struct error err = {0};

    shape[0] = rows;
    shape[1] = columns;
    *tensor = (struct output_tensor){.name = name, .dtype = DTYPE_BF16, .shape = shape,
                                     .n_dims = columns ? 2 : 1};
    CHECK(output_tensor_measure(tensor, &err) == 0);
}

static void add_layer(struct tensors *tensors, size_t layer)
{
    static const char *const attention[] = {"q", "k", "v", "o"};

    add(tensors, memory_format("model.layers.%zu.input_layernorm.weight", layer), HIDDEN, 0);
    add(tensors, memory_format("model.layers.%zu.post_attention_layernorm.weight", layer), HIDDEN,
        0);
    add(tensors, memory_format("model.layers.%zu.block_sparse_moe.gate.weight", layer), N_EXPERTS,
        HIDDEN);
    for (size_t i = 0; i < 4; i++)
        add(tensors, memory_format("model.layers.%zu.self_attn.%s_proj.weight", layer,
                                   attention[i]), HIDDEN, HIDDEN);
    for (size_t e = 0; e < N_EXPERTS; e++)
        for (int w = 1; w <= 3; w++)
            add(tensors, memory_format("model.layers.%zu.block_sparse_moe.experts.%zu.w%d.weight",
                                       layer, e, w), w == 2 ? HIDDEN : INNER,
                w == 2 ? INNER : HIDDEN);
}

/* Writes model/, with experts that are a hole. */
static void make_model(void)
{
    static struct tensors tensors;
    static const struct output_tensor *order[sizeof tensors.list / sizeof *tensors.list];
    struct buffer header = {0};
    off_t at;
    int fd;

    tensors.n = 0;
    add(&tensors, memory_copy("model.embed_tokens.weight"), VOCAB, HIDDEN);
    add(&tensors, memory_copy("lm_head.weight"), VOCAB, HIDDEN);
    add(&tensors, memory_copy("model.norm.weight"), HIDDEN, 0);
    for (size_t i = 0; i < N_LAYERS; i++)
        add_layer(&tensors, i);
    for (size_t i = 0; i < tensors.n; i++)
        order[i] = &tensors.list[i];
    qsort(order, tensors.n, sizeof *order, scratch_compare);
    safetensors_add_header(&header, order, tensors.n);
    scratch_text("model/config.json", config);
    scratch_write("model/model.safetensors", header.data, header.size);
    fd = open(scratch_path("model/model.safetensors"), O_WRONLY);
    at = (off_t)header.size;
    for (size_t i = 0; i < tensors.n; i++) {
        if (strstr(order[i]->name, "embed_tokens") || strstr(order[i]->name, "moe.gate"))
            fill(fd, at, order[i]->n_items, i + 1);
        else if (strstr(order[i]->name, "norm"))
            fill(fd, at, order[i]->n_items, 0);
        at += (off_t)order[i]->size_bytes;
    }
    scratch_must(fd >= 0 && ftruncate(fd, at) == 0 && close(fd) == 0, "write", "model");
    buffer_release(&header);
    for (size_t i = 0; i < tensors.n; i++) {
        free((char *)tensors.list[i].name);
        free((void *)tensors.list[i].shape);
    }
}

/* ---- what was chosen, and what was touched ---- */

static bool is_chosen[N_LAYERS][N_EXPERTS];

static void note(void *context, const struct routing *routing)
{
    (void)context;
    for (size_t i = 0; i < routing->batch->ends[0] * N_CHOSEN; i++)
        is_chosen[routing->layer][routing->experts[i]] = true;
}

/* Whether this program has the page at `address` in its map. Source: Linux,
 * Documentation/admin-guide/mm/pagemap.rst. */
static bool is_present(int pagemap, uintptr_t address, size_t page)
{
    uint64_t entry = 0;

    scratch_must(pread(pagemap, &entry, sizeof entry, (off_t)(address / page * sizeof entry)) ==
                     sizeof entry, "read", "/proc/self/pagemap");
    return entry >> 63;
}

/* Bytes of pages that lie whole between begin and end, without `margin` at both ends. */
static size_t count_bytes(int pagemap, const char *begin, size_t n_bytes, size_t margin)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
    uintptr_t at = ((uintptr_t)begin + margin + page - 1) / page * page;

    for (; at + page <= (uintptr_t)begin + n_bytes - margin; at += page)
        n += is_present(pagemap, at, page) ? page : 0;
    return n;
}

static void only_the_chosen_experts_are_touched(void)
{
    struct error err = {0};
    struct notices notices = {0};
    struct threads *threads = threads_new(2, &err);
    struct model_folder folder = {0};
    uint32_t ids[] = {3, 7};
    size_t end = 2, n_chosen = 0, touched_chosen = 0, touched_others = 0, others = 0, all = 0;
    struct batch batch = {.ids = ids, .ends = &end, .n_sequences = 1};
    float *hidden = memory_zalloc(2 * HIDDEN, sizeof *hidden);
    const struct file *file;
    struct model *model;
    int pagemap;

    make_model();
    CHECK(model_folder_open(&folder, scratch_path("model"), NULL, false, &err) == 0);
    model = model_load(&folder, MODEL_DECODER, threads, &notices, &err);
    CHECK(model != NULL);
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    CHECK(pagemap >= 0);
    if (!model || pagemap < 0)
        return;
    model->watcher.see = note;
    CHECK(model_run(model, &batch, hidden, &err) == 0);
    for (size_t l = 0; l < N_LAYERS; l++)
        for (size_t e = 0; e < N_EXPERTS; e++) {
            const struct moe_weights *moe = model->parameters.stack.layers[l].moe;
            const struct linear *parts[] = {&moe->gate[e], &moe->up[e], &moe->down[e]};

            n_chosen += is_chosen[l][e];
            for (size_t i = 0; i < 3; i++) {
                const char *data = parts[i]->matrix.data;

                if (is_chosen[l][e]) {
                    touched_chosen += count_bytes(pagemap, data, EXPERT_BYTES, AROUND);
                } else {
                    touched_others += count_bytes(pagemap, data, EXPERT_BYTES, AROUND);
                    others++;
                }
            }
        }
    file = model->checkpoint->files[0].file;
    all = count_bytes(pagemap, file->map, file->size_bytes, 0);
    printf("# %zu of %d experts chosen, %zu of %zu bytes touched\n", n_chosen,
           N_LAYERS * N_EXPERTS, all, file->size_bytes);
    CHECK(n_chosen >= 4 && n_chosen <= N_LAYERS * N_CHOSEN * 2);
    CHECK(touched_others == 0 && others > 0);
    CHECK(touched_chosen >= n_chosen * 3 * (EXPERT_BYTES - 2 * AROUND - 8192));
    /* The experts chosen, the parts that all tokens pass, and pages around both. */
    CHECK(all <= n_chosen * 3 * (EXPERT_BYTES + 2 * AROUND) +
                     N_LAYERS * 4 * (HIDDEN * HIDDEN * 2 + 2 * AROUND) + 4 * AROUND);
    close(pagemap);
    model_free(model);
    model_folder_release(&folder);
    threads_free(threads);
    notices_release(&notices);
    free(hidden);
}

TESTS(TEST(only_the_chosen_experts_are_touched))
