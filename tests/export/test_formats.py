"""Each format, of each family, gives the logits of PyTorch, and says how to use it."""

import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from mmaction.structures import ActionDataSample
from onnx import TensorProto, helper

from mmdualformer.errors import UserError
from mmdualformer.export import (
    ENDINGS,
    VideoClips,
    as_reference,
    check_parity,
    export_model,
    load_exported,
    measure_accuracy,
    random_clips,
    shape_of_clips,
)
from mmdualformer.export.packages import import_openvino
from mmdualformer.recognition import Recognizer
from tests.export.conftest import CLASSES, build_recognizer


def export(model, path, kind, **options):
    shape = shape_of_clips(model)
    return load_exported_of(export_model(model, path, kind, shape, threads=1, **options), path)


def load_exported_of(description, path):
    loaded = load_exported(path, threads=1, trust=True)
    assert loaded.description == description
    return loaded


@pytest.mark.parametrize('kind', ENDINGS)
def test_logits_are_those_of_pytorch(recognizer, kind, tmp_path, clip_file):
    """Of batches of 1 and 3, random clips and a video's, and with the preprocessing inside."""
    path = tmp_path / f'model{ENDINGS[kind][0]}'
    loaded = export(recognizer, path, kind, preprocessing=True)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == (
        ['.bin', '.xml'] if kind == 'openvino' else [path.suffix]
    )
    described = loaded.description
    assert described.test_pipeline == [dict(step) for step in recognizer.cfg.test_pipeline]
    assert described.classes == CLASSES and described.clip_shape == (1, 3, 8, 32, 32)
    assert (described.average_clips, described.multi_class) == (recognizer.cls_head.average_clips, False)

    reference = as_reference(recognizer, described)
    real = list(VideoClips(described.test_pipeline, [clip_file]))
    made_up = random_clips(described)
    assert {len(clip) for clip in made_up} == {1, 3} and len(real) == 1
    check_parity(loaded, reference, made_up + real, 1e-4, 'a clip')
    logits, probabilities = loaded.run(real[0])
    samples = recognizer.test_step(dict(inputs=real, data_samples=[ActionDataSample()]))
    torch.testing.assert_close(probabilities[0], samples[0].pred_score, atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, reference(real[0]), atol=1e-4, rtol=0)


