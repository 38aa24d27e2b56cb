# serve --compute fast gives what generate and embed give with it, to many at once.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_fast.py"
