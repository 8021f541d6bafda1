"""What is under data sets that wrap others, such as RepeatDataset and ConcatDataset."""

from collections.abc import Iterator

from torch.utils.data import Dataset


def iterate_configs(key: str, dataset: dict) -> Iterator[tuple[str, dict]]:
    """Yield the configs of data sets with data of their own, and their keys.

    Args:
        key (str): Where the data set stands in the config, such as ``'train_dataloader.dataset'``.
        dataset (dict): Its config.
    """
    if 'dataset' in dataset:
        yield from iterate_configs(f'{key}.dataset', dataset['dataset'])
    elif 'datasets' in dataset:
        for i, part in enumerate(dataset['datasets']):
            yield from iterate_configs(f'{key}.datasets.{i}', part)
    else:
        yield key, dataset


def iterate_datasets(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the data sets with data of their own."""
    # mmengine's num_batch_per_epoch wraps in something that has a _dataset
    wrapped = [getattr(dataset, name) for name in ('dataset', '_dataset') if hasattr(dataset, name)]
    parts = wrapped[:1] or getattr(dataset, 'datasets', [])
    for part in parts:
        yield from iterate_datasets(part)
    if not parts:
        yield dataset