def test_preprocessing_inside_is_that_outside(tmp_path):
    model = build_recognizer('dualformer', multi_class=True)
    inside = export(model, tmp_path / 'inside.ts', 'torchscript', preprocessing=True)
    outside = export(model, tmp_path / 'outside.ts', 'torchscript', dynamic=())
    clips = torch.randint(0, 256, (3, 3, 8, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(inside(clips), outside(clips))  # one by one where the batch is fixed
    assert len(outside.run(outside.as_input(clips[:1]))) == 1
    torch.testing.assert_close(inside.run(clips)[1], inside(clips).sigmoid())
    with pytest.raises(UserError, match=r'takes clips 1 x 3 x 8 x 32 x 32, not 3 x 3 x 8 x 32 x 16'):
        outside(clips[..., :16])


@pytest.mark.parametrize(
    ('kind', 'dtype', 'limit'),
    [
        ('onnx', 'float16', 0.02),
        ('openvino', 'float16', 0.02),
        ('openvino', 'bfloat16', 0.1),
        ('torch_export', 'bfloat16', 0.1),
    ],
)
def test_half_precision_is_close(kind, dtype, limit, tmp_path):
    model = build_recognizer('vidtr')
    loaded = export(model, tmp_path / f'model{ENDINGS[kind][0]}', kind, dtype=dtype)
    check_parity(loaded, as_reference(model, loaded.description), random_clips(loaded.description), limit, 'a clip')


@pytest.mark.parametrize('kind', ['onnx', 'openvino'])
def test_int8_keeps_predictions(kind, motion_root, tmp_path):
    """Of 8 videos, to which PyTorch gives more than one class, at least 7; no logit is off by a fifth of the most."""
    model = build_recognizer('vidtr')
    clips = VideoClips(model.cfg.test_pipeline, sorted(motion_root.glob('videos_*/*.mp4'))[:8], [0] * 8)
    path = tmp_path / f'model{ENDINGS[kind][0]}'
    loaded = export(model, path, kind, dtype='int8', calibration=clips)
    reference = as_reference(model, loaded.description)
    assert len({int(reference(clip).argmax()) for clip in clips}) > 1
    assert check_parity(loaded, reference, clips, 0.2, 'a clip') > 1e-3  # it is not float32
    result = measure_accuracy(loaded, reference, model.cls_head, clips.views())
    assert result.videos == 8 and result.same >= 7 / 8
    with pytest.raises(UserError, match=r'--dtype int8 needs clips .* --calibrate FOLDER'):
        export(model, path, kind, dtype='int8')


def test_one_file_takes_clips_of_every_size(tmp_path):
    model = build_recognizer('vmf')
    loaded = export(model, tmp_path / 'model.xml', 'openvino', dynamic=('batch', 'time', 'space'))
    shapes = [tuple(clip.shape) for clip in random_clips(loaded.description)]
    assert shapes == [(1, 3, 8, 32, 32), (3, 3, 9, 64, 32), (1, 3, 6, 32, 64)]
    check_parity(loaded, as_reference(model, loaded.description), random_clips(loaded.description), 1e-4, 'a clip')


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['onnx', 'torch_export'])
def test_files_of_all_families_take_clips_of_every_size(recognizer, kind, tmp_path):
    path = tmp_path / f'model{ENDINGS[kind][0]}'
    loaded = export(recognizer, path, kind, dynamic=('batch', 'time', 'space'))
    shapes = ((2, 3, 7, 50, 41), (1, 3, 16, 128, 96))  # which no patch and no window divides; larger than the example
    clips = random_clips(loaded.description) + [torch.randint(0, 256, shape, dtype=torch.uint8) for shape in shapes]
    check_parity(loaded, as_reference(recognizer, loaded.description), clips, 1e-4, 'a clip')


@pytest.mark.parametrize(('dynamic', 'stem_convolutions'), [(('batch',), 4), (('batch', 'time'), 1)])
def test_openvino_gets_the_convolutions_that_it_has_fast(dynamic, stem_convolutions, tmp_path):
    """Of Video Mobile-Former those of the stem's 4 windows, and the depth-wise one; pointwise ones are products."""
    export(build_recognizer('vmf'), tmp_path / 'model.xml', 'openvino', dynamic=dynamic)
    graph = import_openvino().Core().read_model(str(tmp_path / 'model.xml'))
    kinds = [operator.get_type_name() for operator in graph.get_ops()]
    assert (kinds.count('Convolution'), kinds.count('GroupConvolution')) == (stem_convolutions, 1)


def test_int8_leaves_what_makes_slopes_and_tokens(motion_root, tmp_path):
    """Of Video Mobile-Former 8 bits wide are the stem's 4 windows, and 5 other convolutions."""
    model = build_recognizer('vmf')
    clips = VideoClips(model.cfg.test_pipeline, sorted(motion_root.glob('videos_*/*.mp4'))[:2], [0] * 2)
    export(model, tmp_path / 'model.xml', 'openvino', dtype='int8', calibration=clips)
    graph = import_openvino().Core().read_model(str(tmp_path / 'model.xml'))
    weights = [op for op in graph.get_ops() if op.get_type_name() == 'Constant' and op.get_element_type().is_integral()]
    wide = [op for op in weights if op.get_element_type().size == 1 and len(op.shape) > 1]
    assert len(wide) == 4 + len(('expand', 'depthwise', 'project', 'shortcut', 'head.expand'))


def test_a_file_that_is_wrong_for_other_sizes_is_not_written(tmp_path):
    model = build_recognizer('dualformer')

    def check(exported):
        reference = as_reference(model, exported.description)
        check_parity(exported, reference, random_clips(exported.description), 1e-4, 'a clip')

    with pytest.raises(UserError, match=r'nothing was written.*leave time and space out of --dynamic$'):
        export(model, tmp_path / 'model.ts', 'torchscript', dynamic=('batch', 'time'), check=check)
    assert not list(tmp_path.iterdir())


def test_what_was_there_stays_if_the_check_fails(tmp_path):
    (tmp_path / 'model.onnx').write_text('before')

    def refuse(exported):
        raise UserError('no')

    with pytest.raises(UserError, match='no'):
        export(build_recognizer('vidtr'), tmp_path / 'model.onnx', 'onnx', check=refuse)
    assert [file.read_text() for file in tmp_path.iterdir()] == ['before']


@pytest.fixture(scope='module')
def small_onnx(tmp_path_factory):
    """A file with a description that is as it should be, and a function to change it."""
    source = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    export(build_recognizer('vidtr'), source, 'onnx')
    return onnx.load(source)


def change(model, path, **changes) -> str:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    (entry,) = (entry for entry in changed.metadata_props if entry.key == 'mmdualformer')
    entry.value = json.dumps({**json.loads(entry.value), **changes})
    onnx.save(changed, path)
    return str(path)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(test_pipeline=[dict(type='os.system', command='true')]), "asks for 'os.system', which no registry"),
        (dict(test_pipeline=[dict(type='Resize', _scope_='antigravity')]), "asks for 'antigravity'"),
        (dict(test_pipeline='VideoInit'), 'its test_pipeline is wrong'),
        (dict(std=[0, 1, 1]), 'its std is wrong'),
        (dict(mean=[1, 1, float('nan')]), 'its mean is wrong'),
        (dict(mean=[1, 1, 10**400]), 'int too large to convert to float'),
        (dict(num_classes=10**12, classes=[]), 'its num_classes is wrong'),
        (dict(classes=[1, 2]), 'its classes is wrong'),
        (dict(clip_shape=[1, 3, 8, 32]), 'its clip_shape is wrong'),
        (dict(dynamic=['width']), 'its dynamic is wrong'),
        (dict(average_clips='best'), 'its average_clips is wrong'),
        (dict(more=1), "unexpected keyword argument 'more'"),
    ],
)
def test_a_tampered_description_is_refused(small_onnx, changes, reason, tmp_path):
    path = change(small_onnx, tmp_path / 'model.onnx', **changes)
    with pytest.raises(UserError) as error:
        load_exported(path)
    assert reason in str(error.value) and str(error.value).startswith(f'model {path!r} ')


