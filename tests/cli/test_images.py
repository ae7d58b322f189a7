"""Images: the cache, and what other tools save."""
import hashlib
import io
import json
import re
import tarfile
import time

from harness import test


def tar_bytes(files, mode="w"):
    """A tar: {name: text; None for a directory}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            data = b"" if text is None else text if isinstance(text, bytes) else text.encode()
            entry.type, entry.size = (tarfile.DIRTYPE, 0) if text is None else (tarfile.REGTYPE, len(data))
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


CONFIG = {"Env": ["PATH=/tools:/bin:/usr/bin", "FROM=image"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["cat /etc/top; env"],
          "WorkingDir": "/place", "User": "7:8"}
LAYERS = [tar_bytes({"./": None, "./place/": None, "./place/lower": "lower", "./place/both": "old", "./tools/hi": "#!/bin/sh\necho hi $*\n"}),
          tar_bytes({"place/.wh.lower": "", "place/both": "new", "etc/top": "top\n"}, "w:gz")]


def blobs(config=CONFIG, layers=LAYERS):
    """The files of both kinds of saved images: {name: bytes}."""
    settings = json.dumps({"architecture": "amd64", "os": "linux", "config": config}).encode()
    files = {f"blobs/sha256/{digest(data)}": data for data in [settings, *layers]}
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{digest(settings)}"},
                           "layers": [{"digest": f"sha256:{digest(data)}"} for data in layers]}).encode()
    docker = [{"Config": f"blobs/sha256/{digest(settings)}", "RepoTags": ["x:1"],
               "Layers": [f"blobs/sha256/{digest(data)}" for data in layers]}]
    index = {"schemaVersion": 2, "manifests": [{"digest": f"sha256:{digest(manifest)}", "size": len(manifest)}]}
    oci = {**files, f"blobs/sha256/{digest(manifest)}": manifest, "index.json": json.dumps(index).encode(),
           "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    return {**files, "manifest.json": json.dumps(docker).encode()}, oci


def judge(z, image):
    """Such an image, on top of one with a shell."""
    layers = image if str(image).endswith(".img") else f"{z.image},{image}"
    run = lambda *words: z.raw("run", "--quiet", *words)
    seen = run(layers)
    z.ok(seen)
    for line in ("top", "PATH=/tools:/bin:/usr/bin", "FROM=image"):
        z.check(line in seen.text.splitlines(), f"{line} not in {seen.text}")
    z.ok(run(layers, "pwd; echo *; cat both; id -u; id -g; hi you"), "/place\nboth\nnew7\n8\nhi you\n")
    z.ok(run("-e", "FROM=user", "-w", "/", "-u", "0", layers, "pwd; id -u; echo $FROM"), "/\n0\nuser\n")
    z.ok(run("--entrypoint", "/bin/echo", layers, "one", "two"), "one two\n")
    z.ok(run("--entrypoint", "", layers, "hi", "there"), "hi there\n")


@test
def image_of_docker_save(z):
    docker, _ = blobs()
    judge(z, z.write("docker.tar", tar_bytes(docker)))
    judge(z, z.write("docker.tar.gz", tar_bytes(docker, "w:gz")))


@test
def image_of_older_docker_save(z):
    name = [digest(data) for data in LAYERS]
    settings = json.dumps({"config": CONFIG}).encode()
    manifest = [{"Config": f"{digest(settings)}.json", "RepoTags": None, "Layers": [f"{n}/layer.tar" for n in name]}]
    files = {f"{name[0]}/": None, f"{name[0]}/VERSION": "1.0", f"{name[0]}/layer.tar": LAYERS[0], f"{name[1]}/layer.tar": LAYERS[1],
             f"{digest(settings)}.json": settings, "manifest.json": json.dumps(manifest)}
    judge(z, z.write("old.tar", tar_bytes(files)))


@test
def image_of_oci_layout(z):
    _, oci = blobs()
    judge(z, z.write("oci.tar", tar_bytes(oci)))
    for name, data in oci.items():
        z.write(f"layout/{name}", data)
    judge(z, z.folder / "layout")


@test
def image_saved_keeps_its_configuration_when_packed(z):
    _, oci = blobs()
    z.write("oci.tar", tar_bytes(oci))
    z.ok(z.raw("pack", "--quiet", z.image, "oci.tar", "-o", "x.img"))
    judge(z, z.folder / "x.img")


@test
def image_saved_that_cannot_be_used(z):
    docker, oci = blobs()
    layer = f"blobs/sha256/{digest(LAYERS[0])}"
    for name, files, part in (("missing", {k: v for k, v in docker.items() if k != layer}, f"layer '{layer}' is not in it"),
                              ("broken", {**docker, layer: LAYERS[1]}, "SHA-256"),
                              ("two", {**docker, "manifest.json": json.dumps(json.loads(docker["manifest.json"]) * 2)}, "2 images"),
                              ("other", {**oci, "index.json": json.dumps({"manifests": [
                                  {"digest": "sha256:0", "platform": {"architecture": a}} for a in ("arm64", "s390x")]})}, "2 images, 0 of them for amd64"),
                              ("outside", {**docker, "manifest.json": json.dumps([{"Config": "../x", "Layers": []}])}, "outside")):
        z.write(f"{name}.tar", tar_bytes(files))
        z.fails(z.run("true", options=["--quiet"], image=z.folder / f"{name}.tar"), 125, f"{name}.tar", part)


@test
def images_prune(z):
    """Copies of archives go, unless a container uses them; what recipes made stays."""
    z.write("a.tar", tar_bytes({"a": "a"}))
    z.write("b.tar", tar_bytes({"b": "b"}))
    time.sleep(0.1)
    used = z.start("run", "--quiet", "-i", f"{z.image},a.tar", "--", "sh", "-c", "echo up; read x; cat /a", stdin=-1)
    z.equal(used.stdout.readline(), b"up\n")
    z.ok(z.run("true", options=["--quiet"], image=f"{z.image},b.tar"))
    cache = z.scratch / "cache/zrun"
    (cache / "build/old").mkdir(parents=True)
    (cache / "build/old/rest").write_bytes(bytes(3 << 20))
    z.equal(len(list(cache.glob("images/*.img"))), 2)
    pruned = z.raw("images", "prune")
    z.ok(pruned)
    z.check(re.search(r"^removed  \w{12} .*b\.tar\n", pruned.text, re.MULTILINE), pruned.text)
    z.check(re.search(r"^in use   \w{12} .*a\.tar\n", pruned.text, re.MULTILINE), pruned.text)
    z.check(float(re.search(r"^(\d+\.\d) MiB freed$", pruned.text, re.MULTILINE)[1]) > 3, pruned.text)
    z.equal((len(list(cache.glob("images/*.img"))), list(cache.glob("build/*"))), (1, []))
    z.equal(z.finish(used, b"\n").text, "a")
    z.ok(z.raw("images", "prune"))
    z.equal(list(cache.glob("images/*")), [])
