"""The words that decide what may be left out of a text and what may move within it.

Belongs here: lists of words, and what each list is for. Does not belong here: the rules that use
them (``clauses``, ``kinds``, ``canonical``). What no list knows is content and is never left out.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- What is left out ---------------------------------------------------------------------------

ARTICLES = frozenset({"a", "an", "the"})

KEEPS_ITS_ARTICLE = frozenset({"few", "little", "bit"})
"""'A few people' are more than 'few people'."""

DROPPED_ANYWHERE = frozenset({"please", "kindly", "um", "uh", "uhm", "pls", "plz"})

SPELLED_OUT_AFTER = _words(
    "says say saying reads spelling spelled titled labelled labeled captioned word words letter"
    " letters named called"
)
"""What follows is written in the picture, so nothing of it is filler."""

_WHO = ("i", "we")
_WISHES = (
    "would like", "would love", "would like to see", "would love to see", "would like to have",
    "would like to get", "would like to", "would love to", "would like you to",
    "would love you to", "would appreciate", "would appreciate it if you could",
    "would be grateful for", "want", "want to see", "want to have", "want to", "want you to",
    "need", "need to see", "need to have", "need you to", "am looking for", "are looking for",
    "wish for",
)  # fmt: skip
_MAKING = ("create", "generate", "produce", "design", "make", "compose")
_GIVING = ("show", "give", "get", "bring", "draw", "render", "craft", "provide")

LEADING_FILLERS = tuple(
    tuple(phrase.split())
    for phrase in (
        *(f"{who} {wish}" for who in _WHO for wish in _WISHES),
        *(f"{who} you" for who in ("could", "can", "would", "will")),
        "would you mind", "would you be so kind as to", "would it be possible to",
        "is it possible to", "let us see", "let us have", "let me see", "let me have",
        *_MAKING,
        *(f"{verb} {whom}" for verb in (*_MAKING, *_GIVING) for whom in ("me", "us", "for me")),
        "creating", "generating", "producing", "making me", "showing me", "giving me",
        "hello there", "hello", "hi there", "hi", "hey there", "hey", "dear model", "dear ai",
        "ok", "okay", "and", "prompt :", "prompts :", "image :", "images :", "picture :",
        "pictures :", "if possible", "if you can", "if you could", "if you would", "if you will",
        "if you like", "if you do not mind", "when you can", "as soon as possible",
        "i appreciate it", "we appreciate it", "much appreciated", "some kind of",
        "some kinds of", "some sort of", "some sorts of", "some type of", "some types of",
    )
)  # fmt: skip
"""Politeness and filler at the beginning of a clause."""

THANKS = tuple(
    tuple(phrase.split()) for phrase in ("thank you", "thanks", "many thanks", "thank u")
)
GOES_WITH_THANKS = _words("for so very in kindly again lot and much ever")
"""A clause of thanks, alone or with more that begins so, is left out whole."""

LEADING_BEFORE_A_THING = tuple(
    (word,)
    for word in (
        "show", "showing", "making", "draw", "render", "craft", "provide", "give", "just",
        "simply", "really", "basically", "actually", "maybe", "perhaps", "also",
    )
)  # fmt: skip
"""Filler only after a request, or where an article, a number or other filler follows, or nothing:
'please show horses' and 'show a horse', but not 'show horses'."""

ASKING = frozenset({"could", "can", "would", "will", "i", "let"})
"""Begin a phrase of :data:`LEADING_FILLERS` that is followed by a verb: 'could you show horses'."""

LEADING_MEDIA = tuple(
    (medium, link)
    for medium in ("image", "picture", "pic")
    for link in ("of", "showing", "depicting")
)
"""Filler that may have an article: a picture is what is asked for in any case."""

TRAILING_FILLERS = tuple(
    tuple(phrase.split())
    for phrase in (
        "thank you very much", "thank you so much", "thank you in advance", "thank you kindly",
        "thank you", "thanks lot", "thanks so much", "thanks in advance", "many thanks", "thanks",
        "if possible", "if you can", "if you could", "if you would", "if you will", "if you like",
        "if you do not mind", "when you can", "as soon as possible", "for me", "for us",
        "would be great", "would be nice", "would be lovely", "would be wonderful",
        "much appreciated", "i appreciate it",
    )
)  # fmt: skip
"""The same at its end, articles left out already."""

FILLER_PLURALS = {
    "images": "image", "pictures": "picture", "pics": "pic", "details": "detail", "tones": "tone",
    "styles": "style", "looks": "look", "moods": "mood", "vibes": "vibe", "feels": "feel",
    "aesthetics": "aesthetic", "atmospheres": "atmosphere", "qualities": "quality",
    "resolutions": "resolution", "effects": "effect", "colors": "color",
}  # fmt: skip
"""Words that say how a picture looks, not what is in it: their number means nothing."""

MEDIA_PLURALS = {
    "photos": "photo", "photographs": "photograph", "shots": "shot", "scenes": "scene",
    "views": "view", "renders": "render", "renderings": "rendering", "paintings": "painting",
    "illustrations": "illustration", "drawings": "drawing", "sketches": "sketch", "stills": "still",
    "frames": "frame", "portraits": "portrait", "closeups": "closeup",
}  # fmt: skip
"""Their number means nothing where a clause begins with them and 'of' follows."""

SPELLINGS = {
    "colour": "color", "colours": "color", "coloured": "colored", "colourful": "colorful",
    "grey": "gray", "greys": "grays", "centre": "center", "centred": "centered", "metre": "meter",
    "metres": "meters", "favourite": "favorite", "harbour": "harbor", "&": "and", "w/": "with",
}  # fmt: skip

CONTRACTIONS = {
    "i'd": ("i", "would"), "i'm": ("i", "am"), "let's": ("let", "us"), "can't": ("can", "not"),
    "won't": ("will", "not"), "cannot": ("can", "not"), "i've": ("i", "have"),
}  # fmt: skip

COMPOUNDS = _words(
    "close-up slow-motion wide-angle black-and-white push-in pull-out golden-hour blue-hour"
    " high-contrast low-contrast high-angle low-angle high-key low-key shallow-focus deep-focus"
    " soft-focus long-exposure time-lapse over-the-shoulder high-resolution hand-held"
    " photo-realistic hyper-realistic ultra-detailed highly-detailed medium-shot long-shot"
)
"""Written with hyphens or with spaces, they mean the same; other hyphens stay ('man-eating')."""

ABBREVIATIONS = _words("mr mrs ms dr st jr sr vs approx ca prof gen col sgt mt ft")
"""Their full stop ends no sentence."""

# -- What may move ------------------------------------------------------------------------------

TIMES = _words(
    "dawn daybreak sunrise morning midday noon noontime afternoon dusk sunset sundown evening night"
    " nighttime midnight twilight daytime daylight spring summer autumn winter season"
)
LIGHTS = _words(
    "light lighting lit illumination sunlight moonlight candlelight lamplight backlight backlit"
    " backlighting sidelight sidelit glow glare shadow shadows rays beams volumetric ambient hour"
    " exposure contrast highlights"
)
WEATHERS = _words(
    "weather rain rainy drizzle fog foggy mist misty haze hazy snow snowy snowfall storm stormy"
    " wind windy overcast cloudy sunny atmosphere atmospheric"
)
CONTRASTED = (TIMES, LIGHTS, WEATHERS)
"""Two clauses with words of the same of these may each belong to another thing: 'at dawn, a boat,
at dusk, a car'."""

