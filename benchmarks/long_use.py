"""What many experiments leave in one checkout: python -m benchmarks.long_use [COUNT]

Clones the repository into a temporary folder, and there makes COUNT (200) experiments one after another: the
seed of the linear classifier's training changes, the runner runs, params.yaml, dvc.lock and metrics are
committed. Prints how DVC's cache, git's and the checkout grow with each, files outside what is declared, what
the last run costs next to the first, and what `dvc gc` gives back.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
COUNT = 200
CACHE, GIT, NOTES = ".dvc/cache", ".git", ".dvc/tmp"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        run("git", "clone", "--quiet", str(ROOT), str(checkout), cwd=ROOT)
        repro(checkout)
        first, before, seconds = files(checkout), sizes(checkout), []
        for number in range(1, count + 1):
            seconds.append(experiment(checkout, number))
            if number % 20 == 0:
                print(f"{number} of {count}", flush=True)
        after = sizes(checkout)
        for part in after:
            print(f"{part}: {(after[part] - before[part]) / count / 1000:.0f} kB an experiment")
        print(f"files that are new: {sorted(files(checkout) - first) or 'none'}")
        tenth = max(1, count // 10)
        print(f"a run at the end ÷ at the start: {median(seconds[-tenth:]) / median(seconds[:tenth]):.2f}")
        print(f"{CACHE}: {after[CACHE] / 1e6:.1f} MB", end="")
        for option in ("--all-commits", "--workspace"):
            run(sys.executable, "-m", "dvc", "gc", option, "--force", "--quiet", cwd=checkout)
            print(f", after dvc gc {option} {sizes(checkout)[CACHE] / 1e6:.1f} MB", end="")
        print()


def experiment(checkout: Path, number: int) -> float:
    """Run and commit one; its seconds."""
    params = checkout / "params.yaml"
    lines = params.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if line.startswith("    seed: "))  # linear's
    lines[at] = f"    seed: {number}\n"
    params.write_text("".join(lines), encoding="utf-8")
    start = time.perf_counter()
    repro(checkout)
    seconds = time.perf_counter() - start
    run("git", "add", "params.yaml", "dvc.lock", "metrics", cwd=checkout)
    identity = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org")
    run("git", *identity, "commit", "--quiet", "--message", f"experiment: seed {number}", cwd=checkout)
    return seconds


def repro(checkout: Path) -> None:
    run(sys.executable, "-m", "dvc", "repro", cwd=checkout)


def run(*words: str, cwd: Path) -> str:
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout


def sizes(checkout: Path) -> dict[str, int]:
    """Bytes in each part."""
    return {
        part: sum(path.stat().st_size for path in (checkout / part).rglob("*") if path.is_file())
        for part in (CACHE, GIT, NOTES)
    }


def files(checkout: Path) -> set[str]:
    """All files but those of git, DVC and Python's caches."""
    return {
        path.relative_to(checkout).as_posix()
        for path in checkout.rglob("*")
        if path.is_file() and not {".git", ".dvc", "__pycache__"} & set(path.parts)
    }


if __name__ == "__main__":
    main()
