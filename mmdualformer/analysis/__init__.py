from .cost import Cost, count_cost, count_vidtr_paper_macs
from .speed import median_times

__all__ = ['Cost', 'count_cost', 'count_vidtr_paper_macs', 'median_times']
