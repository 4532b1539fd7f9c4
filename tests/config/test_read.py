"""A config file is a program: how it fails is a sentence with its line, not a traceback."""

import pytest

from dmcf_jax.config.read import read_config
from dmcf_jax.errors import UserError

START = """from dmcf_jax.configs import own

def get_config(variant=""):
    config = own.get_config()
"""


@pytest.mark.parametrize(
    ("text", "line", "kind"),
    [
        ("import no_such_module_of_mine\n", 1, "ModuleNotFoundError"),
        (START + "    config.seed = sed\n    return config\n", 5, "NameError"),
        (START + "    config.seed = 1 / 0\n    return config\n", 5, "ZeroDivisionError"),
        (START + "    config.seed = (1, 2)[2]\n    return config\n", 5, "IndexError"),
        (START + "    assert variant\n", 5, "AssertionError"),
        (START + "    config.seed == = 1\n", 5, "SyntaxError"),
        (START + "  return config\n", 5, "IndentationError"),
    ],
)
def test_a_config_that_fails_names_its_line(tmp_path, text, line, kind):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError) as error:
        read_config([f"--config={tmp_path}/mine.py"])
    assert error.value.about == ("--config",)
    assert f"{tmp_path}/mine.py, line {line}: {kind}" in str(error.value)


def test_a_config_that_works_is_read(tmp_path):
    (tmp_path / "mine.py").write_text(START + "    config.seed = 5\n    return config\n")
    assert read_config([f"--config={tmp_path}/mine.py:x", "--config.train.steps=3"]).seed == 5
