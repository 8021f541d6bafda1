"""A data loader whose samples depend on their place in an epoch alone, and that can begin in the middle of one."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset, Sampler

from mmdualformer.randomness import seed_all


class _Drawn(NamedTuple):
    """A sample that a sampler has drawn, and what its random numbers follow from."""

    sample: int
    place: tuple[int, ...]


@dataclass
class _Epoch:
    """Which epoch of which process is read, from which batch on."""

    place: tuple[int, ...] = ()
    first_batch: int = 0


class PlacedDataLoader(DataLoader):
    """A ``DataLoader`` of which :meth:`begin` makes the samples of an epoch reproducible.

    Without it this is a plain ``DataLoader``.
    """

    _epoch: _Epoch | None = None

    def begin(self, place: tuple[int, ...], first_batch: int = 0) -> None:
        """Say what the next pass over the loader is.

        Args:
            place (tuple): Numbers from which, with a sample's position in the pass, its random numbers follow: the
                run's seed, the process and the epoch.
            first_batch (int): The batch to begin with; those before it are drawn and not read. Defaults to 0.
        """
        # An iterator that keeps its workers keeps this object too
        self._epoch = self._epoch or _Epoch()
        self._epoch.place, self._epoch.first_batch = place, first_batch

    @property
    def _index_sampler(self):
        sampler = super()._index_sampler
        return sampler if self._epoch is None else _PlacedSampler(sampler, self._epoch)

    def _get_iterator(self):
        return self._iterate(self if self._epoch is None else self._seeded())

    def _iterate(self, loader: DataLoader):
        """Make an iterator over a loader, this one or a copy."""
        return DataLoader._get_iterator(loader)

    def _seeded(self) -> DataLoader:
        """A copy whose data knows the samples of :class:`_PlacedSampler`."""
        loader = copy.copy(self)
        vars(loader)['dataset'] = _SeededDataset(self.dataset)  # torch lets nobody set it
        return loader


class _PlacedSampler:
    """The batches of a sampler from one on, each sample with its place."""

    def __init__(self, batches: Sampler, epoch: _Epoch) -> None:
        self.batches = batches
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[_Drawn]]:
        position = 0
        for number, batch in enumerate(self.batches):
            if number >= self.epoch.first_batch:
                yield [_Drawn(sample, (*self.epoch.place, position + i)) for i, sample in enumerate(batch)]
            position += len(batch)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]  # of a batch sampler


class _SeededDataset(Dataset):
    """A data set that seeds everything before it reads a sample."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __getitem__(self, drawn: _Drawn) -> Any:
        seed_all(*drawn.place)
        return self.dataset[drawn.sample]

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]  # of a map-style data set
