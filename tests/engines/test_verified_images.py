"""Real images, tampered with by real engines: `envsnap verify` names each change from outside.

The verifier inside runs in the good ones, by Docker and by rootless Apptainer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap import __version__
from envsnap._verify import Published, after_build
from envsnap.images import manifest_of, open_image
from envsnap.inside import VERIFIER, source
from envsnap.manifest import environment_id, load, save
from envsnap.proof import Verified
from envsnap.sections import Lock
from tests import made
from tests.proof.images import image, labels, told, verified

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PYTHON = os.environ.get("ENVSNAP_ENGINES_PYTHONS", "3.11.7").split()[0]
IMAGE, CHANGED = "envsnap-test-verified", "envsnap-test-verified-changed"
SITE = f"/opt/env/lib/python{PYTHON.rpartition('.')[0]}/site-packages"
RECIPE = f"""
FROM {os.environ.get("ENVSNAP_TEST_IMAGE", f"python:{PYTHON}-slim-bookworm").partition("@")[0]}
RUN --mount=type=bind,source=wheels,target=/wheels python3 -B -m venv --without-pip /opt/env \\
    && PYTHONPATH=$(python3 -Bc 'import site; print(site.getsitepackages()[0])') \\
    PYTHONDONTWRITEBYTECODE=1 /opt/env/bin/python -m pip install -q --no-compile --no-index \\
    --no-deps --ignore-installed --disable-pip-version-check /wheels/*.whl
COPY manifest.json *.py /opt/envsnap/
RUN /opt/env/bin/python -I -B /opt/envsnap/verify.py /opt/envsnap/manifest.json
ENV PATH=/opt/env/bin:$PATH
LABEL io.envsnap.version={__version__}
"""


def interpreter() -> str:
    """A Python of the version that the base image has."""
    found = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}/bin/python3")
    if not os.path.exists(found):
        pytest.skip(f"no Python {PYTHON} to capture")
    return found


class Built:
    """The good image, and the manifest that was published with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.published = Published(load(str(folder / "manifest.json")), "manifest.json")

    def changed(self, *steps: str) -> Verified:
        """What is found out about an image in which these steps were done to the good one."""
        build(CHANGED, "\n".join([f"FROM {IMAGE}", *steps]), self.folder)
        return verified(f"docker-daemon:{CHANGED}", against=self.published)


def build(name: str, recipe: str, context: Path) -> None:
    (context / "Dockerfile").write_text(recipe)
    run("docker", "buildx", "build", "-q", "--load", "-t", name, str(context))


def lock(path: str) -> None:
    """Say in the manifest which files were installed, without asking an index."""
    captured = load(path)
    names = (("idna", "3.7"), ("pysocks", "1.7.1"))
    artifacts = tuple(made.artifact(*each, f"{'-'.join(each)}-py3-none-any.whl") for each in names)
    environment = str(environment_id(captured))
    known = Lock(environment=environment, locker="test", artifacts=artifacts, unlocked=())
    save(captured.with_lock(known), path)


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def good() -> Iterator[Built]:
    """An image of two packages, in a folder that other users may read, as Apptainer's needs."""
    folder = Path("/var/tmp") / f"envsnap-verified-{os.getpid()}"  # noqa: S108 - not pytest's own
    folder.mkdir()
    run(interpreter(), "-m", "venv", str(folder / "env"))
    python = str(folder / "env" / "bin" / "python")
    pip = (python, "-m", "pip", "-q", "--disable-pip-version-check")
    run(*pip, "download", "--no-deps", "-d", str(folder / "wheels"), "idna==3.7", "pysocks==1.7.1")
    run(*pip, "install", "--no-index", "--no-deps", *map(str, (folder / "wheels").iterdir()))
    run(*pip, "uninstall", "-y", "setuptools", "pip")
    envsnap = (sys.executable, "-m", "envsnap")
    path = str(folder / "manifest.json")
    run(*envsnap, "capture", "-q", "--python", str(folder / "env"), "-o", path)
    lock(path)
    shutil.rmtree(folder / "env")
    for name in VERIFIER:
        (folder / name).write_text(source(name.removesuffix(".py")))
    try:
        build(IMAGE, RECIPE, folder)
        yield Built(folder)
    finally:
        shutil.rmtree(folder)
        subprocess.run(["docker", "rmi", "-f", IMAGE, CHANGED], capture_output=True, check=False)


def test_the_good_image_is_the_environment(good: Built) -> None:
    found = verified(f"docker-daemon:{IMAGE}", against=good.published)
    assert (told(found), found.not_proved) == ([], ())
    assert (found.proof.packages, found.proof.proved, found.proof.python) == (2, 2, PYTHON)


def test_the_verifier_inside_agrees(good: Built) -> None:
    assert good.published
    said = run("docker", "run", "--rm", IMAGE, "python", "-I", "-B", "/opt/envsnap/verify.py",
               "/opt/envsnap/manifest.json")  # fmt: skip
    assert said.startswith("Python and 2 packages are those of the manifest\n")


def test_a_changed_file_is_named(good: Built) -> None:
    (only,) = good.changed(f"RUN echo '# more' >> {SITE}/idna/core.py").tampered
    assert (only.kind, only.package, only.path) == ("edited", "idna", f"{SITE}/idna/core.py")
    assert only.over != ()


def test_a_file_changed_with_its_record_is_named(good: Built) -> None:
    edit = (
        "import base64, hashlib, re; data = open('idna/core.py', 'rb').read() + b'# more'; "
        "open('idna/core.py', 'wb').write(data); path = 'idna-3.7.dist-info/RECORD'; "
        "digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode(); "
        "text = re.sub('(?m)^idna/core.py,.*$', "
        "f'idna/core.py,sha256={digest},{len(data)}', open(path).read()); "
        "open(path, 'w').write(text)"
    )
    found = good.changed(f"WORKDIR {SITE}", f'RUN python3 -B -c "{edit}"', "WORKDIR /")
    (only,) = found.tampered
    assert (only.kind, only.package) == ("content", "idna")
    assert f"{SITE}/idna/core.py" in only.others


def test_what_was_added_is_named(good: Built) -> None:
    info = f"{SITE}/evil-1.dist-info"
    found = good.changed(
        f"RUN echo 'import os' > {SITE}/evil.pth",
        f"RUN mkdir {info} && printf 'Name: evil\\nVersion: 1\\n' > {info}/METADATA",
    )
    assert sorted((each.kind, each.package or each.path) for each in found.tampered) == [
        ("not-wanted", "evil"),
        ("unowned", f"{SITE}/evil-1.dist-info/METADATA"),
        ("unowned", f"{SITE}/evil.pth"),
    ]


def test_what_was_taken_away_is_named(good: Built) -> None:
    found = good.changed(f"RUN rm {SITE}/socks.py && rm -r {SITE}/idna {SITE}/idna-3.7.dist-info")
    assert [(each.kind, each.package) for each in found.tampered] == [
        ("not-installed", "idna"), ("missing", "PySocks")
    ]  # fmt: skip


def test_moved_packages_behind_a_link_are_named(good: Built) -> None:
    found = good.changed(f"RUN mv {SITE} /srv/site && ln -s /srv/site {SITE}")
    assert told(found)[0] == ("link", f"{SITE} is a link to /srv/site")


def test_a_lying_verifier_and_a_swapped_manifest_are_named(good: Built) -> None:
    found = good.changed(
        "RUN echo 'print(1)' > /opt/envsnap/verify.py",
        "RUN sed -i 's/1.7.1/1.7.2/' /opt/envsnap/manifest.json",
    )
    assert [each.kind for each in found.tampered] == [*["manifest"] * 3, "verifier"]


def test_what_was_put_into_pythons_library_is_named(good: Built) -> None:
    found = good.changed("RUN python3 -Bc \"import os; open(os.__file__, 'a').write('# more')\"")
    assert [each.kind for each in found.tampered] == ["interpreter"]
    assert found.tampered[0].path.endswith("/os.py")


def test_an_archive_is_read_as_its_image_is(good: Built) -> None:
    path = good.folder / "image.tar"
    run("docker", "save", "-o", str(path), IMAGE)
    try:
        found = verified(f"docker-archive:{path}", against=good.published)
        assert told(found) == []
    finally:
        path.unlink()


def test_a_sif_proves_itself_inside_and_from_outside(good: Built) -> None:
    archive, image = good.folder / "image.tar", good.folder / "image.sif"
    run("docker", "save", "-o", str(archive), IMAGE)
    os.chmod(archive, 0o644)
    shutil.chown(good.folder, "hpc")  # the plain user that Apptainer runs as
    run("apptainer", "build", str(image), f"docker-archive:{archive}")
    raw = (good.folder / "manifest.json").read_bytes()
    after_build(str(image), raw)
    with open_image(str(image)) as opened:
        assert manifest_of(opened) == raw
    assert told(verified(str(image), against=good.published)) == []
    said = run("apptainer", "exec", "--cleanenv", "--no-home", str(image), "/opt/env/bin/python",
               "-I", "-B", "/opt/envsnap/verify.py", "/opt/envsnap/manifest.json")  # fmt: skip
    assert said.startswith("Python and 2 packages are those of the manifest\n")
    after_build(str(image), raw.replace(b"1.7.1", b"1.7.2"))
    found = told(verified(str(image), against=good.published))
    assert {kind for kind, _ in found} == {"manifest"}
    assert "the SIF's data object holds another manifest than its file system" in [
        says for _, says in found
    ]


def test_a_base_that_the_labels_claim_and_the_layers_are_not_is_named(tmp_path: Path) -> None:
    _, _, digest = os.environ.get("ENVSNAP_TEST_IMAGE", "").partition("@")
    if not digest:
        pytest.skip("ENVSNAP_TEST_IMAGE names no digest")
    start = "org.opencontainers.image.base"
    name = f"127.0.0.1:5000/library/python:{PYTHON}-slim-bookworm"
    said = {**labels(), f"{start}.name": name, f"{start}.digest": digest}
    ((kind, says),) = told(verified(image(tmp_path, said=said), base=True))
    reference = f"docker://127.0.0.1:5000/library/python@{digest}"
    assert kind == "base"
    assert says.startswith(f"the first layers are not those of {reference}: layer 1 of ")
