"""What a build holds, and that there is none without the page bundle."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STATIC = Path("src/gip_nb/notebook/static")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of what a build reads, with a bundle that nobody had to build."""
    target = tmp_path / "sources"
    ignored = shutil.ignore_patterns("node_modules", "static", "__pycache__", ".*_cache")
    for folder in (".ci", "js", "notebooks", "src"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", ".gitignore"):
        shutil.copy(ROOT / name, target / name)
    (target / STATIC).mkdir(parents=True)
    (target / STATIC / "widget.js").write_text("export default {};\n")
    (target / STATIC / "widget.css").write_text(".gip-nb {}\n")
    return target


def build(sources: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        sources.parent / "dist",
        *options,
    ]
    return subprocess.run([*command, sources], capture_output=True, text=True, check=False)


def built(sources: Path, pattern: str) -> Path:
    (path,) = (sources.parent / "dist").glob(pattern)
    return path


def test_the_wheel_holds_the_bundle_the_data_and_the_tutorial(sources: Path) -> None:
    done = build(sources)  # an sdist, and a wheel from it: so the sdist is whole too
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(built(sources, "*.whl")) as wheel:
        files = set(wheel.namelist())
        assert wheel.read("gip_nb/notebook/static/widget.js") == b"export default {};\n"
        assert "gip-nb = gip_nb.cli:main" in wheel.read("gip_nb-0.1.0.dist-info/entry_points.txt").decode()
    assert files >= {
        "gip_nb/__init__.py",
        "gip_nb/py.typed",
        "gip_nb/notebook/static/widget.css",
        "gip_nb/notebooks/01_talk.ipynb",
        "gip_nb/protocol/prices.json",
        "gip_nb/rehearsal/question.wav",
        "gip_nb-0.1.0.dist-info/licenses/LICENSE",
    }
    assert {name.split("/")[0] for name in files} == {"gip_nb", "gip_nb-0.1.0.dist-info"}
    with tarfile.open(built(sources, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= {
        "js/package.json",
        "js/src/widget.js",
        "Makefile",
        "src/gip_nb/notebook/static/widget.js",
    }
    assert not [name for name in names if "node_modules" in name]


@pytest.mark.parametrize("kind", ["--wheel", "--sdist"])
def test_no_build_without_the_bundle(sources: Path, kind: str) -> None:
    (sources / STATIC / "widget.js").unlink()
    (sources / STATIC / "widget.css").write_bytes(b"")
    done = build(sources, kind)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "the page bundle is not built: src/gip_nb/notebook/static/widget.js and " in said
    assert "make js" in said
    assert not list((sources.parent / "dist").glob("*"))


def test_an_editable_install_needs_no_bundle(sources: Path, tmp_path: Path) -> None:
    shutil.rmtree(sources / STATIC)
    install: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
    ]
    options: list[str | Path] = ["--target", tmp_path / "installed", "--editable", sources]
    done = subprocess.run([*install, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path_file,) = (tmp_path / "installed").glob("*.pth")
    assert path_file.read_text().strip() == str(sources / "src")
