"""Answers for `forms.rs`: reads a form and a text, a line each, and prints whether verify.py takes the text for it."""
import base64, json, sys

sys.path.insert(0, sys.argv[1])
import verify

for line in sys.stdin:
    form, text = json.loads(line)
    try:
        verify.read_json(base64.b64decode(text), form)
        fits = True
    except (ValueError, KeyError):
        fits = False
    print(json.dumps(fits), flush=True)
