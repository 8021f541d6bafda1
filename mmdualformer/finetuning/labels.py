"""One label a video, or several: what of a config follows from it."""

from typing import Any

from mmengine.config import Config


def set_labels(cfg: Config, num_classes: int, multi_label: bool) -> None:
    """Make the head and the metric of a config those of so many classes, of which a video shows one or any.

    Args:
        cfg (Config): Changed in place.
        num_classes (int): Classes.
        multi_label (bool): Whether a video shows any number of them. Each class then has a binary cross-entropy, and
            the metric is the mean average precision. Otherwise they exclude each other: the head's loss is
            cross-entropy, and the metric the accuracy. What is of that kind already stays as it is.
    """
    head = cfg.model.cls_head
    head.num_classes = num_classes
    if multi_label != bool(head.get('multi_class')):
        head.multi_class = multi_label
        head.loss_cls = dict(type='BCELossWithLogits' if multi_label else 'CrossEntropyLoss')
        head.average_clips = 'score' if multi_label else 'prob'
    for name in ('val_evaluator', 'test_evaluator'):  # a head may be of a checkpoint, and they are of the config
        if multi_label != _measures_several(cfg.get(name)):
            cfg[name] = dict(
                type='RobustAccMetric', **(dict(metric_list='mean_average_precision') if multi_label else {})
            )


def _measures_several(evaluator: Any) -> bool:
    """Whether the metric of a config is of several labels."""
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    return any('mean_average_precision' in str(metric.get('metric_list')) for metric in metrics if metric)
