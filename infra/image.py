#!/usr/bin/env python3
"""Images of our programs as OCI archives, made without a container daemon: the programs, the libraries that they are
linked with, the web's certificate authorities, and the licences of all of it. Nothing else: no shell, no packages.

    infra/image.py build relay|local [FOLDER]        builds the programs, packs them into FOLDER (target/images), prints sizes
    infra/image.py pack relay|local PROGRAMS FILE    packs programs that are built (LEVEL=1: in haste)

`relay` is what runs on AWS; `local` is the trial of infra/compose, with the programs that go with it. The same programs
make the same archive, byte for byte: times are SOURCE_DATE_EPOCH, or those of the last commit. It is for the machine's own
architecture. `skopeo`, `podman load` and `docker load` read it. Needs Debian or Ubuntu, whose glibc, authorities and
copyright files go into it, and cargo, git and strip.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
# The user of infra/modules/relay, and owner of the volumes.
USER = 10001
IMAGES = {
    "relay": {
        "title": "Affidavit relay",
        "programs": ["relay"],
        "command": ["serve"],
        # infra/modules/relay mounts both: what a relay reads when it starts, and what it has not stored yet.
        "volumes": ["/run/relay", "/spool"],
        "ports": ["5432/tcp", "8080/tcp"],
        "budget": 20_000_000,
    },
    "local": {
        "title": "Affidavit on one machine, for a trial",
        "programs": ["local", "relay", "auditor"],
        "command": ["up", "--data", "/data"],
        "volumes": ["/data"],
        "ports": [],
        "budget": 40_000_000,
    },
}
# Of programs that have another name than their package.
PACKAGES = {"relay": "program"}
# ELF's e_machine, and what OCI calls it.
ARCHITECTURES = {62: "amd64", 183: "arm64"}
# Mozilla's alone: /etc/ssl/certs has what this machine's administrators added, too.
AUTHORITIES = pathlib.Path("/usr/share/ca-certificates/mozilla")
THIRD_PARTY = """Compiled into these programs, with the licences that each crate states and the texts that are in it.
Rust's standard library: MIT OR Apache-2.0.
"""
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?$", re.IGNORECASE)


def main():
    match sys.argv[1:]:
        case ["build", name, *folder] if name in IMAGES and len(folder) <= 1:
            build(name, pathlib.Path(*folder) if folder else REPOSITORY / "target/images")
        case ["pack", name, programs, file] if name in IMAGES:
            pack(name, pathlib.Path(programs), pathlib.Path(file))
        case _:
            fail(f"usage: image.py build {'|'.join(IMAGES)} [FOLDER] | pack {'|'.join(IMAGES)} PROGRAMS FILE")


def build(name, folder):
    programs = IMAGES[name]["programs"]
    command = ["cargo", "build", "--locked", "--profile", "dist", "--message-format", "json-render-diagnostics"]
    for program in programs:
        command += ["--package", PACKAGES.get(program, program), "--bin", program]
    built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        sys.exit(built.returncode)
    made = [json.loads(line).get("executable") for line in built.stdout.splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    pack(name, next(pathlib.Path(path).parent for path in made if path), folder / f"{name}.tar")


def pack(name, programs, file):
    image, metadata = IMAGES[name], cargo_metadata()
    package = PACKAGES.get(name, name)
    version = next(found["version"] for found in metadata["packages"] if found["name"] == package)
    epoch = source_date()
    with tempfile.TemporaryDirectory() as scratch:
        binaries = [stripped(programs / program, pathlib.Path(scratch)) for program in image["programs"]]
        architecture = {architecture_of(binary) for binary in binaries}.pop()
        tree, packages = root(image, binaries, metadata)
        layer = tar(tree, epoch)
    archive, sizes = oci_archive(name, version, architecture, layer, packages, epoch)
    file.write_bytes(archive)
    print(f"{file}: affidavit/{name}:{version} for {architecture}, {sizes['manifest']}")
    size, budget = sizes["layer"], image["budget"]
    print(f"{name:10} {size // 1000:6} kB compressed, of {budget // 1000} kB; {len(layer) // 1000} kB unpacked")
    if size > budget and "LEVEL" not in os.environ:
        fail(f"{file} is larger than its budget")


# The files of an image -----------------------------------------------------------------------------------------------


class Tree(dict):
    """Path without its first slash → (mode, owner, content); a folder has no content."""

    def folder(self, path, mode=0o755, owner=0):
        for above in reversed(pathlib.PurePath(path).parents):
            if str(above) not in (".", "/"):
                self.setdefault(str(above), (0o755, 0, None))
        self[path] = (mode, owner, None)

    def file(self, path, content, mode=0o644):
        self.folder(str(pathlib.PurePath(path).parent))
        self[path] = (mode, 0, content)


def root(image, binaries, metadata):
    """Every file of it, and the Debian packages that some are from."""
    tree = Tree()
    libraries = sorted({library for binary in binaries for library in closure(binary)})
    for library in libraries:
        tree.file(library.lstrip("/"), pathlib.Path(library).read_bytes(), 0o755)
    for binary in binaries:
        tree.file(f"usr/bin/{binary.name}", binary.read_bytes(), 0o755)
    tree.file("etc/ssl/certs/ca-certificates.crt", authorities())
    passwd = f"root:x:0:0:root:/:/sbin/nologin\naffidavit:x:{USER}:{USER}::/:/sbin/nologin\n"
    tree.file("etc/passwd", passwd.encode())
    tree.file("etc/group", f"root:x:0:\naffidavit:x:{USER}:\n".encode())
    tree.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    # Where whoever runs it mounts something, though the root is read-only.
    for folder in ("dev", "proc", "sys"):
        tree.folder(folder)
    # Private, and the user's own: a volume begins as the image's folder is.
    for volume in image["volumes"]:
        tree.folder(volume.lstrip("/"), 0o700, USER)
    packages = licences(tree, image, libraries, metadata)
    return tree, packages


def closure(binary):
    """The libraries that the loader takes, and the loader, as this system has them."""
    told = run("ldd", str(binary))
    if "not found" in told:
        fail(f"{binary} needs libraries that this machine has not:\n{told}")
    return re.findall(r"(/\S+) \(0x", told)


def stripped(program, scratch):
    if not program.is_file():
        fail(f"{program} is missing: expected a program that was built (image.py build)")
    run("strip", "--strip-all", "-o", str(scratch / program.name), str(program))
    return scratch / program.name


def architecture_of(binary):
    header = binary.read_bytes()[:20]
    machine = int.from_bytes(header[18:20], "little")
    if header[:4] != b"\x7fELF" or machine not in ARCHITECTURES:
        fail(f"{binary.name}: expected a program for Linux on x86_64 or arm64")
    return ARCHITECTURES[machine]


def authorities():
    files = sorted(AUTHORITIES.glob("*.crt"))
    if not files:
        fail(f"{AUTHORITIES} has no certificate authorities: install Debian's package ca-certificates")
    return b"".join(file.read_bytes().strip() + b"\n" for file in files)


# Licences ------------------------------------------------------------------------------------------------------------


def licences(tree, image, libraries, metadata):
    tree.file("usr/share/doc/affidavit/LICENSE", (REPOSITORY / "LICENSE").read_bytes())
    tree.file("usr/share/doc/affidavit/third-party.txt", third_party(image["programs"], metadata))
    packages = {}
    for library in libraries:
        package, version = package_of(library)
        packages[package] = version
    packages["ca-certificates"] = run("dpkg-query", "-W", "-f", "${Version}", "ca-certificates")
    for package in sorted(packages):
        copyright_file = pathlib.Path("/usr/share/doc", package, "copyright").read_bytes()
        tree.file(f"usr/share/doc/{package}/copyright", copyright_file)
        # They name texts by their place on a Debian system.
        for text in re.findall(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])", copyright_file):
            path = pathlib.Path("/usr/share/common-licenses", text.decode())
            if path.is_file():
                tree.file(str(path).lstrip("/"), path.read_bytes())
    return packages


def package_of(library):
    # A merged /usr has it under both names, and dpkg knows one.
    for path in (library, os.path.realpath(library), os.path.realpath(library).removeprefix("/usr")):
        found = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)
        if found.returncode == 0:
            package = found.stdout.split(":")[0]
            return package, run("dpkg-query", "-W", "-f", "${Version}\n", package).splitlines()[0]
    fail(f"{library} is of no Debian package, so its licence is not known")


def third_party(programs, metadata):
    """What the programs are compiled from, and the texts that its licences want to go along; each text once."""
    packages, texts, lines = {package["id"]: package for package in metadata["packages"]}, [], []
    strangers = [packages[key] for key in below(programs, metadata) if packages[key]["source"] is not None]
    for package in sorted(strangers, key=lambda package: (package["name"], package["version"])):
        numbers = []
        for path in sorted(pathlib.Path(package["manifest_path"]).parent.rglob("*")):
            if LICENCE_FILE.match(path.name) and path.is_file():
                text = path.read_bytes().decode("utf-8", "replace").strip()
                if text not in texts:
                    texts.append(text)
                numbers.append(texts.index(text) + 1)
        named = ", ".join(str(number) for number in sorted(set(numbers))) or "none with it"
        lines.append(f"{package['name']} {package['version']}: {package['license'] or 'see texts'}; texts: {named}")
    parts = [THIRD_PARTY, "\n".join(lines), *(f"---- {number} ----\n\n{text}" for number, text in enumerate(texts, 1))]
    return ("\n\n".join(parts) + "\n").encode()


def below(programs, metadata):
    """Ids of all packages that are linked into the programs; what only builds or tests them is not."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    ours = [package for package in metadata["packages"] if package["source"] is None]
    names = {PACKAGES.get(program, program) for program in programs}
    left = [package["id"] for package in ours if package["name"] in names]
    found = set()
    while left:
        key = left.pop()
        if key not in found:
            found.add(key)
            deps = nodes[key]["deps"]
            left += [dep["pkg"] for dep in deps if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return found


def cargo_metadata():
    target = re.search(r"^host: (\S+)$", run("rustc", "-vV"), re.MULTILINE).group(1)
    return json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))


