"""What pictures, thermal frames and motions are called: concepts and their phrasings."""

from __future__ import annotations

# Caltech-101's class -> nouns, the plainest first; articles, plurals and frames are added later.
PICTURES: dict[str, str] = {
    "Motorbikes": "motorbike; motorcycle",
    "airplanes": "airplane; plane; aircraft",
    "anchor": "anchor",
    "ant": "ant",
    "barrel": "barrel; cask",
    "bass": "bass fish; fish",
    "beaver": "beaver",
    "binocular": "binoculars; pair of binoculars; field glasses",
    "bonsai": "bonsai; bonsai tree; potted tree",
    "brain": "brain; human brain",
    "brontosaurus": "brontosaurus; long necked dinosaur",
    "buddha": "buddha; buddha statue",
    "butterfly": "butterfly",
    "camera": "camera; photo camera",
    "cannon": "cannon; artillery gun",
    "car_side": "car; automobile; car from the side; sedan",
    "ceiling_fan": "ceiling fan; fan on the ceiling",
    "cellphone": "cellphone; mobile phone; phone; cell phone",
    "chair": "chair; wooden chair",
    "chandelier": "chandelier; hanging light",
    "cougar_body": "cougar; puma; mountain lion",
    "cougar_face": "cougar face; face of a cougar; puma face",
    "crab": "crab",
    "crayfish": "crayfish; crawfish",
    "crocodile": "crocodile; alligator",
    "crocodile_head": "crocodile head; head of a crocodile",
    "cup": "cup; mug; coffee cup; tea cup",
    "dalmatian": "dalmatian; dalmatian dog; spotted dog; dog",
    "dolphin": "dolphin; jumping dolphin",
    "dragonfly": "dragonfly",
    "electric_guitar": "electric guitar; guitar",
    "elephant": "elephant",
    "emu": "emu",
    "euphonium": "euphonium; tuba; brass horn",
    "ewer": "ewer; jug; pitcher",
    "ferry": "ferry; ferry boat; ship",
    "flamingo": "flamingo; pink flamingo",
    "flamingo_head": "flamingo head; head of a flamingo",
    "gerenuk": "gerenuk; antelope",
    "grand_piano": "grand piano; piano",
    "hawksbill": "hawksbill turtle; sea turtle; turtle",
    "headphone": "headphones; pair of headphones; headset",
    "hedgehog": "hedgehog",
    "helicopter": "helicopter; chopper",
    "ibis": "ibis",
    "inline_skate": "inline skate; roller skate; rollerblade",
    "joshua_tree": "joshua tree; desert tree",
    "kangaroo": "kangaroo",
    "ketch": "ketch; sailing boat; sailboat",
    "lamp": "lamp; desk lamp; table lamp",
    "laptop": "laptop; notebook computer; laptop computer",
    "lobster": "lobster",
    "mandolin": "mandolin; lute",
    "mayfly": "mayfly",
    "menorah": "menorah; candle holder; candelabra",
    "metronome": "metronome",
    "minaret": "minaret; mosque tower; tower",
    "nautilus": "nautilus; nautilus shell",
    "octopus": "octopus",
    "okapi": "okapi",
    "pagoda": "pagoda; chinese temple",
    "panda": "panda; panda bear",
    "pigeon": "pigeon; dove",
    "platypus": "platypus",
    "pyramid": "pyramid; egyptian pyramid",
    "revolver": "revolver; handgun; gun; pistol",
    "rhino": "rhino; rhinoceros",
    "rooster": "rooster; cockerel",
    "saxophone": "saxophone; sax",
    "schooner": "schooner; tall ship; ship with many sails",
    "scissors": "scissors; pair of scissors",
    "scorpion": "scorpion",
    "sea_horse": "sea horse; seahorse",
    "starfish": "starfish; sea star",
    "stegosaurus": "stegosaurus; plated dinosaur",
    "stop_sign": "stop sign; red stop sign; traffic sign",
    "strawberry": "strawberry",
    "sunflower": "sunflower; yellow sunflower",
    "tick": "tick; mite",
    "trilobite": "trilobite; fossil",
    "umbrella": "umbrella; parasol",
    "watch": "watch; wrist watch; wristwatch; pocket watch",
    "water_lilly": "water lily; lily pad",
    "wild_cat": "wild cat; wildcat; cat",
    "windsor_chair": "windsor chair; chair with a slatted back",
    "wrench": "wrench; spanner",
    "yin_yang": "yin yang; yin yang symbol",
}
# Caltech's class -> a concept of another name, where a sound or a scene means the same thing.
SAME_AS: dict[str, str] = {
    "airplanes": "airplane",
    "dalmatian": "dog",
    "car_side": "car",
}

THERMAL: dict[str, str] = {
    "Person": "person",
    "Car": "car",
    "Bicycle": "bicycle",
    "OtherVehicle": "truck",
}

