"""Other packages with our models, as docs/neighbours.md shows them: its own code is what runs here."""

import ast
import re

import numpy as np
import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin

from mmdualformer import Recognizer
from mmdualformer.models import DualFormer, VideoMobileFormer, VidTr
from mmdualformer.weights import read_weights
from tests.helpers import REPO

PAGE = (REPO / 'docs/neighbours.md').read_text(encoding='utf-8')
BLOCKS = {
    title: re.findall(r'```python\n(.*?)```', text, flags=re.DOTALL)
    for title, text in re.findall(r'^## (.*?)\n(.*?)(?=^## |\Z)', PAGE, flags=re.DOTALL | re.MULTILINE)
}


@pytest.fixture(scope='module')
def page(tmp_path_factory, motion_root):
    """Run the block of a section after those before it; once, and in one namespace, as a reader would."""
    folder = tmp_path_factory.mktemp('neighbours')
    (folder / 'data').mkdir()
    (folder / 'data/motion').symlink_to(motion_root)
    names: dict = {'folder': folder}
    torch.manual_seed(0)

    def run(title: str) -> dict:
        for code in BLOCKS[title]:
            exec(compile(code, f'docs/neighbours.md, {title}', 'exec'), names)
        return names

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run('A bare loop')
        yield run


def parameters(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_loops_have_twenty_lines():
    for title in ('A bare loop', 'Lightning'):
        (code,) = BLOCKS[title]
        statements = [line for line in code.splitlines() if line.strip() and not line.startswith(('import', 'from'))]
        assert ast.parse(code) and len(statements) <= 20, title


def test_the_bare_loop_writes_a_checkpoint_that_describes_itself(page, clip_file):
    names = page('A bare loop')
    assert len(names['optimizer'].state) > 100  # it has made steps
    found = Recognizer(names['folder'] / 'mine.pth', device='cpu')(clip_file)
    assert found.name in names['loader'].dataset.metainfo['classes']
    (sample,) = names['model'].eval().test_step(next(iter(one_clip(names))))
    np.testing.assert_allclose(np.sort(found.probabilities), np.sort(sample.pred_score.detach().numpy()), atol=1e-5)


def test_a_recognizer_answers_as_a_pipeline_of_transformers(page, clip_file):
    answer = page('transformers')['classify'](clip_file, top_k=3)
    assert [sorted(one) for one in answer] == [['label', 'score']] * 3
    assert answer[0]['score'] >= answer[1]['score'] >= answer[2]['score'] > 0


def one_clip(names: dict):
    cfg = names['cfg'].val_dataloader.copy()
    cfg.update(batch_size=1, num_workers=0, persistent_workers=False)
    return names['Runner'].build_dataloader(cfg)


def test_lightning_trains(page):
    names = page('Lightning')
    trainer = names['trainer']
    assert trainer.global_step == len(names['loader'])
    assert torch.isfinite(trainer.callback_metrics['loss'])
    fresh = names['get_model'](names['NAME'])
    trained = parameters(trainer.model)
    assert trained.shape == parameters(fresh).shape and not torch.equal(trained, parameters(fresh))


def test_torchmetrics_counts_as_the_test_does(page):
    names = page('torchmetrics')
    loader = names['Runner'].build_dataloader(names['cfg'].val_dataloader)
    samples = [sample for batch in loader for sample in names['model'].test_step(batch)]
    right = sum(int(sample.pred_score.argmax() == sample.gt_label) for sample in samples)
    assert names['accuracy'].compute().item() == pytest.approx(right / len(samples))


def test_captum_adds_up_to_the_difference_of_the_scores(page):
    """Integrated gradients sum to the score of the clip less that of a clip of zeros, but for the steps' error."""
    page('torchmetrics')
    names = page('captum')
    clips, labels, model = names['clips'], names['labels'], names['model']
    assert names['attributions'].shape == clips.shape
    with torch.no_grad():
        scores = [model.cls_head(model.backbone(x)).gather(1, labels[:, None]) for x in (clips, clips * 0)]
    change = (scores[0] - scores[1]).flatten()
    attributed = names['attributions'].flatten(1).sum(1).float()
    assert torch.corrcoef(torch.stack([change, attributed]))[0, 1] > 0.9


@pytest.mark.parametrize(
    'backbone, settings',
    [
        (DualFormer, dict(arch=dict(embed_dims=(8,), num_blocks=(1,), num_heads=(1,)), clip_size=(4, 32, 32),
                          temporal_strides=(), block_types=('LG',), window_size=(2, 4, 4), fine_sizes=('auto',),
                          coarse_sizes=((2, 2, 2),), out_indices=(0,))),
        (VideoMobileFormer, dict(arch=dict(dim=8, num_blocks=(1,), expansion=2.0, temporal_strides=(2, 1)),
                                 out_indices=(0,))),
        (VidTr, dict(arch=dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32),
                     clip_size=(4, 32, 32))),
    ],
)  # fmt: skip
def test_a_backbone_goes_through_a_folder_of_the_hub(tmp_path, monkeypatch, backbone, settings):
    monkeypatch.setattr('socket.socket.connect', lambda *_: pytest.fail('it connects'))
    hub = type('Hub', (backbone, PyTorchModelHubMixin), {})
    model = hub(**settings).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path)
    clip = torch.rand(2, 3, 4, 32, 32)
    loaded = hub.from_pretrained(tmp_path)
    other = backbone(**settings).eval()
    other.load_state_dict(read_weights(tmp_path / 'model.safetensors'))
    with torch.no_grad():
        features = model(clip)
        for same in (loaded, other):
            torch.testing.assert_close(same(clip), features, rtol=0, atol=0)
