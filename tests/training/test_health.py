"""Alarms from lines of the log: who is named, when, once, and what recovers."""

import json
import math

import pytest

from dmcf_jax.methods.dmcf.losses import loss_terms_of
from dmcf_jax.methods.method import Watched
from dmcf_jax.methods.network.levels import features_of
from dmcf_jax.runs.summary import read_summary, summary_lines, write_summary
from dmcf_jax.training.health import Alarm, Health

TERMS = loss_terms_of(features_of(("layer3", "layer4"), (1, 2)))  # G1, G2 with R1, R2
CLASSES, STEPS = 150, 2000


def health(lines=(), classes=CLASSES, steps=STEPS, **changes):
    watched = Watched(TERMS, scale=1.8, triplets_from=0)
    return Health(watched._replace(**changes), classes, steps, lines)


def line(step, softmax=1.0, spread=0.8, apart=10.0, **changes):
    losses = {term.name: softmax for term in TERMS if term.kind == "softmax"}
    spreads = {f"spread_{name}": spread for name in ("G1", "G2")}
    distances = {f"distance_other_{name}": apart for name in ("G1", "G2")}
    return {"step": step} | losses | spreads | distances | changes


def messages(watch, lines):
    return [message for each in lines for message in watch.observe(each)]


def test_a_healthy_run_raises_no_alarm():
    watch = health()
    # The first 10 % may guess, as every run does.
    lines = [line(s, softmax=math.log(CLASSES) if s <= 150 else 2.0) for s in range(10, 2001, 10)]
    assert messages(watch, lines) == [] and watch.alarms == []


def test_a_collapsed_feature_is_named_once_with_what_to_try():
    watch = health()
    found = messages(watch, [line(step, spread_G2=0.01) for step in range(10, 1000, 10)])
    assert len(found) == 1 and "G2" in found[0] and "G1" not in found[0]
    for field in ("loss.triplet_start_step", "optim.lr_heads", "optim.warmup_steps", "loss.kind"):
        assert field in found[0]
    assert watch.alarms == [Alarm("G2", "collapsed", 50)]


def test_distances_below_the_margins_share_are_a_collapse_once_triplets_count():
    lines = [line(step, distance_other_G1=0.08) for step in range(10, 600, 10)]
    watch = health(triplets_from=290)
    messages(watch, lines)
    assert watch.alarms == [Alarm("G1", "collapsed", 340)]
    for scale, apart in ((0.0, 0.0), (1.0, 0.08), (1.8, 0.1)):
        watch = health(scale=scale)
        messages(watch, [line(step, distance_other_G1=apart) for step in range(10, 600, 10)])
        assert watch.alarms == []


def test_every_softmax_loss_at_ln_k_is_named_in_one_message():
    watch = health()
    found = messages(
        watch, [line(step, softmax=0.98 * math.log(150)) for step in range(10, 900, 10)]
    )
    assert len(found) == 1 and "G1, G2, R1, R2" in found[0] and "ln 150 = 5.01" in found[0]
    assert {alarm.since for alarm in watch.alarms} == {200}  # 10 % of the run
    watch = health(softmax_from=400)
    messages(watch, [line(step, softmax=5.0) for step in range(10, 900, 10)])
    assert {alarm.since for alarm in watch.alarms} == {600}  # counted from where they count
    watch = health(steps=300)
    messages(watch, [line(step, softmax=5.0) for step in range(10, 300, 10)])
    assert {alarm.since for alarm in watch.alarms} == {100}  # but at least 100 steps


def test_single_lines_raise_no_alarm():
    watch = health()
    lines = [line(step, softmax=5.1 if step == 500 else 4.0) for step in range(10, 900, 10)]
    lines[30] = line(310, spread=None, softmax=math.nan)  # not finite
    assert messages(watch, lines) == []


def test_a_feature_that_recovers_is_no_longer_in_the_summary_nor_named_again():
    watch = health()
    values = [5.0] * 40 + [3.0] * 40 + [5.0] * 40
    found = messages(watch, [line(10 * (i + 1), softmax=v) for i, v in enumerate(values[:80])])
    assert len(found) == 1 and watch.alarms == []
    lines = [line(10 * (i + 81), softmax=v) for i, v in enumerate(values[80:])]
    assert messages(watch, lines) == [] and len(watch.alarms) == 4


def test_a_resumed_run_has_the_alarms_of_one_that_never_stopped():
    lines = [line(step, softmax=5.0, spread_G1=0.0) for step in range(10, 900, 10)]
    never, resumed = health(), health(lines[:50])
    messages(never, lines)
    assert messages(resumed, lines[50:]) == []  # named before
    assert resumed.alarms == never.alarms


def test_logs_of_older_runs_raise_no_alarm_by_what_they_lack():
    watch = health()
    assert messages(watch, [{"step": step, "L2": 1.0} for step in range(10, 900, 10)]) == []


@pytest.mark.parametrize(
    ("alarms", "expected"),
    [
        ([], ["no alarm"]),
        ([("G1", "collapsed")], ["1 feature collapsed: G1"]),
        (
            [("G1", "collapsed"), ("G2", "collapsed"), ("R1", "guessing")],
            ["2 features collapsed: G1, G2; 1 feature no better than guessing: R1"],
        ),
    ],
)
def test_the_summary_is_read_back_as_sentences(alarms, expected, tmp_path):
    alarms = [Alarm(*each, since=100)._asdict() for each in alarms]
    assert read_summary(tmp_path) is None and summary_lines(None) == []
    ranks = {
        "trained people": {"value": 0.94, "people": 20},
        "held-out people": {"value": 0.08, "people": 20},
    }
    write_summary(tmp_path, {"step": 9, "alarms": alarms, "rank-1": ranks})
    assert json.loads((tmp_path / "summary.json").read_text())["alarms"] == alarms
    rank_1 = "rank-1 among 20 people: trained people 94 %, held-out people 8 %"
    assert summary_lines(read_summary(tmp_path)) == [*expected, rank_1]
