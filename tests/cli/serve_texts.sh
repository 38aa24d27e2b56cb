# Texts over HTTP: those of generate, whole and streamed, alone and together.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_texts.py"
