"""Files as torch.save writes them, made without PyTorch: both layouts, by hand.

The pickled names are those of PyTorch's own classes; here they belong to stand-ins in modules
that exist only while a file is written.
"""

import contextlib
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
_NAMES = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"}
_NAMES |= {"int64": "Long"}


@contextlib.contextmanager
def _torch_modules():
    """Give the pickler a `torch` to find its names in; never while the real one is loaded."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*arguments):
        raise NotImplementedError

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for kind in _NAMES.values():
        name = f"{kind}Storage"
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))
    torch._utils = utils
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


class _Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class _Tensor:
    def __init__(self, storage, torch):
        self.storage, self.torch = storage, torch

    def __reduce__(self):
        shape = self.storage.values.shape
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
        arguments = (self.storage, 0, shape, strides, False, OrderedDict())
        return self.torch._utils._rebuild_tensor_v2, arguments


class _Pickler(pickle.Pickler):
    def __init__(self, file, torch, extra):
        super().__init__(file, protocol=2)
        self.torch, self.extra = torch, extra

    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        kind = getattr(self.torch, f"{_NAMES[value.values.dtype.name]}Storage")
        return ("storage", kind, value.key, "cpu", value.values.size, *self.extra)


def _pickled(tensors, extra, others, inside=""):
    storages = [_Storage(str(i), np.asarray(value)) for i, value in enumerate(tensors.values())]
    buffer = io.BytesIO()
    with _torch_modules() as torch:
        content = OrderedDict(
            (name, _Tensor(s, torch)) for name, s in zip(tensors, storages, strict=True)
        )
        content = {inside: content} if inside else content
        _Pickler(buffer, torch, extra).dump(content | others)
    return buffer.getvalue(), storages


def write_zip(path, tensors, others=None, inside=""):
    """Write `tensors` (and `others`, any objects) as PyTorch 1.6 and later do.

    `inside` names a dictionary that holds them, beside the others.
    """
    pickled, storages = _pickled(tensors, (), others or {}, inside)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for storage in storages:
            archive.writestr(f"archive/data/{storage.key}", storage.values.tobytes())
        archive.writestr("archive/version", "3\n")


def write_stream(path, tensors, others=None):
    """Write `tensors` as PyTorch before 1.6 did."""
    pickled, storages = _pickled(tensors, (None,), others or {})
    sizes = {"short": 2, "int": 4, "long": 4}
    about = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    with open(path, "wb") as file:
        for value in (MAGIC, 1001, about):
            pickle.dump(value, file, protocol=2)
        file.write(pickled)
        pickle.dump([storage.key for storage in storages], file, protocol=2)
        for storage in storages:
            file.write(storage.values.size.to_bytes(8, "little") + storage.values.tobytes())
