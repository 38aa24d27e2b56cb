#include "split.h"

#include <string.h>

bool split_behavior_find(const char *name, enum split_behavior *behavior)
{
    static const char *const names[] = {
        [SPLIT_REMOVED] = "Removed",
        [SPLIT_ISOLATED] = "Isolated",
        [SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [SPLIT_CONTIGUOUS] = "Contiguous",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *behavior = (enum split_behavior)i;
            return true;
        }
    return false;
}

void split_begin(struct split *split, enum split_behavior behavior, bool is_inverted,
                 struct piece piece, struct pieces *out)
{
    *split = (struct split){
        .behavior = behavior, .is_inverted = is_inverted, .piece = piece, .out = out};
}

static void close_span(struct split *split)
{
    if (split->is_open)
        split_add(split->out, &split->piece, split->open_start, split->open_end);
    split->is_open = false;
}

/* The span joins the open one, or takes its place. */
static void add_span(struct split *split, size_t start, size_t end, bool joins)
{
    if (!joins || !split->is_open) {
        close_span(split);
        split->open_start = start;
    }
    split->open_end = end;
    split->is_open = true;
}

/* Spans may be empty: they make no piece, but keep their neighbours apart. */
static void give_span(struct split *split, size_t start, size_t end, bool is_match)
{
    switch (split->behavior) {
    case SPLIT_REMOVED:
        if (!is_match)
            split_add(split->out, &split->piece, start, end);
        break;
    case SPLIT_ISOLATED:
        split_add(split->out, &split->piece, start, end);
        break;
    case SPLIT_MERGED_WITH_PREVIOUS:
        add_span(split, start, end, is_match && !split->was_match);
        break;
    case SPLIT_MERGED_WITH_NEXT:
        add_span(split, start, end, split->was_match && !is_match);
        break;
    case SPLIT_CONTIGUOUS:
        add_span(split, start, end, is_match == split->was_match);
        break;
    }
    split->was_match = is_match;
}

void split_match(struct split *split, size_t start, size_t end)
{
    if (start > split->at)
        give_span(split, split->at, start, split->is_inverted);
    give_span(split, start, end, !split->is_inverted);
    split->at = end;
}

void split_end(struct split *split)
{
    if (split->piece.length > split->at)
        give_span(split, split->at, split->piece.length, split->is_inverted);
    close_span(split);
}
