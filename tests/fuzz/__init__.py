"""What others may send or leave lying about: nothing of it ends a process or fills its memory."""
