#include "expert_group.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/ranks.h"

/* "1, 2 or 4": what divides both. */
static void add_divisors(struct buffer *out, size_t a, size_t b)
{
    size_t last = 1, n = 0;

    for (size_t d = 2; d <= a; d++)
        last = a % d == 0 && b % d == 0 ? d : last;
    for (size_t d = 1; d <= last; d++)
        if (a % d == 0 && b % d == 0)
            buffer_format(out, "%s%zu", n++ == 0 ? "" : d == last ? " or " : ", ", d);
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
    add_divisors(&would_do, count, count);
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

static int check_number(const struct expert_group *group, size_t n_experts, const char *what,
                        const char *name, struct error *err)
{
    struct buffer would_do = {0};

    if (n_experts % group->n == 0)
        return 0;
    add_divisors(&would_do, ranks_count(), n_experts);
    error_set(err, ERROR_INCOMPATIBLE, "'%s': its %zu experts%s cannot be divided among %zu ranks; "
              "with %zu ranks in all, --expert-parallel %s would do", name, n_experts, what, group->n,
              ranks_count(), would_do.data);
    buffer_release(&would_do);
    return -1;
}

int expert_group_check(const struct expert_group *group, const struct model_spec *spec,
                       const char *name, struct error *err)
{
    const struct stack_spec *stacks[] = {&spec->stack, &spec->encoder};
    bool has_experts = false;

    for (size_t i = 0; i < 2; i++) {
        if (!expert_group_stack_has_experts(stacks[i]))
            continue;
        has_experts = true;
        if (check_number(group, stacks[i]->attention_moe.n_experts, " of attention", name, err) ||
            (stacks[i]->is_sparse && check_number(group, stacks[i]->moe.n_experts, "", name, err)))
            return -1;
    }
    if (has_experts)
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
