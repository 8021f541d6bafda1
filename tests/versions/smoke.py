"""Import, build, train, recognise and export with the packages of the Python that runs this, in the current folder."""

import json
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

NAMES = ('torch', 'mmengine', 'mmaction2', 'mmcv-lite', 'mmcv', 'numpy', 'opencv-python', 'av', 'onnx', 'onnxruntime')
FULL_SIZE = {'dualformer_t_k400': 'DualFormer', 'vidtr_s_k400': 'VidTr', 'vmf_1g_k400': 'VideoMobileFormer'}
SMALL = ('dualformer_micro_motion', 'vidtr_micro_motion', 'vmf_micro_motion')


def tool(*arguments: object) -> None:
    """Run a command of mmdualformer in a process of its own."""
    words = [str(Path(sys.executable).with_name('mmdualformer')), *map(str, arguments)]
    print('$ mmdualformer', *words[1:], flush=True)
    subprocess.run(words, check=True, timeout=1800)


def tool_here(name: str, *arguments: object) -> None:
    """Run a tool in this process, which has imported what it needs."""
    from mmdualformer.commands import ROOT

    sys.argv = [name, *map(str, arguments)]
    print('$', *sys.argv, flush=True)
    runpy.run_path(str(ROOT / 'tools' / f'{name}.py'), run_name='__main__')


def find_versions() -> dict[str, str]:
    """Installed versions, by name."""
    versions = {}
    for name in NAMES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return versions


def build() -> None:
    """Build a full-size model of each family."""
    import mmdualformer  # registers the models and mends the installed stack

    # isort: split
    from mmaction.registry import MODELS
    from mmengine.registry import init_default_scope

    from mmdualformer.commands import ROOT
    from mmdualformer.configs import read_config

    assert 'site-packages' in mmdualformer.__file__, f'{mmdualformer.__file__} is not the one that was installed'
    init_default_scope('mmaction')
    for name, backbone in FULL_SIZE.items():
        model = MODELS.build(read_config(ROOT / 'configs' / f'{name}.py').model)
        assert type(model.backbone).__name__ == backbone, type(model.backbone)
        print(f'built {name}: {sum(weight.numel() for weight in model.parameters()) / 1e6:.1f} M', flush=True)


def use_ops() -> None:
    """Run an operator of a full mmcv: of two boxes that overlap, the better one is kept."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [20.0, 20.0, 30.0, 30.0]])
    kept = nms(boxes, torch.tensor([0.8, 0.9, 0.7]), iou_threshold=0.5)[1]
    assert kept.tolist() == [1, 2], kept


def train_and_use(name: str) -> None:
    """Three iterations of training, the checkpoint in a `Recognizer`, and its ONNX file, which must score alike."""
    import numpy as np

    from mmdualformer import Recognizer

    work = Path(name)
    options = ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=8']
    for loader in ('train_dataloader', 'val_dataloader'):  # the doctor has tried data workers
        options += [f'{loader}.num_workers=0', f'{loader}.persistent_workers=False']
    tool('train', f'configs/{name}.py', '--work-dir', work, '--cfg-options', *options)
    (checkpoint,) = work.glob('epoch_1.pth')
    video = next(Path('data/motion/videos_val').glob('*.mp4'))
    exported = work / 'model.onnx'
    tool_here('export', checkpoint, '--out', exported, '--runs', 1)
    probabilities = [Recognizer(path)(str(video)).probabilities for path in (checkpoint, exported)]
    np.testing.assert_allclose(*probabilities, atol=1e-4)
    print(f'{name}: trained, recognised, exported', flush=True)


def main() -> None:
    versions = find_versions()
    print(json.dumps(versions), flush=True)
    build()
    tool('doctor', '--brief')  # provokes each known fault of the stack, without and with our mend
    if 'mmcv' in versions:
        use_ops()
    tool('make-motion-clips', '--train', 24, '--val', 8)
    for name in SMALL:
        train_and_use(name)
    Path('versions.json').write_text(json.dumps(versions))


if __name__ == '__main__':
    main()
