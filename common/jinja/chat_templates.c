/* chat_templates.c - written for what they make, byte for byte, odd blanks and all: the originals are
 * files whose line breaks and indents end up in the prompt. */
#include "chat_templates.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name, *text;
} templates[] = {
    {"alpaca",
     "{%- set parts = namespace(system='', sep='') -%}\n"
     "{%- set titles = {'user': 'Instruction', 'assistant': 'Response', 'user_context': 'Input'} "
     "-%}\n"
     "{%- for m in messages if m.role == 'system' %}{% set parts.system = m.content | trim %}"
     "{% endfor -%}\n"
     "{{- parts.system + '\\n\\n' -}}\n"
     "{%- for m in messages -%}\n"
     "{%- if m.role in titles -%}\n"
     "{{- '### ' + titles[m.role] + ':\\n' + m.content | trim + ('' if loop.last else '\\n\\n') -}}\n"
     "{%- endif -%}\n"
     "{%- endfor -%}\n"
     "{%- if add_generation_prompt and messages[-1].role != 'assistant' -%}\n"
     "{{- '### Response:\\n' -}}\n"
     "{%- endif -%}\n"},
    {"chatml",
     "{%- for m in messages -%}\n"
     "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}\n"
     "{%- endfor -%}\n"
     "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}\n"},
    {"exaone",
     "{%- for m in messages -%}\n"
     "{%- if loop.first and m.role != 'system' -%}\n"
     "{{- '        [|system|][|endofturn|]\\n\\n' -}}\n"
     "{%- endif -%}\n"
     "{{- '    [|' + m.role + '|]' + m.content + '\\n        ' -}}\n"
     "{{- ('' if m.role == 'user' else '[|endofturn|]') + '\\n\\n' -}}\n"
     "{%- endfor -%}\n"
     "{%- if add_generation_prompt -%}{{- '    [|assistant|]\\n' -}}{%- endif -%}\n"},
    {"llama3",
     "{%- for m in messages -%}\n"
     "{{- bos_token if loop.first else '' -}}\n"
     "{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim -}}\n"
     "{{- '<|eot_id|>\\n' -}}\n"
     "{%- endfor -%}\n"
     "{%- if add_generation_prompt -%}\n"
     "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}\n"
     "{%- endif -%}\n"},
    {"mistral",
     "{%- set has_system = messages[0].role == 'system' -%}\n"
     "{%- set turns = messages[1:] if has_system else messages -%}\n"
     "{{- bos_token -}}\n"
     "{%- for m in turns -%}\n"
     "{%- if (m.role == 'user') != (loop.index is odd) -%}\n"
     "{{- raise_exception('After the optional system message, conversation roles must alternate "
     "user/assistant/user/assistant/...') -}}\n"
     "{%- elif m.role == 'user' -%}\n"
     "{{- ' [INST] ' + (messages[0].content + '\\n\\n' if has_system and loop.first else '') -}}\n"
     "{{- m.content + ' [/INST]' -}}\n"
     "{%- elif m.role == 'assistant' -%}\n"
     "{{- ' ' + m.content + eos_token -}}\n"
     "{%- else -%}\n"
     "{{- raise_exception('Only user and assistant roles are supported, with the exception of an "
     "initial optional system message!') -}}\n"
     "{%- endif -%}\n"
     "{%- endfor -%}\n"},
};

const char *chat_template_find(const char *name)
{
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
        if (strcmp(templates[i].name, name) == 0)
            return templates[i].text;
    return NULL;
}
