"""The rules by which facts are found: patterns of clauses in the first person. Pure.

In a pattern, `v` is the value and `k` what it is a value of. Importance is 1 to 10: what hurts if
it is forgotten has 10 (allergies), who somebody is 7 to 9, tastes and ties 5 to 7.
"""

import re
from dataclasses import dataclass

I_AM = r"(?:i am|i['\u2019]?m)"
I_HAVE = r"(?:i have|i['\u2019]ve|i['\u2019]ve got|i have got|i got)"
NO_MORE = r"(?: any ?more| any longer| now)?"
SOME = r"(?:really |absolutely |just |also |still |totally |do |quite |truly |very much |always )*"
TAIL = (
    r"(?: (?:last|this|since|for|with|from|when|while|because|where|which|until|and"
    r"|in (?:19|20)\d\d"
    r"|(?:a few|an?|one|two|three|four|five|six|ten|\d+) (?:days?|weeks?|months?|years?))\b.*)?"
)
"""What may come behind a value and does not belong to it."""
THING = r"(?P<v>[^,:;()\[\]{}<>|]{2,80}?)"
NAME = r"(?P<v>[^\W\d_][\w'\u2019.-]*(?: [^\W\d_][\w'\u2019.-]*){0,3})"

ONE_OF_THEM = (
    "wife|husband|spouse|partner|girlfriend|boyfriend|fianc\u00e9e?|fiancee?|mother|mom|mum|father|dad"
    "|boss|manager"
)
MANY_OF_THEM = (
    "sister|brother|son|daughter|child|kid|baby|friend|best friend|cousin|uncle|aunt|grandmother"
    "|grandma|grandfather|grandpa|niece|nephew|colleague|coworker|neighbou?r|roommate|flatmate"
    "|dog|cat|pet|horse|rabbit|hamster|parrot|puppy|kitten|company|team|project|startup"
)
HAD = (
    "dogs?|cats?|pets?|horses?|rabbits?|hamsters?|parrots?|puppy|puppies|kittens?|fish|sons?"
    "|daughters?|kids?|child|children|baby|babies|twins|brothers?|sisters?|siblings?|wife|husband"
    "|girlfriend|boyfriend|car|house|garden|diabetes|asthma|migraines?|adhd"
)
WORK = (
    "teacher|engineer|developer|programmer|designer|nurse|doctor|physician|surgeon|dentist|student"
    "|lawyer|attorney|accountant|architect|chef|cook|baker|writer|author|journalist|editor|artist"
    "|musician|singer|actor|actress|photographer|scientist|researcher|professor|lecturer|manager"
    "|consultant|analyst|salesperson|electrician|plumber|carpenter|mechanic|farmer|pilot|driver"
    "|firefighter|policeman|policewoman|soldier|pharmacist|psychologist|therapist|biologist|chemist"
    "|physicist|mathematician|economist|translator|librarian|administrator|entrepreneur|founder"
    "|veterinarian|vet|paramedic|midwife|social worker|software engineer|data scientist"
)
WHEN = (
    r"(?:today|tonight|tomorrow|soon|later|next|this|on (?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|in (?:january|february|march|april|may|june|july|august|september|october|november|december)"
    r"|in (?:a|an|one|two|three|four|five|six|\d+) (?:day|week|month|year)s?)"
)

_POINTS_AT = re.compile(
    r"^(?:it|this|that|these|those|them|you|your|yours|him|her|how|what|when|where|why|who|the idea"
    r"|the way|the look|the sound|to know|to see that|everything|nothing|something|anything|all)\b",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"\b(?:later|back|when|if|at|on|a|an|the|crazy|tomorrow|today|now|again|anytime|whatever|what"
    r"|not|so|just|in|by|for|old|names?|maybe|out|up|stupid|is|are|was|very|secret|hidden|unknown)\b",
    re.IGNORECASE,
)
_NO_PLACE = re.compile(
    r"^(?:it|this|that|fear|hope|peace|an?|my|our|his|her|their|your|one)\b|^(?-i:the [a-z])",
    re.IGNORECASE,
)
"""Houses, countrysides and states of mind are no homes that others could contradict."""


@dataclass(frozen=True)
class Rule:
    """`says` is the statement, `slot` what it is about if that has one value at a time; `value` is
    what is compared then, the value itself unless stated. `refuses` are values it does not take."""

    pattern: re.Pattern[str]
    says: str
    importance: int
    slot: str = ""
    value: str = ""
    negated: bool = False
    kind: str = "semantic"
    refuses: re.Pattern[str] | None = None


def _rule(pattern: str, says: str, importance: int, **more: object) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), says, importance, **more)  # type: ignore[arg-type]


