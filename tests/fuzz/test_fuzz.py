"""Random bad input ends in success or in one message: the short form of long_form.py."""

import pytest
from fuzz import config_cases, feature_cases, own_cases, shared_cases, tree_cases
from support.verdict import refusal, try_cases

from dmcf_jax.errors import UserError


def test_configs():
    assert try_cases(config_cases.changed_configs(), config_cases.check_config, 60)["refused"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of how config files are loaded
def test_overrides():
    assert try_cases(config_cases.overrides, config_cases.check_overrides, 60)["refused"]


def test_features():
    assert try_cases(feature_cases.cases, feature_cases.check_features, 60)["refused"]


def test_trees():
    ends = try_cases(tree_cases.cases, tree_cases.check_tree, 20)
    assert ends["refused"] and ends["succeeded"]


def test_own_data():
    ends = try_cases(own_cases.cases, own_cases.check_own, 20)
    assert ends["refused"] and ends["succeeded"]


@pytest.mark.slow
def test_shared_models():
    ends = try_cases(shared_cases.cases, shared_cases.check_shared, 30)
    assert ends["refused"] and ends["succeeded"]


def test_words():
    ends = try_cases(own_cases.words, own_cases.check_words, 100)
    assert ends["refused"] and ends["succeeded"]


@pytest.mark.parametrize("name", tree_cases.WRITERS)
def test_a_tree_without_faults_is_prepared(name):
    assert tree_cases.check_tree((name, ["nothing"], [0])) is None


@pytest.mark.parametrize("harm", ["upwards", "absolute", "backslashes"])
@pytest.mark.parametrize("name", ["regdb", "llcm"])
def test_an_index_cannot_name_a_file_outside_of_the_root(name, harm):
    message = tree_cases.check_tree((name, [harm], [1]))
    assert any(words in message for words in ("is absolute", "leaves the data set", "not exist"))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", tree_cases.WRITERS)
def test_a_link_cannot_lead_outside_of_the_root(name, number):
    """Number 1 links an image, 0 a folder; a top-level folder may be on another disk."""
    message = tree_cases.check_tree((name, ["link outside"], [number, number + 3]))
    assert message is None or "leaves the data set's root" in message or "missing" in message


def test_the_check_itself_distinguishes_a_fault_from_a_refusal():
    def refuse():
        raise UserError("give another value")

    def fail():
        raise KeyError("a fault of the package")

    assert refusal(refuse) == "give another value" and refusal(lambda: 3) is None
    with pytest.raises(KeyError):
        refusal(fail)
