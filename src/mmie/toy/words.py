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

# (head type, tail type) → {relation: (share of the pair's facts, verb that may tell it)}.
RELATIONS: dict[tuple[str, str], dict[str, tuple[float, str]]] = {
    ("per", "per"): {
        "peer": (0.2, "joins"),
        "couple": (0.2, "weds"),
        "siblings": (0.2, "hugs"),
        "neighbor": (0.2, "visits"),
        "parent": (0.1, ""),
        "alumi": (0.1, ""),
    },
    ("per", "loc"): {
        "place of residence": (0.5, "lives"),
        "place of birth": (0.5, "born"),
    },
    ("per", "misc"): {
        "present in": (0.3, "plays"),
        "awarded": (0.25, "wins"),
        "nationality": (0.25, "cheers"),
        "religion": (0.2, ""),
    },
    ("org", "org"): {
        "subsidiary": (0.5, "buys"),
        "alternate names": (0.5, "becomes"),
    },
    ("per", "org"): {"member of": (1.0, "")},
    ("org", "loc"): {"locate at": (1.0, "")},
    ("loc", "loc"): {"contain": (1.0, "")},
    ("misc", "loc"): {"held on": (1.0, "")},
    ("misc", "misc"): {"part of": (1.0, "")},
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

VERBS = [verb for relations in RELATIONS.values() for _, verb in relations.values() if verb]
ICONS = "ball heart kite fence house crib mic medal flag tree ring boat star cake".split()
SIGNS = "ball heart kite house mic tree boat star".split()  # icons that mean something in pairs

OPENINGS = ["", "wow", "today :", "RT @fan :", "look ,", "so proud !", "news :"]
LINKS = ["and", "with", "@", "x", "near"]
SECOND_LINKS = ["at", "for", "of", "&"]
MENTIONS = ["via", "says", "photo by"]
CLOSINGS = ["", "!", "# love", "# news", "tonight", ". what a day", "...", "# fun !"]
