#include "expert_group.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/ranks.h"

/* "1, 2 or 4": what divides n. */
static void add_divisors(struct buffer *out, size_t n)
{
    for (size_t d = 1; d <= n; d++)
        if (n % d == 0)
            buffer_format(out, "%s%zu", d == 1 ? "" : d == n ? " or " : ", ", d);
}

static size_t common_divisor(size_t a, size_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

int expert_group_init(struct expert_group *group, size_t n, struct error *err)
{
    size_t count = ranks_count();
    struct buffer would_do = {0};

    *group = (struct expert_group){.n = n};
    if (count % n == 0) {
        group->first = ranks_number() / n * n;
        group->number = ranks_number() % n;
        return 0;
    }
    add_divisors(&would_do, count);
    if (count == 1)
        error_set(err, ERROR_USAGE, "--expert-parallel %zu: there is one rank; 'mpirun -n %zu' starts "
                  "as many", n, n);
    else
        error_set(err, ERROR_USAGE, "--expert-parallel %zu: groups of so many cannot be made of %zu "
                  "ranks; %s would do", n, count, would_do.data);
    buffer_release(&would_do);
    return -1;
}

void expert_group_release(struct expert_group *group)
{
    free(group->lenders);
    *group = (struct expert_group){0};
}

struct share expert_group_share(const struct expert_group *group, size_t n_experts)
{
    size_t n = group ? n_experts / group->n : n_experts, first = group ? group->number * n : 0;

    return (struct share){first, first + n};
}

/* ---- models ---- */

bool expert_group_stack_has_experts(const struct stack_spec *stack)
{
    return stack->attention_moe.n_experts ||
           (stack->is_sparse && memchr(stack->is_sparse, 1, stack->n_layers));
}

struct experts { /* of a kind, in all layers that have such */
    size_t n;
    const char *what;
};

enum { KINDS_MAX = 4 };

static size_t list_experts(const struct model_spec *spec, struct experts *kinds)
{
    const struct stack_spec *stacks[] = {&spec->stack, &spec->encoder};
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        if (!expert_group_stack_has_experts(stacks[i]))
            continue;
        if (stacks[i]->attention_moe.n_experts)
            kinds[n++] = (struct experts){stacks[i]->attention_moe.n_experts, " of attention"};
        if (stacks[i]->is_sparse)
            kinds[n++] = (struct experts){stacks[i]->moe.n_experts, ""};
    }
    return n;
}

static int cannot_divide(const struct expert_group *group, const struct experts *kinds, size_t n,
                         const struct experts *kind, const char *name, struct error *err)
{
    struct buffer would_do = {0};
    size_t divisor = ranks_count();

    for (size_t i = 0; i < n; i++)
        divisor = common_divisor(divisor, kinds[i].n);
    add_divisors(&would_do, divisor);
    error_set(err, ERROR_INCOMPATIBLE, "'%s': its %zu experts%s cannot be divided among %zu ranks; "
              "with %zu ranks in all, --expert-parallel %s would do", name, kind->n, kind->what,
              group->n, ranks_count(), would_do.data);
    buffer_release(&would_do);
    return -1;
}

int expert_group_check(const struct expert_group *group, const struct model_spec *spec,
                       const char *name, struct error *err)
{
    struct experts kinds[KINDS_MAX];
    size_t n = list_experts(spec, kinds);

    for (size_t i = 0; i < n; i++)
        if (kinds[i].n % group->n)
            return cannot_divide(group, kinds, n, &kinds[i], name, err);
    if (n)
        return 0;
    return error_set(err, ERROR_INCOMPATIBLE, "'%s': has no experts that ranks could share; without "
                     "--expert-parallel they share the texts", name);
}

size_t expert_group_add(struct expert_group *group, expert_group_lend *lend, void *context)
{
    group->lenders =
        memory_resize(group->lenders, group->n_lenders + 1, sizeof *group->lenders);
    group->lenders[group->n_lenders] = (struct expert_lender){lend, context};
    return group->n_lenders++;
}

void expert_group_remove_last(struct expert_group *group)
{
    group->n_lenders--;
}

/* ---- passes ---- */

static const size_t nothing = SIZE_MAX; /* to run */

struct wish { /* of a rank */
    size_t lender, n_tokens;
};

/* The pass that comes next: that of the first stack that anybody wants. */
static int agree(struct expert_group *group, struct wish own, struct wish *next, struct error *err)
{
    struct wish *all = memory_zalloc(group->n, sizeof *all);
    struct ranks_parcel *parcels = memory_zalloc(group->n, sizeof *parcels);
    int rc;

    for (size_t i = 0; i < group->n; i++)
        parcels[i] = (struct ranks_parcel){&own, sizeof own, &all[i], sizeof all[i]};
    rc = ranks_exchange(group->first, group->n, parcels, err);
    *next = (struct wish){nothing, 0};
    for (size_t i = 0; i < group->n; i++) {
        if (all[i].lender < next->lender)
            *next = (struct wish){all[i].lender, 0};
        if (all[i].lender == next->lender && all[i].n_tokens > next->n_tokens)
            next->n_tokens = all[i].n_tokens;
    }
    free(all);
    free(parcels);
    return rc;
}

/* Lends until the pass that this rank wants comes. */
static int take_part(struct expert_group *group, struct wish own, struct error *err)
{
    struct wish next;

    for (;;) {
        const struct expert_lender *lender;

        if (agree(group, own, &next, err))
            return -1;
        if (next.lender == own.lender)
            break;
        group->n_tokens = next.n_tokens;
        lender = &group->lenders[next.lender];
        if (lender->lend(lender->context, err))
            return -1;
    }
    group->n_tokens = next.n_tokens;
    return 0;
}

int expert_group_begin(struct expert_group *group, size_t lender, size_t n_tokens,
                       struct error *err)
{
    return take_part(group, (struct wish){lender, n_tokens}, err);
}

int expert_group_finish(struct expert_group *group, struct error *err)
{
    return group ? take_part(group, (struct wish){nothing, 0}, err) : 0;
}
