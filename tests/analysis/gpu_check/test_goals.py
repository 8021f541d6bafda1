import json

import pytest

from mmdualformer.analysis.gpu_check import PARTS, Outcome, judge, write_page


def row(model: str, clips_per_s: float, share: float, form: str = 'eager', **more) -> dict:
    names = dict(step='test', device='cuda:0', dtype='bfloat16', batch=8, ms=1.0, memory_mib=1.0)
    return {'model': model, 'clips_per_s': clips_per_s, 'share': share, 'form': form, **names, **more}


def memory(**more) -> dict:
    return dict(config='dualformer_t_k400', batch=64, with_cp=False, estimate_gib=47.2, **more)


@pytest.fixture
def results() -> dict:
    """What a GPU that meets all goals gives."""
    of_run = dict(top1=0.96, epochs=7, backend='nccl')
    return {
        'device': dict(name='A | card', side=8192, matmul_tflops=dict(bfloat16=700.0)),
        'tests': dict(passed=30, skipped=0, failed=[]),
        'training': dict(float16=dict(of_run), bfloat16=dict(of_run)),
        'waiting': dict(on='cuda:0', waits={'dualformer_t_k400': None}),
        'speed': dict(
            results=[
                row('dualformer_b_k400', 250.0, 0.3),
                row('dualformer_b_k400', 330.0, 0.4, 'compile'),
                row('swin-base-p244', 100.0, 0.2),
                row('swin-base-p244', 900.0, 0.2, step='train'),
            ],
            left_out={'x compile': 'there was no time left'},
        ),
        'profile': {'dualformer_b_k400, inference': dict(ms=3.0, kernels=[dict(kernel='gemm<1>', calls=3, share=0.4)])},
        'memory': dict(rows=[memory(measured_gib=50.0, reserved_gib=55.0)]),
        'attention': dict(command=['attention_memory.py'], table='joint 1 MB\n'),
        'data': dict(
            workers=16, batch=8, rows=[dict(config='dualformer_t_k400', needed=9.5, read=5.0, workers_needed=31.0)]
        ),
    }


def test_all_are_met(results):
    goals = judge(results)
    assert [goal.met for goal in goals] == [True] * 7
    said = ' '.join(goal.said for goal in goals)
    assert '40.0%, compile' in said and '3.30 times: 330.0 (compile, bfloat16) to 100.0' in said and '53.7 GB' in said


@pytest.mark.parametrize(
    ('change', 'number'),
    [
        (lambda results: results['tests']['failed'].append('test_x'), 0),
        (lambda results: results['training']['float16'].update(top1=0.94), 1),
        (lambda results: results['training']['bfloat16'].update(top1=0.94), 2),
        (lambda results: results['waiting']['waits'].update(vmf='base.py:3: waits'), 3),
        (lambda results: [row.update(share=0.34) for row in results['speed']['results']], 4),
        (lambda results: results['speed']['results'][2].update(clips_per_s=111.0), 5),
        (lambda results: results['memory']['rows'][0].update(measured_gib=75.0), 6),
        (lambda results: results['memory']['rows'][0].update(measured_gib=None, reason='full'), 6),
    ],
)
def test_each_may_be_missed(results, change, number):
    change(results)
    assert [goal.met for goal in judge(results)] == [i != number for i in range(7)]


def test_all_parts_have_eight_minutes():
    assert 420 <= sum(part.seconds for part in PARTS.values()) <= 470  # and ten seconds to start


def test_what_a_cpu_gives_meets_nothing_and_misses_nothing(results):
    for values in results['training'].values():
        values['backend'] = 'gloo'
    results['tests'].update(passed=0, skipped=30)
    results['waiting']['on'] = 'meta'
    for of_model in results['speed']['results']:
        of_model['device'] = 'cpu'
    results['memory']['rows'] = [memory()]
    assert {goal.met for goal in judge(results)} == {None}
    assert judge(results)[-1].said == '50.7 GB by the estimate'
    assert {goal.met for goal in judge({})} == {None}


def test_the_page_has_each_part_and_why_one_is_not_done(results, tmp_path):
    del results['speed'], results['data']
    outcomes = [Outcome(name, 'done', '', 1.0) for name in PARTS if name not in ('speed', 'data')]
    outcomes += [Outcome('speed', 'failed', 'no <b>compiler', 1.0), Outcome('data', 'out of time', 'it was ended', 9.0)]
    json_file, page = write_page(tmp_path, 'bash gpu_check.sh', outcomes, results, judge(results))
    text = page.read_text()
    for part in PARTS.values():
        assert f'## {part.title}\n' in text
    for line in (
        '**failed**: no &lt;b>compiler',
        '**out of time**: it was ended',
        '| name | A \\| card |',
        '| bfloat16 | 700.0 | 8192 x 8192 |',
        '| gemm&lt;1> | 3 | 0.4 |',
        '| dualformer_t_k400 | 64 | False | 47.2 | 50.0 | 55.0 |  |',
        '| all tests marked gpu pass | met | 30 passed, 0 failed, 0 skipped |',
    ):
        assert line in text, line
    content = json.loads(json_file.read_text())
    assert content['results'] == results and content['parts'][-1]['status'] == 'out of time'
