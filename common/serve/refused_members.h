/* refused_members.h - members of other servers' requests that would change the answer and are not
 * supported. They are refused by name: what is passed over in silence would be taken for obeyed. */
#ifndef COCKTAIL_REFUSED_MEMBERS_H
#define COCKTAIL_REFUSED_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

struct refused_member {
    const char *name;
    const char *harmless; /* values that change nothing, as JSON: "0 or -1"; NULL: false and all that
                           * is empty. Null is none in any case. */
    const char *instead;  /* what to do, or NULL */
};

/* Each ends with a row without a name. */
extern const struct refused_member refused_in_chat[], refused_in_completions[];
extern const struct refused_member refused_in_ollama_chat[], refused_in_ollama_generate[];
extern const struct refused_member refused_in_ollama_options[];
extern const struct refused_member refused_in_embeddings[], refused_in_rerank[];
extern const struct refused_member refused_in_tei_rerank[];

/* Whether this JSON value of `size` bytes changes nothing. */
bool refused_member_is_harmless(const struct refused_member *member, const char *value,
                                size_t size);

#endif