# The archive ---------------------------------------------------------------------------------------------------------


def oci_archive(name, version, architecture, layer, packages, epoch):
    """OCI's image layout, with the `manifest.json` beside it that `docker load` reads."""
    image, blobs = IMAGES[name], {}

    def blob(media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    labels = {
        "org.opencontainers.image.title": image["title"],
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.created": rfc3339(epoch),
        # Ours, and what most crates have; glibc; libgcc; the authorities. The texts are below /usr/share/doc.
        "org.opencontainers.image.licenses": "Apache-2.0 AND MIT AND LGPL-2.1-or-later"
        " AND GPL-3.0-or-later WITH GCC-exception-3.1 AND MPL-2.0",
        # What was taken from them; Debian has the sources.
        "affidavit.debian-packages": ", ".join(f"{package} {packages[package]}" for package in sorted(packages)),
    }
    revision = revision_of_source()
    if revision:
        labels["org.opencontainers.image.revision"] = revision
    config = {
        "created": rfc3339(epoch),
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "ExposedPorts": {port: {} for port in image["ports"]},
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": [f"/usr/bin/{name}"],
            "Cmd": image["command"],
            "Volumes": {volume: {} for volume in image["volumes"]},
            "WorkingDir": "/",
            "Labels": labels,
            "StopSignal": "SIGTERM",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": rfc3339(epoch), "created_by": "infra/image.py"}],
    }
    config_blob = blob("application/vnd.oci.image.config.v1+json", as_json(config))
    layer_blob = blob("application/vnd.oci.image.layer.v1.tar+gzip", compressed(layer))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config_blob,
        "layers": [layer_blob],
        "annotations": labels,
    }
    reference = {
        "io.containerd.image.name": f"docker.io/affidavit/{name}:{version}",
        "org.opencontainers.image.ref.name": version,
    }
    manifest_blob = blob(manifest["mediaType"], as_json(manifest))
    entry = manifest_blob | {"platform": {"architecture": architecture, "os": "linux"}, "annotations": reference}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    docker = {
        "Config": path_of(config_blob),
        "RepoTags": [f"affidavit/{name}:{version}"],
        "Layers": [path_of(layer_blob)],
    }
    tree = Tree()
    tree.file("oci-layout", as_json({"imageLayoutVersion": "1.0.0"}))
    tree.file("index.json", as_json(index))
    tree.file("manifest.json", as_json([docker]))
    for path, content in blobs.items():
        tree.file(path, content)
    tree.pop(".", None)
    return tar(tree, epoch), {"layer": layer_blob["size"], "manifest": manifest_blob["digest"]}


def tar(tree, epoch):
    """Sorted, with times and owners of ours: the same tree gives the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as file:
        for path, (mode, owner, content) in sorted(tree.items()):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, epoch
            if content is None:
                entry.type = tarfile.DIRTYPE
                file.addfile(entry)
            else:
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def compressed(content):
    return gzip.compress(content, compresslevel=int(os.environ.get("LEVEL", "9")), mtime=0)


def as_json(value):
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode()


def path_of(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def source_date():
    text = os.environ.get("SOURCE_DATE_EPOCH") or run("git", "-C", str(REPOSITORY), "log", "-1", "--format=%ct")
    if not text.strip().isdigit():
        fail("SOURCE_DATE_EPOCH: expected seconds since 1970")
    return int(text)


def revision_of_source():
    describe = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=40", "--match=", "--dirty"]
    told = subprocess.run(describe, capture_output=True, text=True)
    return told.stdout.strip() if told.returncode == 0 else None


def rfc3339(epoch):
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(*command):
    if not shutil.which(command[0]):
        fail(f"{command[0]} is missing")
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def fail(problem):
    sys.exit(f"image: {problem}")


if __name__ == "__main__":
    main()
