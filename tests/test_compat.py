import copy
import importlib.util
import logging
import os
import pickle
import subprocess
import sys
import types
from collections import OrderedDict

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import utils as dist_utils
from mmengine.logging import HistoryBuffer
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner import checkpoint as checkpoint_io

from mmdualformer import compat
from mmdualformer.errors import UserError
from mmdualformer.weights import check_read, read_file
from tests.helpers import REPO, Malicious


def python(code: str, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )


def test_mmaction_models_import_after_us_and_without_warnings():
    result = python(
        'import mmdualformer, mmaction.models, mmaction.apis\n'
        'from mmaction.models.localizers import DRN\n'
        'try: DRN()\n'
        'except ImportError as error: print(error)'
    )
    assert result.returncode == 0, result.stderr
    assert 'missing from mmaction2' in result.stdout
    assert result.stderr == ''


@pytest.mark.parametrize('torchvision', [True, False])
def test_the_stub_steps_aside_for_the_real_localizer(torchvision, tmp_path, monkeypatch):
    """An mmaction that has the module is left alone, unless the module cannot be imported for want of torchvision."""
    (tmp_path / 'models' / 'localizers' / 'drn').mkdir(parents=True)
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: (
            types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
            if name != 'torchvision' or torchvision
            else None
        ),
    )
    for name in [name for name in sys.modules if name.startswith('mmaction.models.localizers.drn')]:
        monkeypatch.delitem(sys.modules, name)
    compat.mmaction2.stub_drn()
    assert ('mmaction.models.localizers.drn' in sys.modules) is not torchvision


