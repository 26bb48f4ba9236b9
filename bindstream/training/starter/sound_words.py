"""What the recorded sounds are called: concepts, their phrasings, and the labels they cover."""

from __future__ import annotations

import re

from bindstream.training.starter.further_words import FINER

# concept -> phrasings, the plainest first. A concept that a rendered scene also knows shares its
# name with the scene's kind, so that both teach the same words.
SOUNDS: dict[str, str] = {
    "dog": "dog barking; a dog barks; barking dog; a barking dog; dogs barking; barks; barking;"
    " someone's dog barks; a dog woofing; a puppy barking; a dog growling and barking",
    "rain": "rain; raining; it is raining; rain falling; heavy rain; light rain; drizzle; rainfall;"
    " raindrops; a rain shower; a downpour; rain on the window; rain on the roof",
    "sea_waves": "sea waves; ocean waves; waves crashing; waves on the beach; the sea; the ocean;"
    " surf; waves breaking on the shore; the seaside",
    "baby_crying": "baby cry; a crying baby; crying baby; the baby is crying; an infant cries;"
    " a baby wailing; a child crying; someone crying; a toddler crying; crying; a newborn cries",
    "clock": "clock tick; a clock ticking; ticking clock; tick tock; ticking;"
    " the ticking of a clock",
    "sneeze": "person sneeze; a sneeze; sneezing; someone sneezes; a person sneezing;"
    " a man sneezes; achoo; a woman sneezes",
    "helicopter": "helicopter; a helicopter; helicopters; a helicopter flying; a chopper overhead;"
    " helicopter rotor; rotor blades; a hovering helicopter",
    "chainsaw": "chainsaw; a chainsaw; a chain saw running; a chainsaw cutting wood; sawing;"
    " a motor saw; someone sawing a tree",
    "rooster": "rooster; a rooster crowing; rooster crow; a crowing rooster; cockerel;"
    " a cock crows; cock-a-doodle-doo; roosters",
    "fire": "fire crackling; a crackling fire; crackling; a campfire; a fireplace; burning wood;"
    " flames crackling; a bonfire; a fire burning",
    "footsteps": "footsteps; steps; someone walking; walking footsteps; a person walking past;"
    " footfall; someone is walking around; shoes on the floor",
    "thunder": "thunder; thunderstorm; a thunder clap; rumbling thunder;"
    " lightning and thunder; a storm",
    "wind": "wind; wind blowing; strong wind; howling wind; a gust of wind; snow storm; a blizzard",
    "birdsong": "birds; birdsong; birds singing; birds chirping; a bird; chirping; tweeting;"
    " a singing bird; a canary; a songbird",
    "crickets": "insects; crickets; cicadas; a cicada; crickets chirping; a grasshopper;"
    " insects at night; night insects",
    "gunshot": "gunshot; gun shot; a gun being fired; gunfire; shooting; shots; a shot;"
    " a rifle shot; a pistol shot; someone shooting",
    "gun_handling": "gun reloading; loading a gun; cocking a gun; a gun being loaded; reloading",
    "explosion": "explosion; an explosion; a blast; a bomb; an explosion in the distance; a boom",
    "fireworks": "fireworks; firecrackers; a firework; fireworks popping",
    "door": "door closing; a door; a door opens; a door closes; a door slams; door slam;"
    " opening a door; closing a door; a creaking door; someone shuts a door",
    "knocking": "door knock; knocking; a knock",
    "doorbell": "doorbell; a doorbell rings; the doorbell is ringing",
    "glass_breaking": "glass breaking; glass smashing; breaking glass; shattering glass;"
    " a broken window; glass shatters; someone breaks a window; smashed glass",
    "breaking": "something breaking; smashing; a smash; a crash; something is smashed; crashing;"
    " breaking dishes; pottery breaking",
    "thud": "thud; a thump; a dull blow; a punch; a hit; something falls on the floor;"
    " impact; a bump",
    "whoosh": "whoosh; a swish; something swung through the air; swoosh",
    "speech": "people talking; speech; a voice; voices; someone talking; conversation; talking;"
    " a man talking; a woman talking; chatter; whispering; mumbling",
    "scream": "scream; screaming; a person screaming; a shout; shouting; yelling; a cry for help;"
    " someone screams; a woman screaming; a man shouting",
    "groan": "groan; groaning; moaning; a person in pain; a moan; growling monster",
    "breathing": "breathing; heavy breathing; panting; someone out of breath; gasping",
    "laughing": "laughing; laughter; someone laughs; a laugh; a person laughing",
    "vomiting": "vomiting; someone throwing up; being sick; retching",
    "radio_static": "radio static; static noise; radio chatter; a radio; white noise",
    "siren": "police siren; siren; an ambulance siren; a fire engine siren; sirens",
    "alarm": "alarm; an alarm ringing; car alarm; an alarm going off; alarm sound; alarm bell",
    "horn": "car horn; a vehicle horn; honking; a honk; beeping horn; train whistle; a horn",
    "engine": "engine; car engine; a motor; a motor running; an engine running; an idling engine;"
    " a car starting; a vehicle; a truck engine; a car driving; engine starting",
    "airplane": "airplane; a plane; a jet; an aircraft; a jet flying by; a plane overhead;"
    " airplanes; aeroplane",
    "church_bells": "church bells; bells; a bell ringing; bells ringing; bell",
    "music": "music; singing; a melody; someone singing; a piano; humming a tune; a song",
    "cat": "cat; a cat meowing; meow; a cat meows; cats; a kitten",
    "big_cat": "roar; a lion roaring; a tiger growling; a leopard; a growl; growling; snarling",
    "wolf": "wolf; a wolf howling; howling; a coyote howls",
    "cow": "cow; a cow mooing; moo; cattle; a yak",
    "horse": "horse; a horse neighing; a horse snorting; horses; galloping hooves; hooves",
    "sheep": "sheep; a sheep bleating; baa; a lamb; a goat bleating",
    "crow": "crow; a crow cawing; crows; a raven; cawing",
    "seagull": "seagull; seagulls; gulls crying; a gull",
    "owl": "owl; an owl hooting; hooting",
    "parrot": "parrot; a parrot squawking; squawking; a peacock; a screeching bird",
    "duck": "duck; a duck quacking; quacking; a turkey gobbling; a goose; ducks",
    "pigeon": "pigeon; a pigeon cooing; pigeons; a dove; cooing",
    "woodpecker": "woodpecker; a woodpecker pecking",
    "bee": "bee; bees buzzing; a bumble bee; buzzing; a fly buzzing; a wasp",
    "frog": "frog; a frog croaking; frogs; croaking",
    "snake": "snake; a snake hissing; a rattlesnake; hissing; a cobra",
    "elephant": "elephant; an elephant trumpeting",
    "gorilla": "gorilla; an ape; a monkey; a gorilla grunting",
    "bear": "bear; a bear growling",
    "whale": "whale; a dolphin; a whale singing; dolphin clicks; dolphins",
    "seal": "sea lion; a seal barking; a seal; a penguin; penguins",
    "rodent": "squirrel; a mouse squeaking; a bat; a raccoon; squeaking; a rat",
    "laser": "laser; a laser gun; a science fiction sound; a robot; plasma gun",
    "digging": "digging; a shovel; footsteps on gravel; gravel; a pickaxe",
    "scraping": "scraping; scraping metal; writing with chalk; scratching; a pencil; dragging",
    "tool": "tool; a hand saw; hammering; a tool being used; a hacksaw; shears; cutting",
    "water_splash": "splash; splashing water; stepping in water; wading; splashing",
    "beeping": "beep; beeping; a beeping sound; a truck reversing beep; an electronic beep",
    "click": "click; a click; a switch; a mouse click; a camera shutter; a coin",
    "squeak": "squeaky toy; a toy squeak; boing; a balloon; a balloon popping",
    "geiger": "geiger counter; clicking radiation counter",
    "hum": "electric hum; humming; mains hum; a compressor; an electric motor; a fan",
    "bicycle_bell": "bicycle bell; a bike bell; a bicycle horn",
    "whistling": "whistle; whistling; someone whistles",
    "burst": "ignition; a match being lit; a lighter; a fuse burning",
}

