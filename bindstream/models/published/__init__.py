"""Published checkpoints: recognised by their names, checked, and made model directories."""
