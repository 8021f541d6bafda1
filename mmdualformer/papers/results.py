"""What tests measured, from the logs that MMEngine writes."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.hub import get_config

from mmdualformer.configs import read_config
from mmdualformer.errors import UserError


@dataclass(frozen=True)
class Result:
    """A finished test.

    Attributes:
        log (Path): Where the metrics stand.
        metrics (dict): Metric -> value, accuracies from 0 to 1.
    """

    log: Path
    metrics: dict[str, float]


def find_results(folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Find the latest test of each of our configs.

    A test leaves its metrics in ``WORK_DIR/TIMESTAMP/TIMESTAMP.json``, its config beside them in ``vis_data``,
    and the config under its own name in ``WORK_DIR``. A test of another model, or with other clips, views or steps than
    those of the config of that name, is not that config's result. ``tools/analysis/ensemble.py --out`` leaves
    ``CONFIG+CONFIG.json``; it counts if what it averaged scored as the tests of these configs did.

    Args:
        folder (Path): Searched with all its folders.

    Returns:
        tuple: Name of the config, as :func:`~mmdualformer.papers.tables.read_config` takes it -> its latest result;
        and a line for each test that was left out, which says why.

    Raises:
        UserError: There is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f'--results {str(folder)!r} is no folder (looked in {Path.cwd()})')
    logs = [path for path in folder.rglob('*.json') if path.stem == path.parent.name]
    results, left_out = {}, []
    for log in sorted(logs, key=lambda path: path.stem):
        try:
            name = _config_of(log)
            metrics = json.loads(log.read_text(encoding='utf-8'))
        except (OSError, ValueError, UserError) as error:
            left_out.append(f'{log}: {error}')
        else:
            results[name] = Result(log, metrics)
    for log in sorted(folder.rglob('*+*.json')):
        try:
            results[log.stem] = Result(log, _average_of(log, results))
        except ValueError as error:
            left_out.append(f'{log}: {error}')
    return results, left_out


def _average_of(log: Path, results: dict[str, Result]) -> dict[str, float]:
    """Metrics of an ensemble of configs that were tested.

    Raises:
        ValueError: The file is none of an ensemble, or averages other predictions than those of the configs' tests.
    """
    content = json.loads(log.read_text(encoding='utf-8'))
    if not isinstance(content, dict) or not {'average', 'predictions'} <= content.keys():
        raise ValueError('it is not what tools/analysis/ensemble.py --out writes')
    names = log.stem.split('+')
    if len(names) != len(content['predictions']):
        raise ValueError(f'it averages {len(content["predictions"])} predictions')
    measured = {Path(config).name: result.metrics for config, result in results.items()}
    for name, metrics in zip(names, content['predictions'].values()):
        tested = measured.get(name, {})
        if not all(math.isclose(tested.get(key, math.nan), value, rel_tol=1e-6) for key, value in metrics.items()):
            raise ValueError(f'its predictions do not score as the latest test of {name} did')
    return content['average']


def _config_of(log: Path) -> str:
    """Name of the config that a test's log belongs to.

    Raises:
        UserError: The config is not where MMEngine leaves it, or is broken.
        ValueError: It is none of ours, or ours with other settings.
    """
    run = read_config(str(log.parent / 'vis_data' / 'config.py'))
    reason = f'{log.parents[1]} holds no config of mmdualformer'
    for path in log.parents[1].glob('*.py'):
        for name in (path.stem, f'ablations/{path.stem}', f'baselines/{path.stem}'):
            try:
                config = get_config(f'mmdualformer::{name}.py')
            except FileNotFoundError:
                continue
            if _tested(config) == _tested(run):
                return name
            reason = f'it tests another model, or other clips or views, than {name}'
    raise ValueError(reason)


def _tested(cfg: Config) -> tuple[dict, list]:
    """What a test's result depends on: the model, without where it starts from, and the steps of the data."""
    model = cfg.model.to_dict()
    model['backbone'].pop('init_cfg', None)
    return model, cfg.test_dataloader.dataset.to_dict()['pipeline']