SCENE = (
    TIMES
    | LIGHTS
    | WEATHERS
    | _words(
        # lens and film
        "lens lenses focal aperture depth field focus focused bokeh angle telephoto macro fisheye"
        " anamorphic closeup shot frame framing grain grainy film analog photograph photo"
        " photographic"
        # style and finish
        " style styled look mood moody cinematic documentary noir vintage retro nostalgic dreamlike"
        " minimalist surreal abstract realistic photorealistic hyperrealistic realism"
        " quality resolution hd uhd 4k 8k texture textured tone toned colored colorful palette"
        " saturated saturation desaturated muted vivid pastel monochrome aesthetic feel vibe effect"
        " masterpiece render rendering composition symmetrical"
    )
)
"""Words that describe the whole picture. A clause of them and of :data:`QUALIFYING` alone belongs
to no one thing in it, so it may stand anywhere."""

QUALIFYING = _words(
    "soft hard warm cool cold harsh gentle golden blue pink orange silver dramatic natural diffuse"
    " diffused dim bright dark glowing even neon studio rim key fill early late clear light thick"
    " heavy long length shallow deep wide close up medium full prime stock digital low high ultra"
    " highly very sharp crisp rich fine award winning professional rule thirds centered minimal"
    " color key static drone aerial establishing overhead slow"
)
"""May stand beside a word of :data:`SCENE`; alone they could be said of a thing."""

LENS_LENGTH = "mm"
"""Ends the focal length of a lens: '35mm'."""

APERTURE = "f/"
"""Begins the aperture of a lens: 'f/1.8'."""

CONNECTING = _words("with in at of and by during on under from for to")
"""May stand in a clause about the whole picture without tying it to anything."""

DROPPED_BEFORE_SCENE = frozenset({"with", "in", "at", "during", "featuring"})
"""'At dusk' and 'dusk', 'in soft light' and 'soft light': the same, of the whole picture."""

