"""CSV files as spreadsheets and Windows write them, and what is told of those not read."""

import unicodedata

import pytest
from support.trees import noise

from dmcf_jax.data.datasets import own
from dmcf_jax.errors import UserError

HEAD = "path,identity,modality"
ROWS = [(f"{m}/{n}.png", n, m) for n in "abcd" for m in ("visible", "infrared")]
LINES = [f"{p},{i},{m}" for p, i, m in ROWS]
EXPECTED = [(p, "abcd".index(i), 1 + (m == "infrared"), int(m == "infrared")) for p, i, m in ROWS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("csv")
    for path, identity, _ in ROWS:
        noise(root / path, ord(identity))
    return root


def inspected(folder, text, encoding="utf-8"):
    (folder / "list.csv").write_bytes(text.encode(encoding))
    return own.inspect(folder / "list.csv", 1.0)


READ = {
    "plain": "\n".join([HEAD, *LINES]),
    "backslashes": "\r\n".join([HEAD, *(line.replace("/", "\\") for line in LINES)]),
    "sep": "\r\n".join(["sep=;", *(line.replace(",", ";") for line in [HEAD, *LINES])]),
    "empty rows": "\r\n".join([HEAD, *LINES, ",,", "", " , ,"]),
    "trailing comma": "\r\n".join([HEAD, *(line + "," for line in LINES)]),
    "empty columns": "\r\n".join(line + ",," for line in [HEAD, *LINES]),
    "capitals": "\n".join(
        ["Path,Identity,Modality", *(f"{p},{i},{m.title()}" for p, i, m in ROWS)]
    ),
    "index column": "\n".join(["," + HEAD, *(f"{n},{line}" for n, line in enumerate(LINES))]),
    "CR only": "\r".join([HEAD, *LINES]),
    "quoted": "\n".join([HEAD, *(f'"{p}","{i}","{m}"' for p, i, m in ROWS)]),
}


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_the_plain_file(folder, name):
    listing = inspected(folder, READ[name]).listing
    assert listing.problems == []
    assert [tuple(record) for record in listing.splits["train"]] == sorted(EXPECTED)


def test_utf_16_of_a_spreadsheet_is_read(folder):
    text = READ["plain"].replace(",", "\t")
    assert len(inspected(folder, text, "utf-16").listing.splits["train"]) == 8


def test_one_name_in_two_unicode_forms_is_one_person(folder):
    forms = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    lines = [f"{p},{forms[m == 'infrared']},{m}" for p, _, m in ROWS[:2]]
    assert list(inspected(folder, "\n".join([HEAD, *lines])).identities.values()) == ["Zoë"]


def test_a_path_in_the_other_unicode_form_is_found(tmp_path):
    noise(tmp_path / unicodedata.normalize("NFD", "Zoë.png"), 1)
    noise(tmp_path / "b.png", 2)
    lines = [f"{unicodedata.normalize('NFC', 'Zoë.png')},z,visible", "b.png,z,infrared"]
    listing = inspected(tmp_path, "\n".join([HEAD, *lines])).listing
    assert listing.problems == [] and len(listing.paths()) == 2


@pytest.mark.parametrize(
    ("change", "about", "words"),
    [
        (lambda p, i, m: f"C:\\Users\\ann\\{p},{i},{m}", "row 2", "relative to the CSV file"),
        (lambda p, i, m: f'{p},"{i} "the tall"",{m}', "row 2", "quotation mark"),
        (lambda p, i, m: f"{p},{i},{m},more", "row 2", "4 cells"),
        (lambda p, i, m: f"{p},{i if m == 'visible' else i + '0'},{m}", "identity", "nobody"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(folder, change, about, words):
    try:
        problems = inspected(
            folder, "\n".join([HEAD, *(change(*r) for r in ROWS)])
        ).listing.problems
    except UserError as error:
        problems = error.problems
    assert problems[0].about == about and words in problems[0].text


def test_latin_1_is_refused_with_the_way_out(folder):
    with pytest.raises(UserError, match="CSV UTF-8") as error:
        inspected(folder, READ["plain"].replace("a,", "ä,", 1), "latin-1")
    assert error.value.about == (str(folder / "list.csv"),)


@pytest.mark.parametrize("other", ["{}.0", "000{}"])
def test_identities_that_a_spreadsheet_changed_are_refused_by_name(folder, other):
    numbers = {n: str(k) for k, n in enumerate("abcd", 1)}
    lines = [
        f"{p},{numbers[i] if m == 'visible' else other.format(numbers[i])},{m}" for p, i, m in ROWS
    ]
    (problem,) = inspected(folder, "\n".join([HEAD, *lines])).listing.problems
    assert problem.about == "identity" and f"'{other.format(1)}'" in problem.text
