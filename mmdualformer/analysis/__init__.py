from .cost import Cost, count_cost
from .speed import median_times

__all__ = ['Cost', 'count_cost', 'median_times']
