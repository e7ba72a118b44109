from pathlib import Path

import pytest

from digits.core.errors import InputError
from digits.core.files import DAMAGED, reading, replacing, replacing_folder, write_csv, write_json


def test_replacing_puts_the_new_file_in_place_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/a.txt"
    with replacing(path) as partial:
        partial.write_text("new")
        assert partial.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:  # noqa: PT012
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_replacing_folder_leaves_only_the_new_files(tmp_path: Path) -> None:
    folder = tmp_path / "plots/linear"
    for name in ("old.png", "new.png"):
        with replacing_folder(folder) as partial:
            (partial / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["new.png"]
    assert [path.name for path in folder.parent.iterdir()] == ["linear"]


def test_replacing_folder_follows_a_link_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk/splits").mkdir(parents=True)
    (tmp_path / "disk/splits/old.npz").touch()
    (tmp_path / "splits").symlink_to(tmp_path / "disk/splits")
    with replacing_folder(tmp_path / "splits") as partial:
        (partial / "new.npz").touch()
    assert (tmp_path / "splits").is_symlink()
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert names == {"disk", "disk/splits", "disk/splits/new.npz", "splits"}


def test_replacing_folder_keeps_the_old_files_when_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "linear"
    folder.mkdir()
    (folder / "old.png").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_folder(folder) as partial:  # noqa: PT012
        (partial / "new.png").write_text("half")
        raise ZeroDivisionError
    assert [path.name for path in folder.iterdir()] == ["old.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["linear"]


def test_the_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".partial-1-a.txt").write_text("half")
    (tmp_path / ".partial-1-b.txt").write_text("half")
    (tmp_path / ".partial-1-plots").mkdir()
    with replacing(tmp_path / "a.txt") as partial:
        partial.write_text("new")
    with replacing_folder(tmp_path / "plots") as folder:
        (folder / "new.png").write_text("new")
    # The partial file of b.txt stays until b.txt is written.
    assert {path.name for path in tmp_path.iterdir()} == {".partial-1-b.txt", "a.txt", "plots"}


def test_json_is_indented_unescaped_and_ends_its_last_line(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"größe": [1, 2.5]})
    expected = '{\n  "größe": [\n    1,\n    2.5\n  ]\n}\n'
    assert (tmp_path / "a.json").read_bytes() == expected.encode()


def test_write_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_csv_quotes_where_needed_and_ends_lines_with_lf(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["class", "f1"], [("Coat, warm", 0.5), ("größe", 1)])
    expected = 'class,f1\n"Coat, warm",0.5\ngröße,1\n'
    assert (tmp_path / "a.csv").read_bytes() == expected.encode()


@pytest.mark.parametrize("kind", [FileNotFoundError, *DAMAGED])
def test_an_output_that_cannot_be_read_is_reported(kind: type[Exception]) -> None:
    found = r"no such file" if kind is FileNotFoundError else r"damaged \('?why'?\)"
    with (
        pytest.raises(InputError, match=rf"a\.npz: {found}; .*Run `dvc repro split`"),
        reading(Path("a.npz"), "split"),
    ):
        raise kind("why")
