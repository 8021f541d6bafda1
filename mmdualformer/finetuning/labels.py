"""One label a video, or several: what of a config follows from it."""

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
    if multi_label == bool(head.get('multi_class')):
        return
    head.multi_class = multi_label
    head.loss_cls = dict(type='BCELossWithLogits' if multi_label else 'CrossEntropyLoss')
    head.average_clips = 'score' if multi_label else 'prob'
    metric = dict(type='RobustAccMetric', **(dict(metric_list='mean_average_precision') if multi_label else {}))
    cfg.val_evaluator, cfg.test_evaluator = metric, dict(metric)