def test_a_file_that_is_another_model_than_it_says_is_one_line(small_onnx, tmp_path):
    loaded = load_exported(change(small_onnx, tmp_path / 'seven.onnx', num_classes=7, classes=[]), threads=1)
    with pytest.raises(UserError, match=r"seven.onnx' puts out \[1, 8\] in float32, where it says logits \[1, 7\]"):
        loaded(torch.zeros(1, 3, 8, 32, 32))
    loaded = load_exported(change(small_onnx, tmp_path / 'long.onnx', clip_shape=[1, 3, 9, 32, 32]), threads=1)
    with pytest.raises(UserError, match=r"long.onnx' cannot be run: "):
        loaded(torch.zeros(1, 3, 9, 32, 32))
    more = onnx.ModelProto()
    more.CopyFrom(small_onnx)
    more.graph.input.append(helper.make_tensor_value_info('more', TensorProto.FLOAT, [1]))
    onnx.save(more, tmp_path / 'more.onnx')
    with pytest.raises(UserError, match='has 2 inputs'):
        load_exported(tmp_path / 'more.onnx')


def test_a_recognizer_of_a_tampered_file(small_onnx, tmp_path):
    steps = [dict(type='VideoInit', more=1)]
    with pytest.raises(UserError, match=r"wrong.onnx' has a test pipeline that cannot be built: .*'more'"):
        Recognizer(change(small_onnx, tmp_path / 'wrong.onnx', test_pipeline=steps))
    named = Recognizer(change(small_onnx, tmp_path / 'named.onnx', classes=['\ud800', *'bcdefgh']))
    assert named.classes[0] == '\\ud800'  # which JSON, csv and a terminal can say


def test_onnx_files_read_no_others(small_onnx, tmp_path):
    secret = tmp_path / 'secret'
    secret.write_bytes(bytes(64))
    for inside_node in (False, True):
        model = onnx.ModelProto()
        model.CopyFrom(small_onnx)
        tensor = helper.make_tensor('other', TensorProto.FLOAT, [1], [0.0])
        tensor.ClearField('float_data')
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value=str(secret))
        if inside_node:
            model.graph.node.append(helper.make_node('Constant', [], ['unused'], value=tensor))
        else:
            model.graph.initializer.append(tensor)
        (tmp_path / 'model.onnx').write_bytes(model.SerializeToString())
        with pytest.raises(UserError, match='would read other files; its weights must be in it'):
            load_exported(tmp_path / 'model.onnx')


