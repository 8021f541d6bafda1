from .cost import Cost, count_cost, count_vidtr_paper_macs

__all__ = ['Cost', 'count_cost', 'count_vidtr_paper_macs']
