"""Read PyTorch's `.pth` files without PyTorch and without running code from them.

A `.pth` file is a pickle, and a pickle may call any function. Here the few names that a file of
tensors needs are mapped to classes of this module; every other name is refused before it is
looked up. Both layouts are read: the zip archive (PyTorch 1.6 and later) and the older stream.
"""

import pickle
import tarfile
import zipfile
from collections import OrderedDict
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

import jax.numpy as jnp
import numpy as np

from dmcf_jax.errors import UserError, shorten
from dmcf_jax.runtime.console import log

MAGIC = 0x1950A86A20F9469CFC6C  # first object of the stream layout
_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class _Storage:
    """A block of values in the file; empty until its bytes are read."""

    def __init__(self, dtype: np.dtype, count: int):
        self.dtype, self.count, self.values = dtype, count, np.empty(0, dtype)

    def check(self, size: int) -> None:
        """Refuse a wrong number of bytes."""
        if size != self.count * self.dtype.itemsize:
            raise ValueError("the file is truncated: values of a tensor are missing")

    def fill(self, data: bytes) -> None:
        """Take the values from the file's bytes."""
        self.check(len(data))
        self.values = np.frombuffer(data, self.dtype)


class _Tensor:
    """One tensor of a file: a strided window of a storage."""

    def __init__(self, storage: _Storage, offset: int, size: tuple, stride: tuple, *_: Any):
        self.window = (storage, offset, size, stride)

    def array(self) -> np.ndarray:
        """Return a copy of the values; refuse a window that is not inside its storage."""
        storage, offset, size, stride = self.window
        reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        count = int(np.prod(size, dtype=object))
        inside = min([0, offset, *stride]) >= 0 and (not count or offset + reach < storage.count)
        if not inside or count > storage.count:
            raise ValueError("a tensor reaches outside of its storage")
        strides = [step * storage.dtype.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage.values[offset:], size, strides).copy()


class _Parameter:
    """A parameter as PyTorch before 0.4 wrote it: the tensor is the first entry of its state."""

    def __init__(self, data: Any = None, *_: Any):
        self.data = data

    def __setstate__(self, state: tuple) -> None:
        if len(state) == 5:
            self.data = state[0]


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch.nn.parameter", "Parameter"): _Parameter,
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    """Builds dictionaries of tensors and nothing else, and collects their storages."""

    def __init__(self, file: IO[bytes] | BufferedIOBase):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name of the pickle is mapped to; refuse every name but the known ones."""
        if (module, name) not in _KNOWN:
            raise UserError(
                f"it asks to load {module}.{name}, which no file of weights needs. It was refused "
                "and not executed; such a file may be an attack. Use another source, or, if it is "
                "your own, save only model.state_dict()"
            )
        return _KNOWN[module, name]

    def persistent_load(self, pid: tuple) -> _Storage:
        """Return the storage that the pickle refers to by its key."""
        _, dtype, key, _, count, *view = pid
        if any(view):
            raise ValueError("its storages are views of each other")
        return self.storages.setdefault(key, _Storage(dtype, count))


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a `.pth` file by name, in the dtype they are stored in.

    Raises:
        UserError: the file is missing, damaged, not a dictionary of tensors, or asks to load
            anything but tensors.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            return _arrays(_read_zip(file) if is_zip else _read_stream(file))
    except UserError as error:
        raise UserError(f"{path} was refused: {error}.", about=str(path)) from None
    # A damaged pickle can raise almost anything.
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise UserError(
            f"{path} cannot be read as a PyTorch file of weights ({kind}{error}).\n"
            f"Download it again, or convert it where PyTorch is installed:\n{conversion(path)}",
            about=str(path),
        ) from None


def conversion(path: Path) -> str:
    """Return the command that converts a file of PyTorch to safetensors."""
    return (
        'python -c "import torch, safetensors.torch as s; s.save_file({k: v.contiguous() for k, v '
        f"in torch.load('{path}', 'cpu', weights_only=True).items()}}, "
        f"'{path.with_suffix('.safetensors')}')\""
    )


def _read_zip(file: IO[bytes]) -> Any:
    if not zipfile.is_zipfile(file):
        raise ValueError("the file is truncated: its archive has no end")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickled = [name for name in names if name.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise UserError("it is a zip archive without weights of PyTorch (no data.pkl)")
        folder = pickled[0].removesuffix("data.pkl")
        if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
            raise ValueError("its byte order is big-endian")
        with archive.open(pickled[0]) as pickle_file:
            unpickler = _TensorUnpickler(pickle_file)
            content = unpickler.load()
        for key, storage in unpickler.storages.items():
            entry = f"{folder}data/{key}"
            storage.check(archive.getinfo(entry).file_size)
            storage.fill(archive.read(entry))
    return content


def _read_stream(file: IO[bytes]) -> Any:
    if tarfile.is_tarfile(file):
        raise ValueError("it has the tar layout of PyTorch before 0.1.10")
    file.seek(0)
    if _TensorUnpickler(file).load() != MAGIC:
        raise UserError("it is a pickle, but not one written by torch.save")
    for _ in ("version", "byte order and sizes"):
        _TensorUnpickler(file).load()
    unpickler = _TensorUnpickler(file)
    content = unpickler.load()
    for key in _TensorUnpickler(file).load():
        storage = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError("the file is truncated or damaged")
        storage.fill(file.read(storage.count * storage.dtype.itemsize))
    return content


def _state_of(content: dict) -> dict:
    """Return the one dictionary of tensors in a checkpoint of epoch, optimizer and so on."""
    inner = {
        name: value
        for name, value in content.items()
        if isinstance(value, dict)
        and value
        and all(isinstance(entry, _Tensor | _Parameter) for entry in value.values())
    }
    if any(isinstance(value, _Tensor | _Parameter) for value in content.values()) or not inner:
        return content
    if len(inner) > 1:
        raise UserError(
            f"it holds several dictionaries of tensors ({', '.join(map(str, inner))}); save one"
        )
    ((name, tensors),) = inner.items()
    log(f"NOTE: the weights are those under '{name}'.")
    return tensors


def _arrays(content: Any) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        raise UserError(f"it holds a {type(content).__name__}, not a dictionary of tensors")
    tensors = {
        name: value.data if isinstance(value, _Parameter) else value
        for name, value in _state_of(content).items()
    }
    others = [str(name) for name, value in tensors.items() if not isinstance(value, _Tensor)]
    if others:
        raise UserError(
            f"not everything in it is a tensor ({', '.join(shorten(others, 5))}); save only the "
            "state_dict"
        )
    return {name: tensor.array() for name, tensor in tensors.items()}
