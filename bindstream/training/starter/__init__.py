"""The starter model that comes with the package: its words, recordings, rendered scenes, making."""
