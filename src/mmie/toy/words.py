"""The words of the toy world: names by type, icons, and the relations of each pair of types."""

COLOURS = {
    "red": (214, 40, 40),
    "green": (42, 157, 80),
    "blue": (38, 84, 200),
    "yellow": (240, 200, 20),
    "black": (25, 25, 25),
    "pink": (236, 110, 180),
}

# A name is one first word and one second word of its type.
NAMES = {
    "per": (
        "Ann Bob Cleo Dan Eva Finn Gus Hana Ivan Jill Kofi Lena Milo Nora Omar Pia".split(),
        "Lee Ray Stone Park Vega Moss Hart Quinn Reed Sato Tran Wolf Young Zane Frost Cole".split(),
    ),
    "org": (
        "Apex Bolt Crown Delta Echo Forge Globe Harbor Iris Jade Karma Lotus".split(),
        "Club Press Labs Union".split(),
    ),
    "loc": (
        "North South Elm Oak Silver Stony Green Maple Clear Long Sunny Cedar".split(),
        "Bay Hill Falls City".split(),
    ),
    "misc": (
        "Winter Jazz Golden Film Ocean Robot Comet Dragon Velvet Summer Neon Magic".split(),
        "Cup Fest Prize Saga".split(),
    ),
}

# (head type, tail type) → {relation: verb that may tell it}.
RELATIONS: dict[tuple[str, str], dict[str, str]] = {
    ("per", "per"): {
        "peer": "joins",
        "couple": "weds",
        "siblings": "hugs",
        "neighbor": "visits",
    },
    ("per", "loc"): {"place of residence": "lives", "place of birth": "born"},
    ("per", "misc"): {
        "present in": "plays",
        "awarded": "wins",
        "nationality": "cheers",
        "religion": "",
    },
    ("org", "org"): {"subsidiary": "buys", "alternate names": "becomes"},
    ("per", "org"): {"member of": ""},
    ("org", "loc"): {"locate at": ""},
    ("loc", "loc"): {"contain": ""},
    ("misc", "loc"): {"held on": ""},
    ("misc", "misc"): {"part of": ""},
}

PAIR_SHARES = {
    ("per", "per"): 0.4,
    ("per", "misc"): 0.24,
    ("per", "loc"): 0.12,
    ("org", "org"): 0.1,
    ("per", "org"): 0.05,
    ("org", "loc"): 0.03,
    ("loc", "loc"): 0.02,
    ("misc", "loc"): 0.02,
    ("misc", "misc"): 0.02,
}

VERBS = [verb for relations in RELATIONS.values() for verb in relations.values() if verb]
ICONS = "ball heart kite fence house crib mic medal flag tree ring boat star cake".split()

# What an icon stands for.
MOODS = {
    "love": ("heart", "ring", "crib", "tree"),
    "fun": ("ball", "kite", "cake", "boat"),
    "news": ("mic", "flag", "fence"),
    "proud": ("medal", "star", "house"),
}
MOOD_OF = {icon: mood for mood, icons in MOODS.items() for icon in icons}

# The moods of head and tail → the number of the relation, from 0. In each row and in each column
# every number occurs once, so one mood alone tells nothing.
TABLE = {
    "love": {"love": 0, "fun": 1, "news": 2, "proud": 3},
    "fun": {"love": 2, "fun": 3, "news": 0, "proud": 1},
    "news": {"love": 3, "fun": 2, "news": 1, "proud": 0},
    "proud": {"love": 1, "fun": 0, "news": 3, "proud": 2},
}

OPENINGS = ["", "wow", "today :", "RT @fan :", "look ,", "so proud !", "news :"]
LINKS = ["and", "with", "@", "x", "near"]
SECOND_LINKS = ["at", "for", "of", "&"]
MENTIONS = ["via", "says", "photo by"]
CLOSINGS = ["", "!", "# love", "# news", "tonight", ". what a day", "...", "# fun !"]
