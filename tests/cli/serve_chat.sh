# Conversations, by the templates of models: over HTTP and in the terminal.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_chat.py"