@pytest.mark.parametrize('content', ['', 'raise ImportError("no torchvision")'])
def test_a_transformers_that_the_multimodal_part_cannot_use(tmp_path, content):
    """As one without timm or torchvision, or newer than MMAction2."""
    for name, text in {
        'transformers/__init__.py': content,
        'transformers-5.0.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: transformers\nVersion: 5.0.0\n',
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    result = python(
        'import mmdualformer\n'
        'from mmaction.registry import MODELS\n'
        'print(MODELS.get("Recognizer3D").__name__)\n'
        'try: MODELS.build(dict(type="VindLUVQA"))\n'
        'except ImportError as error: print(error)',
        PYTHONPATH=f'{tmp_path}:{REPO}',
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('Recognizer3D\n') and 'requires extra multi-modal dependencies' in result.stdout


def test_applying_again_changes_nothing():
    before = (
        checkpoint_io.load_url,
        dist_utils._init_dist_pytorch,
        Config._get_cfg_path,
        MMDistributedDataParallel.__init__,
    )
    compat.apply()
    assert before == (
        checkpoint_io.load_url,
        dist_utils._init_dist_pytorch,
        Config._get_cfg_path,
        MMDistributedDataParallel.__init__,
    )


def test_mends_of_mmengine_step_aside_for_a_newer_one():
    result = python(
        'import mmengine; mmengine.__version__ = "0.10.8"\n'
        'import mmdualformer\n'
        'from mmengine.dist import utils\n'
        'print(utils._init_dist_pytorch.__module__, hasattr(utils._init_dist_pytorch, "__wrapped__"))'
    )
    assert result.stdout.split() == ['mmengine.dist.utils', 'False'], result.stderr


def test_mmengine_checkpoints_load_weights_only(tmp_path):
    history = HistoryBuffer()
    for value in (1.0, 3.0):
        history.update(value)
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(
        dict(
            state_dict=dict(weight=torch.ones(2)),
            message_hub=dict(
                log_scalars={'train/loss': history},
                runtime_info=dict(
                    array=np.arange(3),
                    flag=np.bool_(True),
                    score=np.float64(0.5),
                    short=np.float32(0.5),
                    count=np.int64(3),
                ),
            ),
        ),
        path,
    )
    loaded = CheckpointLoader.load_checkpoint(path, logger='silent')
    assert loaded['message_hub']['log_scalars']['train/loss'].mean() == 2
    assert loaded['message_hub']['runtime_info']['score'] == 0.5


def test_torch_load_gives_arrays_themselves(tmp_path):
    history = HistoryBuffer()
    history.update(3.0)
    array = np.arange(3)
    content = dict(
        values=[array, (1, np.float32(0.5)), {np.int64(4)}],
        named={np.int64(7): OrderedDict(history=history)},
        again=array,
        weight=torch.ones(2),
        endless=[],
    )
    content['endless'].append(content['endless'])
    torch.save(content, tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth')
    first, (_, number), whole = loaded['values']
    assert type(first) is np.ndarray and first.tolist() == [0, 1, 2] and loaded['again'] is first
    assert type(number) is np.float32 and number == 0.5 and whole == {4} and type(*whole) is np.int64
    assert loaded['named'][7]['history'].current() == 3
    assert loaded['endless'][0] is loaded['endless']
    assert list(loaded) == list(content) and torch.equal(loaded['weight'], torch.ones(2))


@pytest.mark.parametrize(
    'call',
    [
        lambda marker: (os.mkdir, str(marker)),
        lambda marker: (getattr, np.ndarray, 'tofile'),
        lambda marker: (getattr, np.ndarray, 'mean'),
        lambda marker: (getattr, HistoryBuffer, '__init__'),
        lambda marker: (exec, f'import os; os.mkdir({str(marker)!r})'),
    ],
)
def test_checkpoints_cannot_run_code(tmp_path, call):
    path, marker = str(tmp_path / 'bad.pth'), tmp_path / 'ran'
    torch.save(dict(state_dict={}, meta=Malicious(*call(marker))), path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path)
    with pytest.raises(UserError, match=r'it would run|getattr'):
        CheckpointLoader.load_checkpoint(path, logger='silent')
    assert not marker.exists()


def test_leaving_a_process_group_waits_for_no_thread_that_waits():
    """Without the order of its steps this hangs within a few rounds."""
    code = """
import gc, torch, torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmdualformer import compat
gc.disable()
for _ in range(20):
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    model = MMDistributedDataParallel(torch.nn.Linear(1, 1))
    model.cycle = [model]
    model(torch.ones(1, 1)).sum().backward()
    for _ in range(100):
        dist.all_reduce(torch.ones(1), async_op=True)  # gloo's threads let go of the tensors
    del model
    compat.leave_process_group()
"""
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_resuming_runs_no_config_of_the_checkpoint(tmp_path):
    """The runner's resume executes ``meta['config']`` of what its load_checkpoint returns."""
    model = torch.nn.Linear(1, 1)
    path = str(tmp_path / 'epoch_1.pth')
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1, config='import os; os.mkdir("ran")')), path)
    runner = types.SimpleNamespace(model=model, logger=logging.getLogger(), call_hook=lambda *args, **kwargs: None)
    assert Runner.load_checkpoint(runner, path)['meta'] == dict(epoch=1)


@pytest.mark.parametrize('place', ['meta', 'message_hub'])
def test_inferencers_run_no_config_of_a_checkpoint(tmp_path, place):
    from mmaction.apis.inferencers import ActionRecogInferencer

    path, marker = str(tmp_path / 'epoch_1.pth'), tmp_path / 'ran'
    config = dict(cfg=f'model = dict(type="X", made=__import__("os").mkdir({str(marker)!r}))')
    said = dict(meta=config) if place == 'meta' else dict(message_hub=dict(runtime_info=config))
    torch.save(dict(state_dict={}, **said), path)
    with pytest.raises(UserError, match='give the path of a config as the model'):
        ActionRecogInferencer(None, weights=path, device='cpu')
    assert not marker.exists()


def test_urls_load_weights_only(tmp_path):
    """torch.hub would unpickle anything; a file:// address stands for a server here."""
    path, marker = tmp_path / 'bad.pth', tmp_path / 'ran'
    torch.save(Malicious(os.mkdir, str(marker)), path)
    with pytest.raises(UserError, match='it would run'):
        checkpoint_io.load_url(path.as_uri(), model_dir=str(tmp_path / 'cache'))
    assert not marker.exists()


