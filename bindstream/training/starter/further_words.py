"""Further ways of saying what people ask for most: synonyms, verbs, plurals, plain questions."""

from __future__ import annotations

# concept -> phrasings beside those of the other tables. The more ways a thing is said in, the more
# of a user's own words are known.
FURTHER: dict[str, str] = {
    "dog": "dog; dogs; a dog is barking; the dogs bark; a hound barks; a hound baying; woof; a "
    "yapping dog; a small dog yaps; a large dog barks loudly; a canine; a pet dog; puppies; a "
    "puppy; bark of a dog; the neighbour's dog is barking; a dog howling; a dog growls; loud "
    "barking",
    "rain": "the rain; rainy weather; it rains; water drops falling; rain pouring down; pouring "
    "rain; a rainstorm; rain drops hitting the ground; wet weather; steady rain; gentle rain; rain "
    "pattering; pattering of rain; rain drumming on a tin roof; is it raining",
    "sea_waves": "waves; a wave breaks; waves rolling in; the tide; the surf of the ocean; sea "
    "shore; the shore; beach; water washing on sand; a seashore; breakers; ocean; sea; waves of "
    "the sea; waves hitting the rocks; the sound of the beach",
    "baby_crying": "a baby; an infant; the infant is crying; the newborn is crying; a baby "
    "screams; a baby sobbing; sobbing; weeping; a little child crying; a kid crying; babies "
    "crying; the child wails; bawling; a cry of an infant; a crying child; a fussy baby; is the "
    "baby awake and crying",
    "clock": "clock; clocks; a clock; ticking clocks; a wall clock ticks; an alarm clock ticking; "
    "a grandfather clock; the tick of a clock; a stopwatch; a ticking timer; a timer ticks; ticks",
    "sneeze": "sneezes; a loud sneeze; somebody sneezing; someone sneezed; a sneezing fit; a human "
    "sneeze; a person sneezes loudly; atchoo; people sneezing; hay fever; she sneezes; he sneezed",
    "helicopter": "chopper; a rotor; a helicopter overhead; a helicopter hovering; helicopter "
    "noise; the blades of a helicopter; a rotorcraft; a helicopter is passing; a military "
    "helicopter; a rescue helicopter; choppers",
    "chainsaw": "chain saw; chainsaws; a chain saw; a power saw; cutting wood with a chainsaw; a "
    "saw cutting a tree; cutting down trees; a lumberjack at work; felling trees; logging; a saw; "
    "the buzz of a saw; cutting timber",
    "rooster": "cock; a cock; a rooster; roosters crowing; the cock is crowing; a crow of a "
    "rooster; a cockerel crows; cock crowing at dawn; a chicken; chickens; hens; poultry; farm "
    "birds; a farmyard rooster",
    "fire": "a fire; flame; a flame; an open fire; logs burning; a log fire; a wood fire; "
    "something burning; something is on fire; the house is on fire; the kitchen is on fire; "
    "burning; blaze; a blaze; a burning log; crackling flames; a fire in the fireplace; a camp "
    "fire; fire in the room; is there a fire; a hot fire; flickering flames; an outbreak of fire",
    "footsteps": "footstep; a step; someone's footsteps; walking feet; people walking; heels on "
    "the floor; boots; a person's steps; steps in the hall; running feet; someone coming; somebody "
    "walks",
    "glass_breaking": "glass; glass is breaking; a window breaking; a window being broken; a glass "
    "breaks; a smashed window; smashing a window; a bottle breaks; a glass shattering; broken "
    "glass; a window is smashed; the window was broken; burglars break a window; a pane breaks",
    "smoke_alarm": "smoke alarms; a smoke alarm beeping; the smoke detector; the fire alarm; a "
    "fire detector; the smoke detector is beeping; a carbon monoxide alarm; fire alarms",
    "siren": "a siren; sirens; an ambulance; a police car; a fire engine; a fire truck siren; the "
    "siren of an ambulance; wailing siren; an emergency vehicle; an emergency siren; police",
    "knocking": "a knock on the door; someone is knocking; someone knocking at the door; somebody "
    "knocks on the door; knocks; rapping on the door; banging on the door; a visitor knocks",
    "doorbell": "door bell; the door bell; a chime; ding dong; someone rings the bell; someone at "
    "the door; a visitor at the door; the bell rings; ringing at the door",
    "running_water": "a running tap; the tap is running; the water is running; a shower running; "
    "water flowing; water pouring; a sink filling; filling a bath; a leak; a burst pipe; water "
    "from the tap",
    "kettle": "kettle; the kettle is boiling; the water boils; a tea kettle; a whistling tea "
    "kettle; a pot boiling; steam whistle",
    "beeping": "beeps; an appliance beeps; the microwave; the washing machine beeps; the "
    "dishwasher is done; a timer beeping; electronic beeping; the oven beeps; a beeping appliance",
    "alarm": "alarms; an alarm; a burglar alarm; an intruder alarm; a car alarm going off; alarm "
    "clock ringing; a warning sound; an alarm rings",
    "speech": "a person talking; a person speaking; someone speaking; speaking; a man speaking; a "
    "woman speaking; people speaking; human voice; talk; a discussion",
    "scream": "screams; someone screaming; a shouting person; someone shouts; someone yells; help; "
    "a loud scream; shrieking; a shriek; a person shouting for help",
    "door": "door; doors; the door opens; the door closes; a door being closed; a door being "
    "opened; someone opens the door; someone closes a door; a slamming door; the front door; a "
    "squeaky door",
    "engine": "an engine; engines; a car; a running engine; a car passing; a vehicle engine; a car "
    "idling; a motor vehicle; motor; revving; a car drives by",
    "gunshot": "gunshots; a gun; a gunshot is fired; someone shoots; a firearm; gun fire; shots "
    "fired",
    "explosion": "explosions; something explodes; a loud bang; a bang; a detonation",
    "thunder": "a thunderstorm; lightning; thunder rolling; the rumble of thunder",
    "wind": "windy; the wind; windy weather; wind noise; a storm wind; a breeze; gusts",
    "birdsong": "a bird sings; birds are singing; birds in the trees; bird calls; a bird call; the "
    "dawn chorus",
    "breathing": "a person breathing; someone breathes; a breath; breath; panting person",
    "laughing": "people laughing; a laughing person; giggling; someone is laughing",
    "cat": "a cat; a meowing cat; the cat meows; a cat crying; mewing; a cat purring",
    "room_tone": "a quiet place; a silent house; nobody is there; no sound; no sounds; ambience; "
    "calm; hiss; a hissing microphone; all is quiet; nothing to be heard; quietness",
    "person": "person; persons; men; women; a child; children; a kid; anyone; anybody; a stranger; "
    "a visitor; an intruder in the room; someone standing; someone is there; is anyone there; a "
    "human being; a warm body; a body; human body heat; a standing person; a person standing; a "
    "walker; people walking; a group of people; a crowd; someone enters; a burglar; a hiker",
    "fallen_person": "a person has fallen; someone has fallen; someone fell; a person lies on the "
    "floor; somebody is lying on the floor; a collapsed person; an unconscious person; a man on "
    "the floor; a woman on the floor; someone on the ground; a lying person; person down",
    "package": "packages; boxes; parcels; a box on the floor; a carton; a left package; a delivery "
    "at the door; an abandoned package; an unattended box; a parcel was delivered; suitcase",
    "lights_out": "dark; a power cut; it is dark; the light is off; the lamps are off; a blackout; "
    "night; no light; a power failure; pitch dark",
    "hot_stove": "a hot cooker; a hot oven; an oven; the stove was left on; the cooker is on; a "
    "burner; hot plates; something hot in the kitchen; a hot appliance; cooking; an iron left on",
    "car": "automobile; automobiles; a motor car; a moving car; a driving car; traffic; cars on a "
    "road; a hot engine; a car in a parking lot; a vehicle from above; road vehicles; a warm "
    "vehicle; a passenger car; a taxi",
    "truck": "a truck on the road; a heavy vehicle; buses; vans; lorries; a big vehicle; another "
    "vehicle; other vehicle; a large truck; a coach",
    "bicycle": "bike; bikes; cyclists; a person on a bicycle; a person riding a bike; a parked "
    "bicycle; a motorbike or bicycle; a two wheeler; two wheelers; a scooter; bicycles seen from "
    "above; someone cycling; a bike rider",
    "walking": "walk; walks; a walk; taking a walk; a person is walking; strolling; a stroll; "
    "pacing; pacing around; moving on foot; going for a walk; the wearer walks; steps while "
    "walking; marching; someone is walking; wandering around; a walking person",
    "sitting_still": "sit; sits; a sitting person; resting in a chair; in a chair; sitting "
    "quietly; sitting without moving; someone sitting; the wearer is seated; sitting at a desk; "
    "seated and still; being seated; resting; sedentary",
    "standing_up": "stand up; stands up; stood up; get up; gets up; getting out of a chair; "
    "rising; a person getting up; someone stands up; rising to the feet; from sitting to standing; "
    "sit to stand; getting up from a chair",
    "sitting_down": "sit down; sits down; sat down; a person sitting down; someone is sitting "
    "down; lowering into a chair; from standing to sitting; stand to sit; sitting down on a chair",
    "posture_change": "changing posture; a change of posture; changing position; a posture change; "
    "posture transition; a transition between sitting and standing; getting up or sitting down; "
    "standing up or sitting down; moving between sitting and standing; a person changes posture",
    "turning": "turn; turns; a turn; turn around; turning round; making a turn; a person turning; "
    "rotating; spinning around; changing direction; a u turn",
    "falling": "fall; falls; a fall; someone falls; somebody falls; somebody fell; someone fell; "
    "someone falls down; someone has fallen; a person falling; a person fell over; tripping; a "
    "trip and fall; stumbling and falling; falling over; falling to the floor; collapsing; a "
    "collapse; an impact on the floor; slipping; someone slips; the wearer falls; a hard impact; a "
    "sudden fall; did someone fall; dropping to the ground; an accident",
    "running": "run; runs; a run; a runner; a running person; a person is running; fast running; "
    "racing; a jog; someone jogging; running fast; the wearer runs",
    "climbing_stairs": "stairs; climbing the stairs; going up stairs; walking upstairs; upstairs; "
    "steps up; a staircase; a stairway; going up the steps; a person climbing stairs; climbing; "
    "downstairs; walking on stairs",
    "cycling": "cycle; riding a bike; riding; a bike ride; pedalling; cycling outdoors; a person "
    "cycling; someone rides a bike; biking; on a bicycle",
    "shaking": "shake; shakes; shaken; the sensor is shaken; a shaking device; vibration; "
    "vibrating; strong vibration; trembling; being shaken; a tremor; rattling; jerking to and fro; "
    "shaking hands",
    "lying_still": "lying; lying down; lie; a person lying down; lying in bed; asleep; sleeping; a "
    "sleeping person; someone asleep; resting in bed; lying flat; the wearer lies still; lying on "
    "a bed",
    "still_sensor": "standing; a standing person; staying in place; someone standing still; no "
    "motion; no movement; motionless; idle; waiting; standing around; little movement",
}
"""`posture_change` is what standing up and sitting down both are."""

