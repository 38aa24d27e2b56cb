# What a server refuses, who may ask, requests whose clients go away, and how it ends.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_limits.py"
