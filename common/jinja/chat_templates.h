/* chat_templates.h - the chat templates that have a name: for a recipe, or for --template. */
#ifndef COCKTAIL_CHAT_TEMPLATES_H
#define COCKTAIL_CHAT_TEMPLATES_H

/* Jinja of the name (alpaca, chatml, exaone, llama3, mistral), which makes of a conversation what
 * mergekit's template of that name makes; NULL: there is none. */
const char *chat_template_find(const char *name);

#endif
