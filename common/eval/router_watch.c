#include "router_watch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "math/vector.h"

/* With fewer tokens than this many times E / K, loads are noise. */
enum { TOKENS_PER_CHOICE = 50 };

const char *router_stack_name(bool is_encoder)
{
    return is_encoder ? "encoder" : "decoder";
}

const char *router_part_name(bool is_attention)
{
    return is_attention ? "attention" : "mlp";
}

/* ---- one router ---- */

static void release_router(struct watched_router *router)
{
    router_tally_release(&router->tally);
    router_agreement_release(&router->agreement);
    free(router->row_norms);
    free(router->experts);
    free(router->logits);
}

static const struct gemm_matrix *matrix_of(const struct model *model,
                                           const struct watched_router *router)
{
    const struct stack *stack =
        router->is_encoder ? &model->parameters.encoder : &model->parameters.stack;
    const struct layer *layer = &stack->layers[router->layer];

    return &(router->is_attention ? layer->self.experts : layer->moe)->router.matrix;
}

/* Left NULL when there is no matrix with a row for each expert. */
static void find_row_norms(struct watched_router *router, const struct model *model)
{
    const struct gemm_matrix *matrix = matrix_of(model, router);
    float *values;

    if (!matrix->data || matrix->n_out != router->spec.n_experts)
        return;
    values = memory_zalloc(matrix->n_in, sizeof *values);
    router->row_norms = memory_zalloc(matrix->n_out, sizeof *router->row_norms);
    for (size_t e = 0; e < matrix->n_out; e++) {
        double sum = 0;

        gemm_matrix_row(matrix, e, values);
        for (size_t i = 0; i < matrix->n_in; i++)
            sum += (double)values[i] * (double)values[i];
        router->row_norms[e] = sqrt(sum);
    }
    free(values);
}

static struct watched_router *find_router(struct router_watch *watch,
                                          const struct watched_router *like)
{
    for (size_t i = 0; i < watch->n_routers; i++) {
        struct watched_router *router = &watch->routers[i];

        if (router->layer == like->layer && router->is_encoder == like->is_encoder &&
            router->is_attention == like->is_attention)
            return router;
    }
    return NULL;
}

/* The last one of its kind that has come before. */
static const struct watched_router *find_above(const struct router_watch *watch,
                                               const struct watched_router *router)
{
    for (size_t i = (size_t)(router - watch->routers); i > 0; i--) {
        const struct watched_router *other = &watch->routers[i - 1];

        if (other->is_encoder == router->is_encoder &&
            other->is_attention == router->is_attention)
            return other;
    }
    return NULL;
}

static int add_router(struct router_watch *watch, const struct watched_router *like,
                      struct error *err)
{
    struct watched_router *router;

    watch->routers =
        memory_resize(watch->routers, watch->n_routers + 1, sizeof *watch->routers);
    router = &watch->routers[watch->n_routers++];
    *router = *like;
    find_row_norms(router, watch->model);
    return router_tally_init(&router->tally, &router->spec, err);
}

/* *room items of item_size bytes become at least n. */
static void *make_room(void *old, size_t *room, size_t n, size_t item_size, struct error *err)
{
    if (n <= *room)
        return old;
    free(old);
    *room = 0;
    old = memory_try(n, item_size, "what the routers chose", err);
    *room = old ? n : 0;
    return old;
}

static int keep(struct watched_router *router, const struct routing *routing, bool keeps_logits,
                struct error *err)
{
    size_t n_tokens = router_n_tokens(routing);
    size_t n_choices = n_tokens * router->spec.n_chosen;
    size_t n_logits = keeps_logits ? n_tokens * router->spec.n_experts : 0;

    router->experts = make_room(router->experts, &router->n_experts_max, n_choices,
                                sizeof *router->experts, err);
    router->logits = make_room(router->logits, &router->n_logits_max, n_logits,
                               sizeof *router->logits, err);
    if (router->n_experts_max < n_choices || router->n_logits_max < n_logits)
        return -1;
    memcpy(router->experts, routing->experts, n_choices * sizeof *router->experts);
    if (keeps_logits)
        memcpy(router->logits, routing->logits, n_logits * sizeof *router->logits);
    return 0;
}

/* ---- a second model ---- */

static int compare(struct watched_router *router, struct router_watch *first,
                   const char *name, const struct routing *routing, struct error *err)
{
    const struct watched_router *other = find_router(first, router);
    struct routing kept = *routing;

    if (!other || other->spec.n_experts != router->spec.n_experts ||
        other->spec.n_chosen != router->spec.n_chosen)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' has no such router as layer %zu of '%s': "
                         "they cannot be compared", first->name, router->layer, name);
    kept.spec = &other->spec;
    kept.experts = other->experts;
    kept.logits = other->logits;
    return router_agreement_add(&router->agreement, &kept, routing, err);
}

