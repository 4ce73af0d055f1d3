"""Answers for `agreement.rs`: reads what to verify, a line each, and prints verdict and first error of verify.py."""
import base64, hashlib, json, sys

sys.path.insert(0, sys.argv[1])
import verify


class Memory(dict):
    def get(self, key, limit):
        data = super().get(key)
        if data is None or len(data) > limit:
            raise OSError("missing or too long")
        return data

    def digest(self, key):
        return hashlib.sha256(self[key]).hexdigest()


root, files = verify.read_pem(sys.argv[2]), {}
for line in sys.stdin:
    ask = json.loads(line)
    if "base" in ask:
        files = {key: base64.b64decode(data) for key, data in ask["base"].items()}
        continue
    changed = Memory(files)
    for key, data in ask["change"].items():
        changed.pop(key, None)
        if data is not None:
            changed[key] = base64.b64decode(data)
    options = {"earlier": [(name, base64.b64decode(note)) for name, note in ask["earlier"]]}
    options["witnesses"] = [verify.read_witness(vkey) for vkey in ask["witnesses"]]
    if ask["checkpoints_key"]:
        options["checkpoints_key"] = base64.b64decode(ask["checkpoints_key"])
    verifier = verify.Verifier(changed, root, is_bundle=ask["bundle"], **options)
    holds = verifier.run()
    errors = [[found["object"], found["rule"]] for found in verifier.findings if found["severity"] == "error"]
    print(json.dumps({"holds": holds, "first": errors[0] if errors else None}), flush=True)
