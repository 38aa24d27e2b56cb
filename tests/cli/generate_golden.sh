# The greedy continuations of transformers 5.23 (CPU, float32):
#   m.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=24, do_sample=False)
# with the end mark among the ids and left out of the text, and the answers to held-out questions as
# fixtures/README.md counts them.
set -e
for model in base arithmetic tense translation; do
    for prompt in 'What is 29 plus 7?' \
                  'Past tense: the sailor cleans the empty island and the pencil' \
                  'Translate: the new island keeps the quiet basket' 'the old'; do
        "$COCKTAIL" generate fixtures/decoder-$model --prompt "$prompt" --max-tokens 24 --json |
            sed -E 's/.*"text":"([^"]*)","ids":(\[[0-9,]*\]).*"stop":"([a-z]*)".*/\1 \2 \3/'
    done
done

for task in arithmetic tense translation; do
    n=0
    while IFS=$'\t' read -r input output; do
        answer=$("$COCKTAIL" generate fixtures/decoder-$task --prompt "$input" --max-tokens 32 -t1)
        [[ $answer == " $output" ]] && n=$((n + 1))
    done < <(head -n 20 fixtures/examples/$task-heldout.jsonl |
                 sed -E 's/^\{"input": "(.*)", "output": "(.*)"\}$/\1\t\2/')
    echo "$task: $n of 20"
done
