"""Reading weights: both layouts of PyTorch, what is converted, and what is refused.

Truth: the arrays that went into the files, which `support.torch_files` writes without PyTorch.
Files of PyTorch itself are read in test_torch_live.py.
"""

import functools
import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from support.torch_files import write_stream, write_zip

from dmcf_jax.errors import UserError
from dmcf_jax.methods.network.pretrained_streams import stream_weights
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.models.resnet import ResNet
from dmcf_jax.weights.imagenet import load_resnet
from dmcf_jax.weights.torch_names import to_torch, torch_shapes

SIZES, WIDTH = (2, 1, 1, 1), 2
WRITERS = {
    "zip.pth": write_zip,
    "stream.pth": write_stream,
    "it.safetensors": lambda path, tensors: safetensors.numpy.save_file(tensors, path),
}


@functools.cache
def shapes_of(stage_sizes=SIZES, width=WIDTH):
    model = ResNet(stage_sizes=stage_sizes, width=width, dtype=jnp.dtype("float32"))
    blank = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, False), blank)
    return torch_shapes(shapes)


def resnet_tensors(stage_sizes=SIZES, width=WIDTH, dtype=np.float32):
    draw = np.random.default_rng(0)
    named = shapes_of(stage_sizes, width)
    tensors = {name: draw.normal(size=shape).astype(dtype) for name, shape in named.items()}
    classifier = {"fc.weight": np.ones((3, 4), dtype), "fc.bias": np.ones(3, dtype)}
    return tensors | classifier | {"bn1.num_batches_tracked": np.array(7, np.int64)}


def assert_loaded(variables, tensors):
    back = to_torch(variables)
    expected = {n: v for n, v in tensors.items() if not n.startswith("fc.") and "num_" not in n}
    assert back.keys() == expected.keys()
    for name, value in expected.items():
        assert back[name].dtype == np.float32
        np.testing.assert_array_equal(back[name], value.astype(np.float32))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, jnp.bfloat16])
def test_every_format_and_precision_gives_the_stored_numbers(tmp_path, name, dtype):
    tensors = resnet_tensors(dtype=dtype)
    WRITERS[name](tmp_path / name, tensors)
    assert_loaded(load_resnet(tmp_path / name, SIZES, WIDTH), tensors)


def test_a_kernel_goes_from_o_c_s_s_to_s_s_c_o(tmp_path):
    tensors = resnet_tensors()
    write_zip(tmp_path / "a.pth", tensors)
    kernel = load_resnet(tmp_path / "a.pth", SIZES, WIDTH)["params"]["layer1_0"]["conv2"]["kernel"]
    theirs = tensors["layer1.0.conv2.weight"]
    assert kernel[2, 1, 0, 1] == theirs[1, 0, 2, 1]


class Attack:
    """Pickles to a call that would leave a file behind."""

    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("layout", ["zip", "stream", "bare pickle"])
def test_a_file_that_would_run_a_command_is_refused_by_name(tmp_path, layout):
    path, witness = tmp_path / "evil.pth", tmp_path / "executed"
    if layout == "bare pickle":
        path.write_bytes(pickle.dumps({"conv1.weight": Attack(witness)}))
    else:
        write = write_zip if layout == "zip" else write_stream
        write(path, resnet_tensors(), {"more": Attack(witness)})
    with pytest.raises(UserError, match=rf"(?s){path}.*{os.system.__module__}\.system.*not exec"):
        load_resnet(path)
    assert not witness.exists()


def test_an_unknown_class_is_refused_even_if_it_is_harmless(tmp_path):
    write_zip(tmp_path / "a.pth", resnet_tensors(), {"path": tmp_path})
    with pytest.raises(UserError, match="pathlib"):
        load_resnet(tmp_path / "a.pth", SIZES, WIDTH)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.97])
def test_a_truncated_file_is_reported(tmp_path, name, kept):
    WRITERS[name](tmp_path / name, resnet_tensors())
    complete = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(complete[: int(kept * len(complete))])
    with pytest.raises(UserError) as caught:
        load_resnet(tmp_path / name, SIZES, WIDTH)
    assert caught.value.about == (str(tmp_path / name),)


def test_all_misfits_are_reported_at_once(tmp_path):
    tensors = resnet_tensors()
    del tensors["layer3.0.bn2.running_mean"]
    tensors["layer9.weight"] = np.ones(3, np.float32)
    tensors["conv1.weight"] = np.ones((WIDTH, 1, 7, 7), np.float32)
    write_zip(tmp_path / "a.pth", tensors)
    with pytest.raises(UserError) as caught:
        load_resnet(tmp_path / "a.pth", SIZES, WIDTH)
    problems = {problem.about: problem.text for problem in caught.value.problems}
    assert list(problems) == ["layer3.0.bn2.running_mean", "layer9.weight", "conv1.weight"]
    missing, unknown, wrong = problems.values()
    assert "missing" in missing and "unknown" in unknown
    assert "(2, 1, 7, 7)" in wrong and "(2, 3, 7, 7)" in wrong


def test_a_deeper_resnet_is_named_by_its_blocks(tmp_path):
    write_zip(tmp_path / "deeper.pth", resnet_tensors((2, 1, 4, 1)))
    with pytest.raises(UserError) as caught:
        load_resnet(tmp_path / "deeper.pth", SIZES, WIDTH)
    assert caught.value.about[0] == "model.stage_sizes"
    assert "(2, 1, 4, 1)" in str(caught.value.problems[0])
    assert len(caught.value.problems) == 1 + 3 * 15  # three blocks of 15 tensors
    assert len(str(caught.value).splitlines()) < 15


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps([1, 2]), "not one written by torch.save"),
        (b"<html>404 not found</html>", "is a web page"),
        (b"nothing of the kind", "cannot be read as"),
    ],
)
def test_other_files_are_refused(tmp_path, content, reason):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        load_resnet(tmp_path / "a.pth")


def test_a_missing_file_and_a_bad_address_are_named(tmp_path):
    for address in (str(tmp_path / "nothing.pth"), "hf://nonsense"):
        with pytest.raises(UserError) as caught:
            load_resnet(address)
        assert caught.value.about == (address,)


@pytest.mark.parametrize("shared_from", [None, "layer3"])
def test_both_streams_get_the_weights_and_shared_parts_once(tmp_path, shared_from):
    write_zip(tmp_path / "a.pth", resnet_tensors())
    resnet = load_resnet(tmp_path / "a.pth", SIZES, WIDTH)
    float32 = jnp.dtype("float32")
    model = TwoStreams(3, SIZES, WIDTH, shared_from=shared_from, embedding_dim=4, dtype=float32)
    shapes = variable_shapes(model, (96, 48))
    given = stream_weights(shapes, resnet)
    for collection in ("params", "batch_stats"):
        streams = {n: t for n, t in shapes[collection].items() if n in given[collection]}
        assert jax.tree.structure(given[collection]) == jax.tree.structure(streams)
        for stream in given[collection].values():
            for name, part in stream.items():
                jax.tree.map(np.testing.assert_array_equal, part, resnet[collection][name])
    assert set(given["params"]) == {"visible", "infrared"} | ({"shared"} if shared_from else set())
