# All of fixtures/hostile-moe/: each is refused with its exit code and one sentence in the last line, which holds FILE:LINE
# and the word at fault; nothing is created.
. "$FIXTURES/../tests/inject/common.bash"

mkdir place
try_recipes moe fixtures/hostile-moe 50

refused_recipe moe 3 "'no-such.yml': no such file" no-such.yml
refused_recipe moe 3 "standard input:1: nothing in it" </dev/null
refused_recipe moe 3 "more than 16000000 bytes" /dev/zero
# More experts than there are rows for.
python3 -c '
print("base_model: fixtures/no-such\ngate_mode: random\nexperts:")
for i in range(30000): print("- {source_model: fixtures/no-such}")' >many.yml
refused_recipe moe 3 "many.yml:" many.yml