# Concepts that only pictures of heat, motions and backgrounds bring, with all their phrasings.
OTHERS: dict[str, str] = {
    "person": "a person; people; someone; a human; a man; a woman; a pedestrian; somebody;"
    " someone in view; people in view; a person seen from above; pedestrians; human; an intruder",
    "car": "a car; cars; a vehicle; vehicles; a parked car; a car seen from above; a warm car;"
    " a car on the road; parked cars",
    "bicycle": "a bicycle; bicycles; a bike; a cyclist; someone on a bicycle; a motor scooter;"
    " people on bikes",
    "truck": "a truck; a van; a bus; a lorry; a large vehicle; trucks",
    "standing_up": "standing up; getting up; a person stands up; rising from a chair;"
    " someone gets up",
    "sitting_down": "sitting down; a person sits down; taking a seat; someone sits down",
    "turning": "turning; turning around; a person turns; a turn while walking",
    "sitting_still": "sitting; seated; sitting still; sitting on a chair; a seated person;"
    " a person sitting; someone sits",
    "walking": "walking; a person walks; someone walks; walking around; on foot; steps",
    "running": "running; a person runs; someone runs; jogging; sprinting; going for a run",
    "falling": "falling; a fall; someone falls; a person fell; falling down; a person falling over;"
    " tumbling to the ground",
    "cycling": "cycling; riding a bike; biking; on a bicycle",
    "climbing_stairs": "climbing stairs; walking upstairs; taking the stairs; going up the stairs",
    "shaking": "shaking; a shaken sensor; strong vibration; vibration; vibrating",
    "lying_still": "lying down; lying still; lying in bed; asleep; sleeping; at rest",
    "fallen_person": "a person on the floor; someone lying on the floor; a fallen person;"
    " a man lying on the ground; somebody has collapsed",
    "package": "a package; a parcel; a box; a cardboard box; a delivery; a delivered package",
    "lights_out": "a dark room; darkness; the lights are off; lights out; the light went out; dark",
    "hot_stove": "a hot stove; a stove; a cooker; a hot plate; the stove is on; the oven is on",
    "smoke_alarm": "smoke alarm; smoke detector; a fire alarm; the smoke alarm is going off",
    "running_water": "running water; water; a tap; a faucet; flowing water; a tap left on",
    "kettle": "a kettle; a kettle whistles; a boiling kettle; boiling water",
    "beeping": "beeping; an appliance beeping; a microwave oven beeping",
    "room_tone": "room tone; silence; background noise; a quiet room; quiet; nothing to hear;"
    " faint noise; ambient noise; a silent room; noise",
    "empty_view": "an empty room; nothing in view; an empty scene; a plain wall; nobody here;"
    " a room with furniture; no one in the room; an empty place",
    "cold_view": "nothing warm; a cold background; an empty street; an empty room; bare ground;"
    " no one in view; a room with a warm radiator",
    "still_sensor": "standing still; hardly moving; not moving; fidgeting; standing about;"
    " a person standing; still",
    "animal": "an animal; animals; some animal; a creature; wildlife",
    "insect": "an insect; insects; a bug",
    "instrument": "a musical instrument; an instrument; musical instruments",
    "vehicle": "a vehicle; vehicles; traffic; transport",
    "weapon": "a weapon; weapons; a firearm; a gun",
    "boat": "a boat; boats; a ship; a sailing ship; a vessel",
    "bird": "a bird; birds; some bird",
    "nature": "a plant; plants; a tree; a flower; flowers",
}
NOTHING = ("nothing in particular", "nothing", "nothing special", "nothing happening")
"""Said of every background, whatever the sensor."""
BACKGROUNDS = ("room_tone", "empty_view", "cold_view", "still_sensor")

# What a concept also is: a window of the former answers to the latter, and is never its negative.
BROADER: dict[str, str] = {
    "animal": "dog cat big_cat wolf cow horse sheep elephant gorilla bear whale seal rodent snake"
    " frog beaver bass brontosaurus cougar_body cougar_face crab crayfish crocodile crocodile_head"
    " dolphin gerenuk hawksbill hedgehog kangaroo lobster octopus okapi panda platypus rhino"
    " sea_horse starfish stegosaurus wild_cat scorpion nautilus bird rooster pigeon crow owl parrot"
    " duck seagull flamingo flamingo_head emu ibis birdsong",
    "bird": "rooster pigeon crow owl parrot duck seagull flamingo flamingo_head emu ibis birdsong"
    " woodpecker",
    "insect": "ant butterfly dragonfly mayfly tick bee crickets scorpion",
    "instrument": "electric_guitar grand_piano mandolin saxophone euphonium music",
    "posture_change": "standing_up sitting_down",
    "vehicle": "car truck Motorbikes helicopter airplane engine horn ferry",
    "weapon": "revolver cannon gunshot gun_handling",
    "boat": "ferry ketch schooner",
    "nature": "bonsai joshua_tree sunflower water_lilly",
}
# Pairs that may both be true of one window: never each other's negatives.
COMPATIBLE: tuple[tuple[str, str], ...] = (
    ("person", "walking"), ("person", "footsteps"),
    ("footsteps", "walking"), ("car", "engine"), ("bicycle", "cycling"),
    ("rain", "wind"),
    ("rain", "thunder"), ("rain", "running_water"), ("sea_waves", "wind"), ("alarm", "smoke_alarm"),
    ("alarm", "siren"), ("alarm", "beeping"), ("room_tone", "hum"), ("room_tone", "wind"),
    ("breaking", "glass_breaking"), ("car", "truck"), ("cougar_body", "cougar_face"),
    ("crocodile", "crocodile_head"), ("flamingo", "flamingo_head"), ("clock", "watch"),
    ("chair", "windsor_chair"), ("wild_cat", "cat"), ("ketch", "schooner"), ("dog", "wolf"),
    ("explosion", "thunder"), ("explosion", "gunshot"), ("explosion", "fireworks"),
    ("gunshot", "fireworks"), ("room_tone", "radio_static"), ("scream", "speech"),
    ("person", "speech"),
    ("crickets", "birdsong"), ("seal", "dog"), ("thud", "footsteps"), ("airplane", "engine"),
    ("chainsaw", "engine"), ("helicopter", "engine"), ("airplane", "helicopter"),
    ("knocking", "woodpecker"), ("room_tone", "empty_view"), ("empty_view", "cold_view"),
    ("room_tone", "still_sensor"), ("empty_view", "still_sensor"),
)  # fmt: skip
