#include "ranks_launch.h"

#include <stdlib.h>

static const char *const numbers[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", NULL};
static const char *const counts[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", NULL};

static const char *find(const char *const *names)
{
    const char *value = NULL;

    for (; *names && !value; names++)
        value = getenv(*names);
    return value;
}

static size_t number_in(const char *value)
{
    return value ? strtoul(value, NULL, 10) : 0;
}

bool ranks_launch_is_known(void)
{
    return find(numbers) || find(counts);
}

size_t ranks_launch_number(void)
{
    return number_in(find(numbers));
}

/* PMIx has no variable for the count. Slurm has one of the step, which a mpirun that runs within a step
 * hands on: that one counts hosts, and so comes last. */
size_t ranks_launch_count(void)
{
    const char *told = find(counts);
    size_t n = number_in(told ? told : getenv("PMIX_RANK") ? getenv("SLURM_STEP_NUM_TASKS") : NULL);

    return n > ranks_launch_number() ? n : ranks_launch_number() + 1;
}