static int compare_numbers(const struct moe_spec *a, const struct moe_spec *b, const char *where,
                           const char *a_name, const char *b_name, struct error *err)
{
    if (a->n_experts != b->n_experts)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' has %zu experts%s, '%s' has %zu: their "
                         "routers cannot be compared", a_name, a->n_experts, where, b_name,
                         b->n_experts);
    if (a->n_chosen != b->n_chosen)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' has %zu experts%s for a token, '%s' has "
                         "%zu: their routers cannot be compared", a_name, a->n_chosen, where,
                         b_name, b->n_chosen);
    return 0;
}

static int compare_stacks(const struct stack_spec *a, const struct stack_spec *b,
                          const char *a_name, const char *b_name, struct error *err)
{
    if (a->n_layers != b->n_layers)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' has %zu layers, '%s' has %zu: their "
                         "routers cannot be compared", a_name, a->n_layers, b_name, b->n_layers);
    if (compare_numbers(&a->moe, &b->moe, "", a_name, b_name, err))
        return -1;
    if (!a->attention_moe.n_experts != !b->attention_moe.n_experts ||
        !a->is_sparse != !b->is_sparse ||
        (a->is_sparse && memcmp(a->is_sparse, b->is_sparse, a->n_layers) != 0))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' and '%s' have their experts in different "
                         "places: their routers cannot be compared", a_name, b_name);
    return compare_numbers(&a->attention_moe, &b->attention_moe, " of attention", a_name, b_name,
                           err);
}

/* ---- watching ---- */

/* Where ranks divide the texts, each knows all routers, also before a text has come. */
static int add_stack(struct router_watch *watch, const struct stack_spec *stack, struct error *err)
{
    for (size_t i = 0; i < stack->n_layers; i++)
        for (size_t is_mlp = 0; is_mlp < 2; is_mlp++) {
            const struct watched_router router = {
                .is_encoder = stack == &watch->model->spec.encoder,
                .is_attention = !is_mlp,
                .layer = i,
                .spec = is_mlp ? stack->moe : stack->attention_moe,
            };

            if ((is_mlp ? stack->is_sparse && stack->is_sparse[i]
                        : stack->attention_moe.n_experts > 0) &&
                add_router(watch, &router, err))
                return -1;
        }
    return 0;
}

static int see(struct router_watch *watch, const struct routing *routing, struct error *err)
{
    const struct watched_router like = {
        .is_encoder = routing->stack == &watch->model->spec.encoder,
        .is_attention = routing->is_attention,
        .layer = routing->layer,
        .spec = *routing->spec,
    };
    struct watched_router *router = find_router(watch, &like);
    const struct watched_router *above;

    assert(router);
    above = find_above(watch, router);
    router_tally_add(&router->tally, routing, above ? above->experts : NULL);
    if (keep(router, routing, watch->keeps_logits, err))
        return -1;
    return watch->first ? compare(router, watch->first, watch->name, routing, err) : 0;
}

static void see_or_remember(void *context, const struct routing *routing)
{
    struct router_watch *watch = context;

    if (!watch->failure.code)
        see(watch, routing, &watch->failure);
}

static bool has_experts(const struct stack_spec *stack)
{
    return stack->is_sparse && memchr(stack->is_sparse, 1, stack->n_layers);
}

int router_watch_start(struct router_watch *watch, struct model *model, const char *name,
                       struct router_watch *first, struct error *err)
{
    *watch = (struct router_watch){.name = name, .model = model, .first = first};
    if (!has_experts(&model->spec.stack) && !has_experts(&model->spec.encoder))
        return error_set(err, ERROR_INCOMPATIBLE, "'%s': has no experts, and so no routers", name);
    if (first &&
        (compare_stacks(&first->model->spec.stack, &model->spec.stack, first->name, name, err) ||
         compare_stacks(&first->model->spec.encoder, &model->spec.encoder, first->name, name,
                        err)))
        return -1;
    if ((model->spec.is_encoder_decoder && add_stack(watch, &model->spec.encoder, err)) ||
        add_stack(watch, &model->spec.stack, err))
        return -1;
    model->watcher = (struct routing_watcher){see_or_remember, watch};
    if (first)
        first->keeps_logits = true;
    return 0;
}