def _opinions() -> list[Rule]:
    """One has one opinion of a thing at a time."""
    likes = rf"i {SOME}(?:like|love|enjoy|adore) {THING}"
    hates = (
        rf"i {SOME}(?:hate|dislike|detest|can['\u2019]?t stand|cannot stand"
        rf"|(?:don['\u2019]?t|do not) (?:really )?(?:like|enjoy)|no longer (?:like|love|enjoy))"
        rf" {THING}{NO_MORE}"
    )
    more = {"slot": "opinion of {v}", "refuses": _POINTS_AT}
    return [
        _rule(hates, "The user does not like {v}.", 5, value="negative", **more),
        _rule(likes, "The user likes {v}.", 5, value="positive", **more),
        _rule(rf"i {SOME}prefer {THING}", "The user prefers {v}.", 6, refuses=_POINTS_AT),
        _rule(
            rf"my favou?rite (?P<k>[\w -]{{2,30}}?) (?:is|are) {THING}",
            "The user's favourite {k} is {v}.",
            6,
            slot="favourite {k}",
            refuses=_POINTS_AT,
        ),
    ]


def _who() -> list[Rule]:
    return [
        _rule(
            rf"my (?:full |first |real )?name(?: is|['\u2019]s) {NAME}",
            "The user's name is {v}.",
            9,
            slot="name",
            refuses=_NO_NAME,
        ),
        _rule(
            rf"(?:please |you can |you may |just |people |everyone |friends )*calls? me {NAME}",
            "The user wants to be called {v}.",
            8,
            slot="nickname",
            refuses=_NO_NAME,
        ),
        _rule(
            rf"{I_AM} (?P<v>1?\d\d|\d)(?: years? old| years of age| y/?o)",
            "The user is {v} years old.",
            7,
            slot="age",
        ),
        _rule(
            rf"my birthday(?: is|['\u2019]s) (?:on )?{THING}",
            "The user's birthday is {v}.",
            8,
            slot="birthday",
            refuses=re.compile(
                r"^(?:soon|coming|near|today|tomorrow|next|over|in \d)", re.IGNORECASE
            ),
        ),
        _rule(
            r"i was born on (?:the )?(?P<v>[\w ,./-]{4,40}\d[\w]*)",
            "The user's birthday is {v}.",
            8,
            slot="birthday",
        ),
        _rule(rf"i was born in {THING}", "The user was born in {v}.", 6, slot="birthplace"),
        _rule(
            rf"(?:{I_AM} (?:originally )?|i (?:originally )?come )from {NAME}",
            "The user is from {v}.",
            6,
            slot="hometown",
            refuses=re.compile(r"^(?:the|a|an|here|there|your|my)\b", re.IGNORECASE),
        ),
    ]


def _home_and_work() -> list[Rule]:
    work = rf"(?:work (?:at|for|with)|{I_AM} employed (?:at|by))"
    return [
        _rule(
            rf"(?:i (?:no longer|don['\u2019]?t|do not) live in) {THING}{NO_MORE}",
            "The user no longer lives in {v}.",
            7,
            slot="home",
            negated=True,
            refuses=_NO_PLACE,
        ),
        _rule(
            rf"(?:i {SOME}live in|{I_AM} (?:now |currently )?living in|{I_AM} based in"
            rf"|(?:i|i['\u2019]ve|i have) (?:just |recently )?moved to) {THING}{TAIL}",
            "The user lives in {v}.",
            8,
            slot="home",
            refuses=_NO_PLACE,
        ),
        _rule(
            rf"i (?:no longer|don['\u2019]?t|do not) work (?:at|for) {THING}{NO_MORE}".replace(
                THING, r"(?P<v>[^,:;()]{2,80}?)"
            ),
            "The user no longer works for {v}.",
            7,
            slot="employer",
            negated=True,
            refuses=_POINTS_AT,
        ),
        _rule(
            rf"(?:i {SOME}work as|i {SOME}work for a living as) (?:an? |the )?{THING}",
            "The user works as {a} {v}.",
            7,
            slot="occupation",
        ),
        _rule(
            rf"{I_AM} (?:an? )?(?P<v>(?:[\w-]+ ){{0,3}}(?:{WORK}))"
            rf"(?: by (?:trade|profession|training))?",
            "The user is {a} {v}.",
            7,
            slot="occupation",
            refuses=re.compile(
                r"\b(?:not|no|like|such|good|bad|great|better|your|the)\b", re.IGNORECASE
            ),
        ),
        _rule(
            rf"(?:i {SOME}{work}|{I_AM} employed (?:at|by)|i (?:just |recently )?(?:started"
            rf"(?: working)?|got a job) at) {THING}{TAIL}",
            "The user works for {v}.",
            7,
            slot="employer",
            refuses=re.compile(
                _POINTS_AT.pattern + r"|^(?:night|home|weekends|fun|free|a living|hours)\b",
                re.IGNORECASE,
            ),
        ),
    ]


