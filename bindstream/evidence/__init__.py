"""Evidence: what a sensor gave around an alert, kept for a moment in memory and saved as files."""

from __future__ import annotations

from bindstream.evidence.keeping import EvidenceHealth, Keeper
from bindstream.evidence.reading import Evidence, find_evidence, read_evidence
from bindstream.evidence.saving import folder_of

__all__ = [
    "Evidence",
    "EvidenceHealth",
    "Keeper",
    "find_evidence",
    "folder_of",
    "read_evidence",
]
