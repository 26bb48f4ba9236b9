"""What may be asked for: words, files and stored windows, weighed, added and taken off.

`term` is the grammar, `examples` makes vectors of what is no words, `adding` the sum of all. A
search and a query that say the same have the same vector.
"""
