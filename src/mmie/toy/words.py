"""The words of the toy world: names by type, icons and the relations that they hint at."""

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

# (head type, tail type) → {relation: (share of the pair's facts, icon that tells it, verb)}.
# Where there is one relation only, neither icon nor verb is needed.
RELATIONS: dict[tuple[str, str], dict[str, tuple[float, str, str]]] = {
    ("per", "per"): {
        "peer": (0.4, "ball", "joins"),
        "couple": (0.25, "heart", "weds"),
        "siblings": (0.2, "kite", "hugs"),
        "neighbor": (0.15, "fence", "visits"),
    },
    ("per", "loc"): {
        "place of residence": (0.6, "house", "lives"),
        "place of birth": (0.4, "crib", "born"),
    },
    ("per", "misc"): {
        "present in": (0.45, "mic", "plays"),
        "awarded": (0.3, "medal", "wins"),
        "nationality": (0.25, "flag", "cheers"),
    },
    ("org", "org"): {
        "subsidiary": (0.6, "tree", "buys"),
        "alternate names": (0.4, "ring", "becomes"),
    },
    ("per", "org"): {"member of": (1.0, "", "")},
    ("org", "loc"): {"locate at": (1.0, "", "")},
    ("loc", "loc"): {"contain": (1.0, "", "")},
    ("misc", "loc"): {"held on": (1.0, "", "")},
    ("misc", "misc"): {"part of": (1.0, "", "")},
}

PAIR_SHARES = {
    ("per", "per"): 0.3,
    ("per", "misc"): 0.18,
    ("per", "loc"): 0.14,
    ("org", "org"): 0.12,
    ("per", "org"): 0.1,
    ("org", "loc"): 0.05,
    ("loc", "loc"): 0.04,
    ("misc", "loc"): 0.04,
    ("misc", "misc"): 0.03,
}

SIGNS = [sign for relations in RELATIONS.values() for sign in relations.values()]
CLUES = [clue for _, clue, _ in SIGNS if clue]
VERBS = [verb for _, _, verb in SIGNS if verb]
ICONS = [*CLUES, "boat", "star", "cake"]

OPENINGS = ["", "wow", "today :", "RT @fan :", "look ,", "so proud !", "news :"]
LINKS = ["and", "with", "@", "x", "near"]
SECOND_LINKS = ["at", "for", "of", "&"]
MENTIONS = ["via", "says", "photo by"]
CLOSINGS = ["", "!", "# love", "# news", "tonight", ". what a day", "...", "# fun !"]