void router_watch_release(struct router_watch *watch)
{
    for (size_t i = 0; i < watch->n_routers; i++)
        release_router(&watch->routers[i]);
    for (size_t i = 0; i < watch->n_groups; i++)
        free(watch->groups[i].routers);
    free(watch->routers);
    free(watch->groups);
    if (watch->model)
        watch->model->watcher = (struct routing_watcher){0};
    *watch = (struct router_watch){0};
}

static int check(const struct router_watch *watch, struct error *err)
{
    if (!watch->failure.code)
        return 0;
    *err = watch->failure;
    return -1;
}

static int follow(void *context, const struct pass *pass, struct error *err)
{
    struct router_watch *watch = context;
    float *hidden;
    int rc;

    if (!watch->first)
        return check(watch, err);
    if (check(watch->first, err))
        return -1;
    hidden = memory_try(pass_n_rows(pass), watch->model->spec.hidden_size * sizeof *hidden,
                        "hidden states", err);
    if (!hidden)
        return -1;
    rc = pass_run(watch->model, pass, hidden, err) || check(watch, err) ? -1 : 0;
    free(hidden);
    if (rc && err->code != ERROR_SIGINT && err->code != ERROR_SIGTERM)
        error_context(err, "'%s'", watch->name);
    return rc;
}

static int gather_one(struct router_watch *watch, struct error *err)
{
    for (size_t i = 0; i < watch->n_routers; i++)
        if (router_tally_gather(&watch->routers[i].tally, err) ||
            router_agreement_gather(&watch->routers[i].agreement, err))
            return -1;
    return 0;
}

static int gather(void *context, struct error *err)
{
    struct router_watch *watch = context;

    return (watch->first && gather_one(watch->first, err)) || gather_one(watch, err) ? -1 : 0;
}

struct pass_follower router_watch_follower(struct router_watch *watch)
{
    return (struct pass_follower){.follow = follow, .gather = gather, .context = watch};
}

/* ---- the end ---- */

static struct router_group *find_group(struct router_watch *watch,
                                       const struct watched_router *router)
{
    struct router_group *group;

    for (size_t g = 0; g < watch->n_groups; g++) {
        group = &watch->groups[g];
        if (group->is_encoder == router->is_encoder &&
            group->is_attention == router->is_attention)
            return group;
    }
    watch->groups = memory_resize(watch->groups, watch->n_groups + 1, sizeof *watch->groups);
    group = &watch->groups[watch->n_groups++];
    *group = (struct router_group){
        .is_encoder = router->is_encoder,
        .is_attention = router->is_attention,
        .routers = memory_zalloc(watch->n_routers, sizeof *group->routers),
    };
    return group;
}

static void sum_up(struct router_group *group)
{
    const struct router_stats **layers = memory_zalloc(group->n_routers, sizeof *layers);

    for (size_t i = 0; i < group->n_routers; i++)
        layers[i] = &group->routers[i]->stats;
    router_stats_sum_up(&group->overall, layers, group->n_routers);
    free(layers);
}

/* Of the routers that have seen the fewest for what they choose from. */
static void note_few_tokens(const struct router_watch *watch, struct notices *notices)
{
    const struct router_tally *worst = NULL;
    size_t most_missing = 0, enough = 0;

    for (size_t i = 0; i < watch->n_routers; i++) {
        const struct router_tally *tally = &watch->routers[i].tally;
        size_t wanted = TOKENS_PER_CHOICE * tally->n_experts / tally->n_chosen;

        if (tally->n_tokens >= wanted || wanted - tally->n_tokens <= most_missing)
            continue;
        worst = tally;
        enough = wanted;
        most_missing = wanted - tally->n_tokens;
    }
    if (worst)
        notices_add(notices, "%zu tokens are few for routers that choose %zu of %zu experts: below "
                    "%zu, loads are mostly chance", worst->n_tokens, worst->n_chosen,
                    worst->n_experts, enough);
}

int router_watch_end(struct router_watch *watch, struct notices *notices, struct error *err)
{
    for (size_t i = 0; i < watch->n_routers; i++)
        if (router_tally_join(&watch->routers[i].tally, err) ||
            router_agreement_join(&watch->routers[i].agreement, err))
            return -1;
    for (size_t i = 0; i < watch->n_routers; i++) {
        struct watched_router *router = &watch->routers[i];
        struct router_group *group = find_group(watch, router);

        router_stats_find(&router->stats, &router->tally, router->row_norms);
        if (watch->first)
            router_stats_compare(&router->stats, &router->agreement,
                                 &find_router(watch->first, router)->tally, &router->tally);
        group->routers[group->n_routers++] = router;
    }
    for (size_t g = 0; g < watch->n_groups; g++)
        sum_up(&watch->groups[g]);
    if (!watch->first)
        note_few_tokens(watch, notices);
    return 0;
}
