"""What can happen in the simulated house: kinds of events, their words and where they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bindstream.records import ModalityName


@dataclass(frozen=True)
class Kind:
    """A kind of event.

    `words` is its plain label. `says` gives, for each modality it shows in, ways of putting into
    words what that sensor perceives, the plainest first. `length_s` is the typical shortest and
    longest duration. What makes the event what it is lies in its first `core_s` seconds (a fall,
    not the lying afterwards); 0 means that any stretch of it will do.
    """

    name: str
    words: str
    says: Mapping[ModalityName, tuple[str, ...]] = field(repr=False)
    length_s: tuple[float, float]
    core_s: float = 0.0

    @property
    def modalities(self) -> tuple[ModalityName, ...]:
        return tuple(self.says)


_PERSON = ("a person", "someone in the room", "a human figure", "a person walking")
_FALLEN = ("a person lying on the floor", "someone collapsed on the ground", "a fallen person")

CATALOGUE: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "smoke_alarm",
            "smoke alarm",
            {"audio": ("smoke alarm", "a smoke detector beeping", "fire alarm sound")},
            (5.0, 9.0),
        ),
        Kind(
            "siren",
            "siren",
            {"audio": ("siren", "an emergency vehicle siren", "police siren wailing")},
            (5.0, 9.0),
        ),
        Kind(
            "knocking",
            "knocking on a door",
            {"audio": ("knocking on a door", "someone knocks", "a knock at the door")},
            (2.5, 4.5),
        ),
        Kind(
            "doorbell",
            "doorbell",
            {"audio": ("doorbell", "a door bell ringing", "ding dong chime")},
            (2.0, 4.0),
        ),
        Kind(
            "glass_breaking",
            "glass breaking",
            {"audio": ("glass breaking", "a window shatters", "breaking glass")},
            (1.2, 2.0),
            core_s=0.6,
        ),
        Kind(
            "beeping",
            "appliance beeping",
            {"audio": ("appliance beeping", "a microwave beeping", "electronic beeps")},
            (4.0, 8.0),
        ),
        Kind(
            "baby_crying",
            "baby crying",
            {"audio": ("baby crying", "a crying infant", "a baby cries")},
            (5.0, 9.0),
        ),
        Kind(
            "running_water",
            "water running",
            {"audio": ("water running", "a tap running", "the sound of water from a faucet")},
            (5.0, 9.0),
        ),
        Kind(
            "kettle",
            "kettle boiling",
            {
                "audio": ("kettle whistling", "a boiling kettle whistle", "a whistling kettle"),
                "thermal": ("a hot kettle", "a boiling kettle", "a hot pot on the counter"),
            },
            (6.0, 9.0),
        ),
        Kind(
            "fire",
            "fire",
            {
                "vision": ("fire", "flames", "something is burning"),
                "thermal": ("fire", "flames", "something is burning"),
                "audio": ("fire crackling", "the crackle of a fire", "burning wood crackling"),
            },
            (6.0, 10.0),
        ),
        Kind(
            "dog",
            "dog",
            {
                "audio": ("dog barking", "a dog barks", "barking"),
                "vision": ("a dog", "a pet dog in the room", "a dog walking"),
                "thermal": ("an animal", "a dog", "a warm animal"),
                "depth": ("a dog", "an animal", "a four-legged animal"),
            },
            (6.0, 10.0),
        ),
        Kind(
            "person",
            "person",
            {"vision": _PERSON, "thermal": _PERSON, "depth": _PERSON},
            (6.0, 10.0),
        ),
        Kind(
            "fallen_person",
            "person lying on the floor",
            {"vision": _FALLEN, "thermal": _FALLEN, "depth": _FALLEN},
            (6.0, 10.0),
        ),
        Kind(
            "package",
            "package on the floor",
            {
                "vision": ("a package on the floor", "a cardboard box", "a delivered parcel"),
                "depth": ("a box on the floor", "a package", "a cardboard box"),
            },
            (7.0, 12.0),
        ),
        Kind(
            "lights_out",
            "lights out",
            {"vision": ("a dark room", "the lights are out", "darkness")},
            (6.0, 9.0),
        ),
        Kind(
            "hot_stove",
            "hot stove",
            {"thermal": ("a hot stove", "hot cooker plates", "a stove left on")},
            (6.0, 10.0),
        ),
        Kind(
            "walking",
            "walking",
            {"imu": ("walking", "a person walking", "taking steps")},
            (8.0, 12.0),
        ),
        Kind(
            "running",
            "running",
            {"imu": ("running", "a person running", "jogging")},
            (8.0, 12.0),
        ),
        Kind(
            "climbing_stairs",
            "climbing stairs",
            {"imu": ("climbing stairs", "going upstairs", "walking up the stairs")},
            (8.0, 12.0),
        ),
        Kind(
            "cycling",
            "cycling",
            {"imu": ("cycling", "riding a bicycle", "pedalling a bike")},
            (8.0, 12.0),
        ),
        Kind(
            "falling",
            "falling down",
            {"imu": ("falling down", "a person falls", "a hard fall and impact")},
            (5.0, 8.0),
            core_s=1.8,
        ),
        Kind(
            "shaking",
            "shaking",
            {"imu": ("shaking", "the device is being shaken", "rapid shaking")},
            (6.0, 10.0),
        ),
        Kind(
            "sitting_still",
            "sitting still",
            {"imu": ("sitting still", "a person seated", "sitting in a chair")},
            (9.0, 12.0),
        ),
        Kind(
            "lying_still",
            "lying still",
            {"imu": ("lying still", "lying down motionless", "a person lying in bed")},
            (9.0, 12.0),
        ),
    )
}

BACKGROUNDS: dict[ModalityName, tuple[str, ...]] = {
    "audio": ("background noise", "room tone", "silence", "a quiet room"),
    "vision": ("an empty room", "an empty living room", "a room with furniture"),
    "thermal": ("an empty room", "a room with a warm radiator", "nothing warm"),
    "depth": ("an empty room", "a room with furniture", "floor and walls"),
    "imu": ("standing still", "fidgeting", "hardly moving"),
}
"""Ways of saying "nothing in particular" for each modality."""


def kinds_of(modality: ModalityName) -> tuple[str, ...]:
    """Names of the kinds that show in `modality`."""
    return tuple(kind.name for kind in CATALOGUE.values() if modality in kind.says)
