"""The papers' tables as data, our numbers beside them, and what is made from the two."""
