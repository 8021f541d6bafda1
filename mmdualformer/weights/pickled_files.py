"""Files of ``torch.save``: found to be whole, and read without running anything that is in them."""

import _compat_pickle
import pickle
import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

from mmdualformer.compat.pickled import STAND_INS

from .plain import make_plain

ZIP = b'PK\x03\x04'
CHUNK = 2**20
LEGACY_PICKLES = 5  # of torch < 1.6: magic number, protocol, system, content, keys of storages
NO_FILE = 'it is no file that torch.save has written'
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
    'builtins.bytearray',
    'builtins.complex',
    'builtins.set',
    'collections.Counter',
    'collections.OrderedDict',
    'torch.Size',
    'torch.Tensor',
    'torch.device',
    'torch.nn.parameter.Parameter',
    'torch._tensor._rebuild_from_type_v2',
    'torch._utils._rebuild_parameter',
    'torch._utils._rebuild_parameter_with_state',
    'torch._utils._rebuild_tensor',
    'torch._utils._rebuild_tensor_v2',
    'torch._utils._rebuild_tensor_v3',
    'torch.storage.TypedStorage',
    'torch.storage.UntypedStorage',
}


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
        content = torch.load(path, map_location, weights_only=True, mmap=only_content and is_zip)
    return make_plain(content)


def _check_archive(file: IO[bytes], only_content: bool) -> None:
    """Check the records of a zip file: their checksums, which torch writes and does not read, and a pickle's names."""
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            folder = records[0].filename.partition('/')[0] if records else ''
            names = {record.filename.lower() for record in records}  # torch's reader of zip files ignores the case
            if len(names) < len(records) or not all(name.startswith(f'{folder.lower()}/') for name in names):
                raise pickle.UnpicklingError(NO_FILE)
            if f'{folder}/data.pkl' not in archive.namelist() or f'{folder.lower()}/constants.pkl' in names:
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
            with archive.open(f'{folder}/data.pkl') as stream:
                _check_names(stream)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise DamagedError(str(error) or 'it ends too early') from None


def _check_names(stream: IO[bytes]) -> None:
    """Check what a pickle asks for; none of it has run yet."""
    for name in _names(stream):
        if name in ALLOWED or re.fullmatch(r'torch\.\w+Storage', name):
            continue
        if isinstance(getattr(torch, name.removeprefix('torch.'), None), torch.dtype):
            continue
        tensor = REFUSED_TENSORS.get(name.rpartition('.')[2])
        raise pickle.UnpicklingError(f'it holds {tensor}' if tensor else f'it would run {name}')


def _names(stream: IO[bytes]) -> Iterator[str]:
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == 'GLOBAL':
                module, name = str(argument).split(' ', 1)
                module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
                yield f'{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}'
    except ValueError:
        raise pickle.UnpicklingError(NO_FILE) from None