def _health() -> list[Rule]:
    vegan = (
        r"(?P<v>vegan|vegetarian|pescatarian|teetotal|lactose intolerant|coeliac|celiac|diabetic)"
    )
    return [
        _rule(
            rf"(?:{I_AM} not|{I_AM} no longer) allergic to {THING}{NO_MORE}",
            "The user is not allergic to {v}.",
            10,
            slot="allergy to {one}",
            value="no",
        ),
        _rule(
            rf"{I_AM} (?:severely |badly |very |slightly |also )*allergic to {THING}",
            "The user is allergic to {v}.",
            10,
            slot="allergy to {one}",
            value="yes",
        ),
        _rule(
            rf"{I_HAVE} an? (?:severe |bad |strong )?(?P<v>[\w -]{{2,30}}?) allergy",
            "The user has {a} {v} allergy.",
            10,
            slot="allergy to {one}",
            value="yes",
        ),
        _rule(
            rf"{I_AM} (?:not an? |not |no longer an? |no longer ){vegan}{NO_MORE}",
            "The user is not {v}.",
            8,
            slot="being {v}",
            value="no",
        ),
        _rule(rf"{I_AM} (?:an? )?{vegan}", "The user is {v}.", 8, slot="being {v}", value="yes"),
    ]


def _ties() -> list[Rule]:
    called = r"(?:['\u2019]s name is| is called| is named|['\u2019]s called|['\u2019]s named)"
    return [
        _rule(
            rf"my (?P<k>{ONE_OF_THEM}){called} {NAME}",
            "The name of the user's {k} is {v}.",
            7,
            slot="name of {k}",
            refuses=_NO_NAME,
        ),
        _rule(
            rf"my (?P<k>(?:older |younger |little |big )?(?:{MANY_OF_THEM})){called} {NAME}",
            "The name of the user's {k} is {v}.",
            7,
            refuses=_NO_NAME,
        ),
        _rule(
            rf"{I_HAVE} (?P<v>(?:an? |one |two |three |four |five |\d+ |no )"
            rf"(?:[\w-]+ ){{0,2}}(?:{HAD})"
            rf"(?: (?:named|called) [\w ,'\u2019-]{{2,40}})?)",
            "The user has {v}.",
            6,
        ),
        _rule(
            rf"{I_HAVE} (?P<v>diabetes|asthma|migraines|adhd|celiac disease)",
            "The user has {v}.",
            9,
        ),
        _rule(
            rf"{I_AM} (?P<v>married|single|divorced|engaged|widowed)",
            "The user is {v}.",
            6,
            slot="marital status",
        ),
    ]


def _doing() -> list[Rule]:
    return [
        _rule(
            rf"{I_AM} (?:also )?(?P<k>learning|studying) {THING}",
            "The user is {k} {v}.",
            6,
            refuses=_POINTS_AT,
        ),
        _rule(
            rf"i (?:also )?speak {NAME}(?: fluently)?",
            "The user speaks {v}.",
            6,
            refuses=re.compile(r"\b(?:to|with|for|of|about|up|out|slowly|only)\b", re.IGNORECASE),
        ),
        _rule(rf"i {SOME}play the {THING}", "The user plays the {v}.", 5),
        _rule(
            rf"(?:{I_AM} planning (?:to|on)|i (?:plan|intend|hope) to) {THING}",
            "The user plans to {v}.",
            6,
            kind="episodic",
            refuses=_POINTS_AT,
        ),
        _rule(
            rf"{I_AM} planning (?P<v>an? [^,:;]{{3,80}})",
            "The user is planning {v}.",
            6,
            kind="episodic",
        ),
        _rule(
            rf"{I_AM} going to (?P<v>[^,:;]{{2,60}} {WHEN}\b[^,:;]{{0,40}})",
            "The user is going to {v}.",
            6,
            kind="episodic",
        ),
        _rule(
            rf"{I_AM} (?P<v>(?:travell?ing|flying|moving|driving) to [^,:;]{{2,80}})",
            "The user is {v}.",
            6,
            kind="episodic",
        ),
    ]


RULES = (*_who(), *_health(), *_home_and_work(), *_opinions(), *_ties(), *_doing())
"""In this order: the first that fits is the one that counts."""
