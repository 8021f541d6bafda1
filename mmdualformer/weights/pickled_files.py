"""Files of ``torch.save``: found to be whole, and read without running anything that is in them."""

import os
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from mmdualformer.compat.pickled import STAND_INS

from .pickle_calls import NO_FILE, STORAGE, Named, read_calls
from .plain import make_plain

ZIP = b'PK\x03\x04'
CHUNK = 2**20
LEGACY_PICKLES = 5  # of torch < 1.6: magic number, protocol, system, content, keys of storages
REFUSED_TENSORS = {
    '_rebuild_sparse_tensor': 'a sparse tensor',
    '_rebuild_qtensor': 'a quantized tensor',
    '_rebuild_meta_tensor_no_storage': 'a tensor without values',
    '_rebuild_nested_tensor': 'a nested tensor',
    '_rebuild_wrapper_subclass': 'a tensor of a class of its own',
}
ALLOWED = {
    *STAND_INS,
    '_codecs.encode',
    'builtins.complex',
    'builtins.set',
    'collections.Counter',
    'collections.OrderedDict',
    'torch.Size',
    'torch.device',
    'torch.nn.parameter.Parameter',
    'torch._tensor._rebuild_from_type_v2',
    'torch._utils._rebuild_parameter',
    'torch._utils._rebuild_parameter_with_state',
    'torch._utils._rebuild_tensor',
    'torch._utils._rebuild_tensor_v2',
    'torch._utils._rebuild_tensor_v3',
}
TYPES = {'torch.Tensor', 'torch.storage.UntypedStorage'}  # of tensors; called, they would take any memory
REBUILD = 'torch._utils._rebuild_'  # functions that make tensors
# classes of data, which would be harmless, but are not plain
DATA = re.compile(
    r'argparse\.Namespace|builtins\.(frozenset|range|slice)|collections\.(defaultdict|deque)|datetime\.\w+|'
    r'decimal\.Decimal|easydict\.EasyDict|enum\.\w+|fractions\.Fraction|mmengine\.config\..+|omegaconf\..+|'
    r'pathlib\.(\w+\.)?\w*Path|torch\.nn\.modules\..+|types\.SimpleNamespace|uuid\.UUID'
)


class DamagedError(ValueError):
    """The bytes of a file are not those that were written."""


def read_pickled(path: str | Path, map_location: Any = 'cpu', only_content: bool = False) -> Any:
    """Read a file of ``torch.save``.

    Args:
        path (str or Path): The file.
        map_location (str, device or callable): Where its tensors are to be, as for ``torch.load``. Defaults to
            ``'cpu'``.
        only_content (bool): Leave the values of tensors in the file, and do not look whether they are whole. Defaults
            to False.

    Returns:
        The content, of plain data.

    Raises:
        DamagedError: A record has another checksum than the file says.
        UnpicklingError: It is no such file, would run code, or holds something else than data.
        Exception: A pickle is a program: anything can go wrong in it.
    """
    with open(path, 'rb') as file:
        is_zip = file.read(len(ZIP)) == ZIP
        file.seek(0)
        if is_zip:
            _check_archive(file, only_content)
        else:
            for _ in range(LEGACY_PICKLES):
                _check_names(file)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of what a file has in it, the errors say what matters
        content = torch.serialization.load(path, map_location, weights_only=True, mmap=only_content and is_zip)
    return make_plain(content, os.path.getsize(path))


def _check_archive(file: IO[bytes], only_content: bool) -> None:
    """Check the records of a zip file: their checksums, which torch writes and does not read, and a pickle's names."""
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            folder = records[0].filename.partition('/')[0] if records else ''
            names = {record.filename.lower() for record in records}  # torch's reader of zip files ignores the case
            if len(names) < len(records) or not all(name.startswith(f'{folder.lower()}/') for name in names):
                raise pickle.UnpicklingError(NO_FILE)
            if f'{folder.lower()}/constants.pkl' in names:
                raise pickle.UnpicklingError('it is a TorchScript program; save the state_dict of its model alone')
            if f'{folder}/data.pkl' not in archive.namelist():
                raise pickle.UnpicklingError(NO_FILE)
            end = file.seek(0, 2)
            if sum(record.file_size for record in records) > end:  # records in each other, or compressed
                raise pickle.UnpicklingError(NO_FILE)
            for record in records:
                if record.compress_type != zipfile.ZIP_STORED:
                    raise pickle.UnpicklingError(NO_FILE)
                if only_content and record.filename != f'{folder}/data.pkl':
                    continue
                with archive.open(record) as stream:
                    while stream.read(CHUNK):
                        pass
            sizes = {record.filename.lower(): record.file_size for record in records}
            with archive.open(f'{folder}/data.pkl') as stream:
                _check_names(stream, {name.partition('/data/')[2]: size for name, size in sizes.items()})
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise DamagedError(str(error) or 'it ends too early') from None


def _check_names(stream: IO[bytes], sizes: Mapping[str, int] | None = None) -> None:
    """Check what a pickle asks for; none of it has run yet.

    Args:
        stream (file): At the start of the pickle.
        sizes (mapping, optional): Bytes of the storages of an archive, by their names. Defaults to None, those of a
            legacy file, whose sizes torch checks.
    """
    for name, arguments in read_calls(stream):
        if arguments is not None and name is STORAGE:
            if sizes is not None:
                _check_storage(arguments, sizes)
            continue
        is_type = name in TYPES or _is_kind_of_numbers(name)
        if arguments is None and not is_type and name not in ALLOWED:
            raise pickle.UnpicklingError(_say(name))
        if arguments is not None and (is_type or not isinstance(name, Named) or not _is_harmless(name, arguments)):
            raise pickle.UnpicklingError(f'it would run {name}' if name else NO_FILE)


def _check_storage(arguments: tuple, sizes: Mapping[str, int]) -> None:
    """Check that a storage is as long as it is said to be: torch 2.6 takes what is beyond it from memory."""
    if len(arguments) != 5 or not isinstance(arguments[1], Named) or type(arguments[4]) is not int:
        raise pickle.UnpicklingError(NO_FILE)
    _, kind, key, _, count = arguments
    kind = kind.rpartition('.')[2]
    is_untyped = kind == torch.UntypedStorage.__name__
    size = 1 if is_untyped else torch.storage._get_dtype_from_pickle_storage_type(kind).itemsize
    if not 0 <= count * size <= sizes.get(str(key).lower(), -1):
        raise DamagedError(f'its storage {key} is shorter than it says')


def _is_kind_of_numbers(name: Any) -> bool:
    """Whether a name is that of a class of storages, or of a dtype."""
    is_storage = isinstance(name, str) and re.fullmatch(r'torch\.\w+Storage', name)
    return bool(is_storage) or isinstance(getattr(torch, str(name).removeprefix('torch.'), None), torch.dtype)


def _is_harmless(name: str, arguments: tuple) -> bool:
    """Whether a call that a pickle may make is one that torch writes, of those that could be something else."""
    if name == '_codecs.encode':  # bytes; other codecs take any time
        return len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == 'latin1'
    if name == 'torch._tensor._rebuild_from_type_v2':  # calls its first argument
        return isinstance(arguments[:1] and arguments[0], Named) and arguments[0].startswith(REBUILD)
    return True


def _say(name: str) -> str:
    """Say why a name is refused."""
    last = name.rpartition('.')[2]
    if last in REFUSED_TENSORS:
        return f'it holds {REFUSED_TENSORS[last]}'
    if DATA.fullmatch(name):
        return f'it holds a {last}, which is no plain data; save its state_dict alone'
    return f'it would run {name}'