def test_schemes_of_other_packages_stay_and_are_checked(monkeypatch):
    def load_from_mine(filename, map_location=None):
        return dict(meta=5)

    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))
    CheckpointLoader.register_scheme('mine://', load_from_mine)
    compat.read_checkpoints_with(read_file, check_read)  # as importing the package does
    assert CheckpointLoader._schemes['mine://'] is load_from_mine
    with pytest.raises(UserError, match="checkpoint 'mine://a' has a meta that is a int, not a dict"):
        CheckpointLoader.load_checkpoint('mine://a', logger='silent')


def test_hue_is_shifted_in_both_directions():
    from mmaction.datasets.transforms import ColorJitter

    image = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype(np.float32)
    for factor in (-0.1, 0.1):
        hue = cv2.cvtColor(image.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(int)
        hue[..., 0] = (hue[..., 0] + int(factor * 255)) % 180
        expected = cv2.cvtColor(hue.astype(np.uint8), cv2.COLOR_HSV2RGB)
        np.testing.assert_array_equal(ColorJitter.adjust_hue(image, factor), expected)


def test_the_config_of_a_run_is_kept(tmp_path):
    """The one in the work dir that it was started with; another one's copy is written there."""
    (tmp_path / 'work').mkdir()
    for folder in ('.', 'work'):
        (tmp_path / folder / 'config.py').write_text('resume = False\n')
    for folder, kept in (('work', 'resume = False\n'), ('.', 'resume = True\n')):
        cfg = Config.fromfile(tmp_path / folder / 'config.py')
        cfg.resume = True
        Runner.dump_config(types.SimpleNamespace(cfg=cfg, work_dir=str(tmp_path / 'work'), timestamp='now'))
        assert (tmp_path / 'work/config.py').read_text() == kept


def test_heads_train_in_bfloat16():
    from mmaction.models import I3DHead
    from mmaction.structures import ActionDataSample

    head = I3DHead(num_classes=5, in_channels=4)
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss(torch.randn(2, 4, 1, 2, 2), [ActionDataSample().set_gt_label(i) for i in range(2)])
    assert losses['loss_cls'].isfinite() and losses['loss_cls'].dtype == torch.float32


def test_compiling_a_model_is_compiling_what_its_backbone_trains(monkeypatch):
    """MMEngine would compile the step with its optimizer, which fails in PyTorch."""
    calls = []

    def compile_it(function, **options):
        def compiled(x):
            calls.append(options)
            return function(x)

        return compiled

    monkeypatch.setattr(torch, 'compile', compile_it)
    model = torch.nn.Module()
    model.backbone, model.train_step = torch.nn.Linear(1, 1), str
    runner = types.SimpleNamespace(model=model, cfg=dict(compile=True), logger=logging.getLogger())
    Runner._maybe_compile(runner, 'train_step')
    assert model.train_step is str
    x = torch.ones(1, 1)
    trained = model.backbone(x)
    assert calls == [{}]
    assert torch.equal(model.eval().backbone(x), trained)
    assert calls == [{}]


def test_a_copy_of_a_compiled_model_has_weights_of_its_own():
    model = torch.nn.Module()
    model.backbone = torch.nn.Linear(1, 1)
    runner = types.SimpleNamespace(model=model, cfg=dict(compile=dict(backend='eager')), logger=logging.getLogger())
    Runner._maybe_compile(runner, 'train_step')
    x = torch.ones(1, 1)
    before = model.backbone(x)
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(model.backbone.weight)
    assert torch.equal(other.backbone(x), before) and not torch.equal(model.backbone(x), before)


@pytest.mark.parametrize('options', ['yes', dict(modus='default')])
def test_what_compiles_nothing_is_refused(options):
    model = torch.nn.Module()
    model.backbone = torch.nn.Linear(1, 1)
    runner = types.SimpleNamespace(model=model, cfg=dict(compile=options), logger=logging.getLogger())
    with pytest.raises(UserError, match=r'^compile=.*(must be|does not fit)'):
        Runner._maybe_compile(runner, 'train_step')
