"""Queries taught by examples: recordings in, one vector and the level it counts from out.

Reads top to bottom: `examples` (files to vectors), `fitting` (vectors to a query), `doubts` (what
is amiss with examples), `taught` (the file that is kept of it), `lesson` (all of that in a line).
"""
