"""When things happened: this host's time, a device's clock laid on it, another host's on the run's.

`host` (what the `kernel` says of it) is the time of a run. `device` lays a sensor's own clock or
count on it (`envelope`), `sender` the stamps of frames from a network. `exchange` tells hosts how
far they are apart (`offset`).
"""