CAMERA = _words(
    "camera pan pans panning tilt tilts tilting dolly dollies dollying zoom zooms zooming push-in"
    " pull-out pedestal pedestals orbit orbits orbiting crane-up crane-down handheld steadicam"
    " tracking"
)
"""A clause with one of these tells what the camera does; what it does first comes first."""

CAMERA_PAIRS = frozenset(
    (verb, way)
    for verbs, ways in (
        ("push pushes pushing pull pulls pulling", "in out back"),
        ("truck trucks trucking track tracks", "left right"),
        ("crane cranes craning", "up down"),
    )
    for verb in verbs.split()
    for way in ways.split()
)
"""The same, for words that mean it together only."""

PICTURE_WIDE = _words(
    "people person persons humans human text texts watermark watermarks logo logos caption captions"
    " subtitles letters words border borders artifacts noise blur clutter signature"
)
"""What a picture has or has not as a whole: 'without text', 'with people'."""

HAVING = frozenset({("with",), ("without",), ("no",), ("with", "no"), ("with", "any")})
"""Stand before one of :data:`PICTURE_WIDE`."""

POSITIONS = _words(
    "left right top bottom center middle side foreground background front back above below behind"
    " beneath upper lower near far distance edge corner north south east west up down upward"
    " downward upwards downwards leftward rightward forward backward away"
)
"""A clause of these alone places what stands beside it: before it or after it, nobody knows."""

MODIFIERS = _words(
    "red orange yellow green blue purple violet pink brown gray black white golden silver gold"
    " beige turquoise cyan magenta teal crimson scarlet navy maroon big small large little huge"
    " tiny tall short long wide narrow thick thin old young new ancient modern fat slim heavy round"
    " square flat steep rusty shiny dirty clean wet dry broken empty full open closed wooden metal"
    " stone glass plastic golden happy sad angry calm asleep awake alone together smiling barefoot"
    " naked blonde bald bearded striped dotted"
)
MODIFIER_ENDINGS = ("ed", "ly", "ous", "ful", "less", "ish", "ive", "able", "ible", "ic")
"""A clause of one such word describes what stands beside it."""

DEGREES = _words("and very so too quite half slightly partly fully almost")

FLOATING = _words(
    # prepositions
    "with without in inside at on onto off of by under underneath over above below beneath behind"
    " before after beside besides between among amid amidst against along alongside around across"
    " through throughout toward towards from to into out outside up down near past beyond during"
    " within upon atop opposite next like unlike despite via per for as while when where whenever"
    " until till since because so if though although but or yet plus"
    # relatives, pronouns, what is said of something
    " which who whom whose that this these those it its he she they them his her hers their theirs"
    " him there here both such same more less ones half"
    " is are was were be being has have had does do wearing holding made seen lit built set shot"
    " worn held hung left"
)
"""A clause that begins with one of these belongs to another clause."""

NO_PARTICIPLES = _words(
    "living dining swimming parking rolling falling crashing glowing flying burning blooming"
    " flowing shining sparkling rising setting shooting evening morning spring building lightning"
    " king ring ceiling painting wedding clothing railing drawing string wing hanging leading"
)
"""End as a participle does, and begin the name of a thing: 'living room', 'falling snow'."""

STATIC = _words(
    "with without in inside at on under beneath against beside between among amid near during"
    " within"
)
"""Prepositions of what is, not of what moves: such a clause does not belong to the camera."""

ANAPHORA = _words(
    "it its itself he she they them his her hers their theirs him himself herself themselves"
    " which who whom whose this that these those"
)

ORDERED = _words(
    "then next afterwards afterward finally lastly later subsequently followed firstly secondly"
    " thirdly respectively former latter other another others instead nor neither either none"
    " except unless otherwise again meanwhile first second third last"
)
"""With one of these, the order of all clauses is part of the meaning."""

NO_ORDER = frozenset({("next", "to"), ("first", "frame"), ("last", "frame"), ("last", "light")})
"""A word of :data:`ORDERED` that, with the one after it, says nothing of order."""

NUMBER_WORDS = _words(
    "one two three four five six seven eight nine ten eleven twelve dozen several many some few"
    " every each another"
)
"""A clause that begins with one names a thing of its own, as one with an article does."""

NEGATIONS = _words(
    "no not without never avoid avoiding exclude excluding omit omitting minus nothing nobody"
    " nowhere lacking remove removing hide hiding"
)

ALL_THAT_FOLLOWS = _words("avoid avoiding exclude excluding omit omitting remove hide")
"""Negations that hold to the end of their sentence."""

BINDING = frozenset("()[]{}<>|=")
"""With one of these in it, a text is not prose: nothing in it moves."""