def test_files_that_cannot_be_used_are_one_line(tmp_path, small_onnx):
    del_props = onnx.ModelProto()
    del_props.CopyFrom(small_onnx)
    del del_props.metadata_props[:]
    onnx.save(del_props, tmp_path / 'plain.onnx')
    (tmp_path / 'text.onnx').write_text('no model')
    (tmp_path / 'text.xml').write_text('no model')
    (tmp_path / 'damaged.xml').write_text('no model')
    (tmp_path / 'damaged.bin').write_text('')
    (tmp_path / 'broken.xml').write_text('<net')
    (tmp_path / 'broken.bin').write_text('')
    (tmp_path / 'onnx.xml').write_bytes((tmp_path / 'plain.onnx').read_bytes())
    (tmp_path / 'onnx.bin').write_text('')
    (tmp_path / 'model.pt2').write_text('a program')
    for name, reason in (
        ('model.pth', r'must end in one of .onnx, .xml, .pt2, .ts, .torchscript$'),
        ('absent.onnx', 'does not exist'),
        ('plain.onnx', 'does not say how to use it'),
        ('text.onnx', 'is no ONNX file'),
        ('text.xml', r"text.bin' does not exist$"),
        ('damaged.xml', 'is no OpenVINO file'),
        ('broken.xml', 'is no OpenVINO file'),
        ('onnx.xml', 'is no OpenVINO file: it is no XML'),
        ('model.pt2', r'is a program, .* load_exported\(path, trust=True\)$'),
    ):
        with pytest.raises(UserError, match=reason) as error:
            load_exported(tmp_path / name)
        assert '\n' not in str(error.value)
    with pytest.raises(UserError, match='cannot be loaded'):
        load_exported(tmp_path / 'model.pt2', trust=True)


def test_openvino_says_what_a_program_without_us_needs(tmp_path):
    model = build_recognizer('vidtr')
    export(model, tmp_path / 'model.xml', 'openvino', preprocessing=True)
    openvino = import_openvino()
    assert sys.modules['openvino_telemetry'] is None  # it would report to its makers
    graph = openvino.Core().read_model(str(tmp_path / 'model.xml'))
    assert json.loads(graph.get_rt_info(['mmdualformer']).value)['classes'] == list(CLASSES)
    assert graph.inputs[0].names == {'clip'} and str(graph.inputs[0].partial_shape) == '[?,3,8,32,32]'
    results = openvino.compile_model(graph, 'CPU')({'clip': np.zeros((2, 3, 8, 32, 32), np.uint8)})
    np.testing.assert_allclose(results['probabilities'].sum(1), [1, 1], rtol=1e-3)


def test_models_that_cannot_be_exported_are_one_line(tmp_path):
    model = build_recognizer('vidtr')
    model.data_preprocessor.to_rgb = True
    with pytest.raises(UserError, match='to_rgb=True cannot be exported'):
        export(model, tmp_path / 'model.ts', 'torchscript')
    with pytest.raises(UserError, match='a Linear cannot be exported; a Recognizer3D'):
        export_model(torch.nn.Linear(1, 1), tmp_path / 'model.ts', 'torchscript', (1, 3, 8, 32, 32))
    for kind, dtype in (('onnx', 'bfloat16'), ('torch_export', 'int8'), ('torchscript', 'int8')):
        with pytest.raises(UserError, match=rf'^--dtype {dtype} is none of .* files: it must be float32, '):
            export(model, tmp_path / 'model.ts', kind, dtype=dtype)


def test_the_described_dtype_is_what_openvino_computes_in(tmp_path):
    model = build_recognizer('vidtr')
    half = export(model, tmp_path / 'half.xml', 'openvino', dtype='float16')
    full = export(model, tmp_path / 'full.xml', 'openvino')
    assert half.description == replace(full.description, dtype='float16')
    assert (tmp_path / 'half.bin').stat().st_size < 0.6 * (tmp_path / 'full.bin').stat().st_size
