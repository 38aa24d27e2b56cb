# The page in a browser, where there is one.
PYTHONDONTWRITEBYTECODE=1 python3 "$FIXTURES/../tests/server/check_page.py"
