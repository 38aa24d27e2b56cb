# Vectors and scores over HTTP: those of embed and rerank; ollama's words; the other paths.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_rows.py"