# Kinds of a recorded sound that are told apart: name -> (what it also is, pattern over the
# recording's "label name", phrasings). The first match counts.
FINER: dict[str, tuple[str, str, str]] = {
    "footsteps_grass": (
        "footsteps",
        r"walk_(t_)?grass",
        "footsteps on grass; walking on grass; walking through long grass; steps in the grass; "
        "walk grass",
    ),
    "footsteps_metal": (
        "footsteps",
        r"walk_metal|step metal",
        "footsteps on metal; steps on metal; walking on metal; walk metal; node step metal",
    ),
    "footsteps_carpet": (
        "footsteps",
        r"walk_t_carpet",
        "footsteps on carpet; soft footsteps; walking on a carpet; walk carpet",
    ),
    "footsteps_floor": (
        "footsteps",
        r"walk_t_floor|step hard",
        "footsteps on a hard floor; steps on a floor; walking on a floor; walk floor; node step "
        "hard",
    ),
    "footsteps_snow": (
        "footsteps",
        r"step snow",
        "footsteps in snow; walking in snow; steps in snow; node step snow",
    ),
    "footsteps_sand": (
        "footsteps",
        r"step sand",
        "footsteps on sand; walking on sand; steps in sand; node step sand",
    ),
    "pain": (
        "groan",
        r"hurt",
        "a person hurt; someone hurt; a cry of pain; deal damage hurt",
    ),
    "zombie": (
        "groan",
        r"zombie|undead",
        "a zombie; zombie moan; undead moan; a zombie growl; a zombie death; a monster",
    ),
    "gun_reload": (
        "gun_handling",
        r"reload|load_",
        "reloading a gun; gun reload; reloading a pistol; reloading a rifle; reload a shotgun",
    ),
    "gun_cock": (
        "gun_handling",
        r"cock|pump",
        "cocking a gun; rifle cock; pistol cock; shotgun pump",
    ),
    "rifle_shot": (
        "gunshot",
        r"rifle|^ar |machinegun",
        "rifle fire; a rifle shot; a rifle being fired; machine gun fire; ar fire; ar burst",
    ),
    "pistol_shot": (
        "gunshot",
        r"pistol fire|handgun",
        "pistol fire; a pistol shot; a handgun shot",
    ),
    "flesh_hit": (
        "thud",
        r"melee_hit_flesh|melee hit",
        "a body blow; melee hit flesh; a punch on flesh; hitting a body; melee hit",
    ),
    "bite": (
        "thud",
        r"bite",
        "a bite; biting; bite hit; an animal biting; apple bite",
    ),
    "monster_hit": (
        "thud",
        r"monster_melee",
        "monster melee hit; a monster hits; melee attack",
    ),
    "small_swing": (
        "whoosh",
        r"melee_swing/small",
        "a small swing; melee swing small; a knife swung",
    ),
    "big_swing": (
        "whoosh",
        r"melee_swing/(big|default)",
        "a big swing; melee swing; a sword swung",
    ),
    "brick_smash": (
        "breaking",
        r"smash_\w+/(brick|concrete)",
        "a brick smashed; smashing bricks; hitting a brick wall; smash brick",
    ),
    "wood_smash": (
        "breaking",
        r"smash_\w+/(wood|door_wood)|door_wood door_smash",
        "wood breaking; a wooden door smashed; smashing furniture; wood smashed; smash wood",
    ),
    "dish_smash": (
        "breaking",
        r"smash_\w+/ceramic",
        "dishes breaking; a plate breaks; pottery smashed; smash ceramic",
    ),
    "metal_smash": (
        "breaking",
        r"smash_\w+/(metal|chain)",
        "hitting metal; metal smashed; a chain fence hit; smash metal; smash chain link",
    ),
    "plastic_smash": (
        "breaking",
        r"smash_\w+/plastic",
        "plastic breaking; plastic smashed; smash plastic",
    ),
    "vehicle_smash": (
        "breaking",
        r"hit_vehicle",
        "a vehicle hit; a car crash; hitting a car; smash vehicle",
    ),
    "leopard": (
        "big_cat",
        r"leopard",
        "a leopard; a leopard growling; leopard growl; leopard roar; leopard snarl",
    ),
    "tiger": (
        "big_cat",
        r"tiger",
        "a tiger; a tiger growling; tiger roar; tiger snarl",
    ),
    "cicada": (
        "crickets",
        r"cicada",
        "a cicada; cicadas; cicadas singing",
    ),
    "distant_explosion": (
        "explosion",
        r"explosion distant",
        "a distant explosion; explosion distant; an explosion far away",
    ),
    "puppy": (
        "dog",
        r"puppy",
        "a puppy; a puppy barking; puppies; puppy bark",
    ),
    "wading": (
        "water_splash",
        r"walk_(t_)?water|step water",
        "walking in water; wading; steps in water; node step water; footsteps in water",
    ),
    "singing": (
        "music",
        r"mermaid",
        "singing; a mermaid song; a woman singing; someone sings",
    ),
    "dig_gravel": (
        "digging",
        r"gravel",
        "digging gravel; gravel; node dig gravel; shovelling gravel",
    ),
    "dig_stone": (
        "digging",
        r"crack|choppy|ice|metal",
        "digging stone; hitting stone; node dig; a pickaxe on rock; breaking ice",
    ),
}
