"""Training towers against frozen anchors: windows, augmentation, recipe, trainer, curve."""
