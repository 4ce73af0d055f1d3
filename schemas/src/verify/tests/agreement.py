"""Answers for `agreement.rs`: reads what to verify, a line each, and prints why it does not hold, by verify.py."""
import base64, io, json, sys

sys.path.insert(0, sys.argv[1])
import verify

root, files = verify.read_pem(sys.argv[2]), {}
for line in sys.stdin:
    ask = json.loads(line)
    if "base" in ask:
        files = {key: base64.b64decode(data) for key, data in ask["base"].items()}
        continue
    changed = dict(files)
    for key, data in ask["change"].items():
        changed.pop(key, None)
        if data is not None:
            changed[key] = base64.b64decode(data)
    options = {"earlier": [(name, base64.b64decode(note)) for name, note in ask["earlier"]]}
    options["witnesses"] = [verify.read_witness(vkey) for vkey in ask["witnesses"]]
    if ask["checkpoints_key"]:
        options["checkpoints_key"] = base64.b64decode(ask["checkpoints_key"])
    problem = verify.Verifier(changed, lambda key: io.BytesIO(changed[key]), root, **options).run(ask["bundle"])
    print(json.dumps(problem), flush=True)
