"""For each trap of a repo2docker folder: one that falls into it, and one that just does not."""

from __future__ import annotations

from typing import NamedTuple


class FolderCase(NamedTuple):
    """One trap's two folders: their files by their paths."""

    code: str
    bad: dict[str, str]
    said: tuple[tuple[str, int, str], ...]
    good: dict[str, str]


EXACT = "dependencies:\n  - python=3.11.7\n"
FOLDERS = (
    FolderCase(
        "R2D001", {"runtime.txt": "python-3.11.7\n"},
        (("runtime.txt", 1, "'python-3.11.7' is not python-x.y: the build ends here"),),
        {"runtime.txt": "python-3.11\n"},
    ),
    FolderCase(
        "R2D002", {"binder/apt.txt": "", ".binder/apt.txt": ""},
        (("", 1, "There are both binder/ and .binder/: repo2docker refuses"),),
        {"binder/apt.txt": ""},
    ),
    FolderCase(
        "R2D003", {"binder/requirements.txt": "a==1", "runtime.txt": "python-3.11"},
        (("", 1, "runtime.txt at the root is not read: binder/ is there"),),
        {"binder/environment.yml": EXACT, "requirements.txt": "a"},
    ),
    FolderCase(
        "R2D004", {"binder/environment.yml": EXACT, "binder/requirements.txt": "a==1"},
        (("binder/environment.yml", 1,
          "requirements.txt is not read: binder/environment.yml is there"),),
        {"binder/environment.yml": f"{EXACT}  - pip:\n    - -r requirements.txt\n",
         "binder/requirements.txt": "a==1"},
    ),
    FolderCase(
        "R2D005", {"apt.txt": "# a; b\nlibgl1\ncurl; touch /x\n$(id)\n"},
        (("apt.txt", 3, "'curl; touch /x' is no package name"),
         ("apt.txt", 4, "'$(id)' is no package name")),
        {"apt.txt": "libgl1\nlibstdc++6\n"},
    ),
    FolderCase(
        "R2D006", {"binder/Dockerfile": "FROM scratch\nCMD a", "binder/apt.txt": "a"},
        (("binder/Dockerfile", 1, "binder/Dockerfile hides all others: apt.txt"),),
        {"Dockerfile": "FROM scratch\nCMD a", "binder/apt.txt": "a"},
    ),
    FolderCase(
        "R2D007",
        {"binder/environment.yml": "dependencies:\n  - python>=3.11,<3.12\n  - pythonnet\n"},
        (("binder/environment.yml", 2,
          "'python>=3.11,<3.12' is not found: repo2docker takes its default"),),
        {"binder/environment.yml": EXACT},
    ),
    FolderCase(
        "R2D008", {"binder/requirements.txt": "a==1"},
        (("binder/requirements.txt", 1,
          "Nothing names a Python: repo2docker's default will change"),),
        {"binder/environment.yml": EXACT},
    ),
    FolderCase(
        "R2D009",
        {"binder/environment.yml": f"{EXACT}  - pip\n  - b=1.*\n  - pip:\n      - numpy>=1\n"
         "      - a==1\n"},
        (("binder/environment.yml", 4, "'b=1.*' names no exact version"),
         ("binder/environment.yml", 6, "'numpy>=1' has no ==")),
        {"binder/requirements.txt": "a==1\n-r x\nb @ https://x.example/b.whl#sha256=1"},
    ),
    FolderCase(
        "R2D009",
        {"environment.yml": "name: x\ndependencies:\n  - numpy>=1\n  - scipy\n  - pip:\n    - a\n"},
        (("environment.yml", 3, "'numpy>=1' names no exact version"),
         ("environment.yml", 4, "'scipy' names no exact version"),
         ("environment.yml", 6, "'a' has no ==")),
        {"environment.yml": "dependencies:\n- conda-forge::numpy=1.26\n- scipy ==1.1 py_0\n- b 2\n"
         "- c=1=h_0\n- https://x.example/a.conda#0123\n- pip\n- pip:\n  - a==1\n"
         "  - b @ https://x.example/b.whl#sha256=1 # c\n"},
    ),
    FolderCase(
        "R2D014",
        {"binder/requirements.txt": "Jinja2==2.0 --hash=sha256:1\ntornado[x] == 4.*; a\nidna==1\n"},
        (("binder/requirements.txt", 1, "The Jupyter server needs jinja2 3.0.3, not jinja2==2.0"),
         ("binder/requirements.txt", 2, "The Jupyter server needs tornado 6.2, not tornado==4.*")),
        {"binder/requirements.txt": "jinja2==3.1.4\ntornado==6.*\npyzmq>=2\npyzmq==24.0.0\n"
         "tornado @ https://x.example/a\n"},
    ),
    FolderCase(
        "R2D014", {"binder/environment.yml": f"{EXACT}  - pip:\n    - pyzmq==19.0.0\n"},
        (("binder/environment.yml", 4, "The Jupyter server needs pyzmq 24, not pyzmq==19.0.0"),),
        {"binder/runtime.txt": "python-3.6", "binder/requirements.txt": "pyzmq==19.0.0"},
    ),
    FolderCase(
        "R2D010", {"binder/requirements.txt": "-r more.txt", "binder/more.txt": ""},
        (("binder/requirements.txt", 1, "'more.txt' is not at the repository's root"),),
        {"binder/requirements.txt": "-r binder/more.txt", "binder/more.txt": ""},
    ),
    FolderCase(
        "R2D011", {"binder/start": "#!/bin/sh\nexport A=1\n"},
        (("binder/start", 1, 'start does not end in exec "$@": nothing is started'),),
        {"binder/start": '#!/bin/sh\nexport A=1\nexec "$@"\n'},
    ),
    FolderCase(
        "R2D012", {"apt.txt": "libgl1=1.7.0-1\n"},
        (("apt.txt", 1, "libgl1=1.7.0-1 may be gone from Ubuntu's archive"),),
        {"apt.txt": "libgl1\n"},
    ),
    FolderCase(
        "R2D013", {"binder/conda-lock.yml": "", "binder/apt.txt": "a"},
        (("", 1, "conda-lock.yml is not read"),),
        {"binder/conda-lock.yml": "", "binder/environment.yml": EXACT},
    ),
)  # fmt: skip
