#include "eval/ranking.h"

#include <math.h>
#include <stdlib.h>

#include "report/rerank_report.h"
#include "test.h"

static char *printed(const struct ranking *ranking, bool as_json)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (as_json)
        rerank_report_print_json(ranking, out);
    else
        rerank_report_print(ranking, out);
    fclose(out);
    return text;
}

static void the_best_come_first_and_no_numbers_last(void)
{
    static const float scores[] = {0.5f, NAN, 2, 0.5f, -INFINITY, NAN};
    static const size_t order[] = {3, 1, 4, 5, 2, 6}; /* equal ones by their lines */
    struct ranking ranking = {0};

    for (size_t i = 0; i < 6; i++)
        ranking_add(&ranking, scores[i], i + 1, "text", 4);
    ranking_sort(&ranking, 0);
    CHECK(ranking.n_passages == 6);
    for (size_t i = 0; i < 6; i++)
        CHECK(ranking.passages[i].line == order[i]);
    ranking_release(&ranking);
    CHECK(ranking.n_passages == 0 && !ranking.passages);
}

static void only_the_best_stay(void)
{
    struct ranking ranking = {0};

    ranking_sort(&ranking, 2);
    CHECK(ranking.n_passages == 0);
    for (size_t i = 0; i < 100; i++) {
        ranking_add(&ranking, (float)(i % 10), i, "x", 1);
        if (i % 7 == 0)
            ranking_sort(&ranking, 2);
    }
    ranking_sort(&ranking, 2);
    CHECK(ranking.n_passages == 2);
    CHECK(ranking.passages[0].line == 9 && ranking.passages[1].line == 19);
    ranking_release(&ranking);
}

static void texts_are_copied_and_shown(void)
{
    char text[] = "a\tb\0c";
    struct ranking ranking = {0};
    char *shown;

    ranking_add(&ranking, 0.25f, 7, text, 5);
    memset(text, 'x', sizeof text);
    shown = printed(&ranking, false);
    CHECK(strcmp(shown, "0.2500\ta\\x09b\\x00c\n") == 0);
    free(shown);
    shown = printed(&ranking, true);
    CHECK(strcmp(shown, "{\"line\":7,\"score\":0.25,\"text\":\"a\\tb\\u0000c\"}\n") == 0);
    free(shown);
    ranking_release(&ranking);
}

TESTS(TEST(the_best_come_first_and_no_numbers_last), TEST(only_the_best_stay),
      TEST(texts_are_copied_and_shown))
