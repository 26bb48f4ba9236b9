"""Zero-shot evaluation: datasets in their published layouts, the published protocols, and figures.

Reads top to bottom: `records` (what a dataset is), one module of readers a kind of data,
`protocols` (the table), `templates` (class names to vectors), `metrics`, `runner`. Another protocol
is a reader and a row of the table.
"""