_ROOM = "room_tone"
# (pattern over "label name", concept), first match counts; None leaves the sound out.
_LABELS: list[tuple[str, str | None]] = [
    (r"dog bark|puppy", "dog"),
    (r"sea waves", "sea_waves"),
    (r"baby cry", "baby_crying"),
    (r"clock", "clock"),
    (r"sneeze", "sneeze"),
    (r"chainsaw", "chainsaw"),
    (r"fire crackling|^fire |fireball", "fire"),
    (r"rooster", "rooster"),
    (r"helicopter", "helicopter"),
    (r"rainstorm|drizzle|heavyrain|indoors_rain|night_rain|^rain", "rain"),
    (r"thunder", "thunder"),
    (r"snowstorm|flurries|snowing|portal|tree creak", "wind"),
    (r"clear_night|cloudy_night|cicada|grasshopper", "crickets"),
    (r"weather_(clear|sunny|cloudy)_winter", "wind"),
    (r"weather_(clear|sunny|cloudy)|canary|quail", "birdsong"),
    (r"indoors|underground", _ROOM),
    (r"police_siren", "siren"),
    (r"church", "church_bells"),
    (r"car_alarm|ambient alarm", "alarm"),
    (r"reload|cock|pump|dry|brass_eject|empty|load_", "gun_handling"),
    (r"laser|plasma|robot|scifi|gene_sting", "laser"),
    (r"fire_gun|rifle|pistol|shotgun|burst|ar fire", "gunshot"),
    (r"fireworks", "fireworks"),
    (r"explosion|rocket", "explosion"),
    (r"door knock", "knocking"),
    (r"doorbell", "doorbell"),
    (r"smash_(fail|success)/(glass|window)|smash_glass|dug glass", "glass_breaking"),
    (r"hit_vehicle|door_wood door_smash|smash", "breaking"),
    (r"door|window|gun_safe|trunk|^zipper", "door"),
    (r"bite|melee_hit|melee_attack|melee hit|entity hit|gibbed", "thud"),
    (r"swing|woosh", "whoosh"),
    (r"walk_water|walk_t_water|step water", "water_splash"),
    (r"dig|dug|shovel|pickaxe", "digging"),
    (r"plmove/fatigue|breathing", "breathing"),
    (r"clear_obstacle|plmove|step", "footsteps"),
    (r"zombie|undead|hurt|death", "groan"),
    (r"scream", "scream"),
    (r"laugh", "laughing"),
    (r"radio", "radio_static"),
    (r"speech", "speech"),
    (r"vomit", "vomiting"),
    (r"engine|gear|motor idle|car motor", "engine"),
    (r"rear_beeper|menu|beep", "beeping"),
    (r"bicycle bell|bicycle horn", "bicycle_bell"),
    (r"horn|train", "horn"),
    (r"jet|airplane", "airplane"),
    (r"piano|mermaid", "music"),
    (r"cat meow", "cat"),
    (r"leopard|tiger", "big_cat"),
    (r"wolf|coyote", "wolf"),
    (r"cow|yak|camel", "cow"),
    (r"horse|gallop|zebra", "horse"),
    (r"sheep|lamb", "sheep"),
    (r"crow|vulture", "crow"),
    (r"seagull", "seagull"),
    (r"owl", "owl"),
    (r"parrot whistle|whistle", "whistling"),
    (r"parrot|peacock", "parrot"),
    (r"duck|turkey", "duck"),
    (r"pigeon", "pigeon"),
    (r"woodpecker", "woodpecker"),
    (r"bee$|bee bee|bumble|bee ", "bee"),
    (r"frog", "frog"),
    (r"snake|cobra", "snake"),
    (r"elephant", "elephant"),
    (r"gorilla", "gorilla"),
    (r"^bear", "bear"),
    (r"whale|dolphin", "whale"),
    (r"sea lion|penguin", "seal"),
    (r"squirrel|mouse|raccoon|^bat", "rodent"),
    (r"scrape|chalk|pencil", "scraping"),
    (r"geiger", "geiger"),
    (r"camera_shutter|coin", "click"),
    (r"toy|boing|balloon", "squeak"),
    (r"match|fuse|oxytorch", "burst"),
    (r"tool|shears", "tool"),
    (r"humming|compressor", "hum"),
]


def sound_kinds(label: str, name: str) -> frozenset[str]:
    """All that a recorded sound is: its concept, and the finer kind of it where there is one."""
    concept = sound_concept(label, name)
    said = f"{label} {name}".lower()
    finer = (
        kind
        for kind, (parent, pattern, _) in FINER.items()
        if parent == concept and re.search(pattern, said)
    )
    return frozenset() if concept is None else frozenset({concept, next(finer, concept)})


def sound_concept(label: str, name: str) -> str | None:
    """The concept of a recorded sound by its label and original name; None to leave it out."""
    for pattern, concept in _LABELS:
        if re.search(pattern, f"{label} {name}".lower()):
            return concept
    return None
