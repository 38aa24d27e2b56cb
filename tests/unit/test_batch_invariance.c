/* test_batch_invariance.c - the same bits in any company: what a text gives alone on one thread it
 * gives among any neighbours, in one piece, in chunks and from a cache, on any number of threads, with
 * any instructions; and what --compute fast makes of it, too. */
#include <dirent.h>

#include "invariance.h"

static const char *const trained[] = {
    "fixtures/decoder-base", "fixtures/encoder-base", "fixtures/encoder-repairs",
    "fixtures/reranker-base", "fixtures/moe-base",
};

static bool is_large; /* the one that is tried */

static size_t limit(const struct way *way)
{
    if (way->is_slow)
        return is_large ? 0 : 2;
    return way == ways || (way->has_own_bits && !*way->isa && !is_large) ? N_MANY : N_TEXTS;
}

static size_t each_in(const char *folder, void check(const char *name))
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    size_t n = 0;

    CHECK(directory != NULL);
    while (directory && (entry = readdir(directory))) {
        char *path = memory_format("%s/%s", folder, entry->d_name);

        if (entry->d_name[0] != '.') {
            check(path);
            n++;
        }
        free(path);
    }
    if (directory)
        closedir(directory);
    return n;
}

static void each_model(void check(const char *name))
{
    is_large = true;
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++)
        check(trained[i]);
    is_large = false;
    CHECK(each_in("fixtures/models", check) >= 80);
    CHECK(each_in("fixtures/quantised", check) >= 3);
}

static void check_company_of(const char *name)
{
    check_neighbours(name, limit);
}

static void neighbours_do_not_change_a_bit(void)
{
    each_model(check_company_of);
}

static void check_story_of(const char *name)
{
    check_story(name, limit);
}

static void pieces_and_caches_do_not_change_a_bit(void)
{
    each_model(check_story_of);
}

TESTS(TEST(neighbours_do_not_change_a_bit), TEST(pieces_and_caches_do_not_change_a_bit))
