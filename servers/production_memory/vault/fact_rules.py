"""The rules by which facts are found: patterns of clauses in the first person. Pure.

In a pattern, `v` is the value and `k` what it is a value of. Importance is 1 to 10: what hurts if
it is forgotten has 10 (allergies), who somebody is 7 to 9, tastes and ties 5 to 7.
"""

import re

from servers.production_memory.vault.fact_patterns import (
    HAD,
    I_AM,
    I_HAVE,
    MANY_OF_THEM,
    NAME,
    NO_MORE,
    NO_NAME,
    NO_PLACE,
    ONE_OF_THEM,
    POINTS_AT,
    SOME,
    TAIL,
    THING,
    WHEN,
    WORK,
    Rule,
    rule,
)


def _opinions() -> list[Rule]:
    """One has one opinion of a thing at a time."""
    likes = rf"i {SOME}(?:like|love|enjoy|adore) {THING}"
    hates = (
        rf"i {SOME}(?:hate|dislike|detest|can['\u2019]?t stand|cannot stand"
        rf"|(?:don['\u2019]?t|do not) (?:really )?(?:like|enjoy)|no longer (?:like|love|enjoy))"
        rf" {THING}{NO_MORE}"
    )
    more = {"slot": "opinion of {v}", "refuses": POINTS_AT}
    return [
        rule(hates, "The user does not like {v}.", 5, value="negative", **more),
        rule(likes, "The user likes {v}.", 5, value="positive", **more),
        rule(rf"i {SOME}prefer {THING}", "The user prefers {v}.", 6, refuses=POINTS_AT),
        rule(
            rf"my favou?rite (?P<k>[\w -]{{2,30}}?) (?:is|are) {THING}",
            "The user's favourite {k} is {v}.",
            6,
            slot="favourite {k}",
            refuses=POINTS_AT,
        ),
    ]


def _who() -> list[Rule]:
    return [
        rule(
            rf"my (?:full |first |real )?name(?: is|['\u2019]s) {NAME}",
            "The user's name is {v}.",
            9,
            slot="name",
            refuses=NO_NAME,
        ),
        rule(
            rf"(?:please |you can |you may |just |people |everyone |friends )*calls? me {NAME}",
            "The user wants to be called {v}.",
            8,
            slot="nickname",
            refuses=NO_NAME,
        ),
        rule(
            rf"{I_AM} (?P<v>1?\d\d|\d)(?: years? old| years of age| y/?o)",
            "The user is {v} years old.",
            7,
            slot="age",
        ),
        rule(
            rf"my birthday(?: is|['\u2019]s) (?:on )?{THING}",
            "The user's birthday is {v}.",
            8,
            slot="birthday",
            refuses=re.compile(
                r"^(?:soon|coming|near|today|tomorrow|next|over|in \d)", re.IGNORECASE
            ),
        ),
        rule(
            r"i was born on (?:the )?(?P<v>[\w ,./-]{4,40}\d[\w]*)",
            "The user's birthday is {v}.",
            8,
            slot="birthday",
        ),
        rule(rf"i was born in {THING}", "The user was born in {v}.", 6, slot="birthplace"),
        rule(
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
        rule(
            rf"(?:i (?:no longer|don['\u2019]?t|do not) live in) {THING}{NO_MORE}",
            "The user no longer lives in {v}.",
            7,
            slot="home",
            negated=True,
            refuses=NO_PLACE,
        ),
        rule(
            rf"(?:i {SOME}live in|{I_AM} (?:now |currently )?living in|{I_AM} based in"
            rf"|(?:i|i['\u2019]ve|i have) (?:just |recently )?moved to) {THING}{TAIL}",
            "The user lives in {v}.",
            8,
            slot="home",
            refuses=NO_PLACE,
        ),
        rule(
            rf"i (?:no longer|don['\u2019]?t|do not) work (?:at|for) {THING}{NO_MORE}".replace(
                THING, r"(?P<v>[^,:;()]{2,80}?)"
            ),
            "The user no longer works for {v}.",
            7,
            slot="employer",
            negated=True,
            refuses=POINTS_AT,
        ),
        rule(
            rf"(?:i {SOME}work as|i {SOME}work for a living as) (?:an? |the )?{THING}",
            "The user works as {a} {v}.",
            7,
            slot="occupation",
        ),
        rule(
            rf"{I_AM} (?:an? )?(?P<v>(?:[\w-]+ ){{0,3}}(?:{WORK}))"
            rf"(?: by (?:trade|profession|training))?",
            "The user is {a} {v}.",
            7,
            slot="occupation",
            refuses=re.compile(
                r"\b(?:not|no|like|such|good|bad|great|better|your|the)\b", re.IGNORECASE
            ),
        ),
        rule(
            rf"(?:i {SOME}{work}|{I_AM} employed (?:at|by)|i (?:just |recently )?(?:started"
            rf"(?: working)?|got a job) at) {THING}{TAIL}",
            "The user works for {v}.",
            7,
            slot="employer",
            refuses=re.compile(
                POINTS_AT.pattern + r"|^(?:night|home|weekends|fun|free|a living|hours)\b",
                re.IGNORECASE,
            ),
        ),
    ]


def _health() -> list[Rule]:
    vegan = (
        r"(?P<v>vegan|vegetarian|pescatarian|teetotal|lactose intolerant|coeliac|celiac|diabetic)"
    )
    return [
        rule(
            rf"(?:{I_AM} not|{I_AM} no longer) allergic to {THING}{NO_MORE}",
            "The user is not allergic to {v}.",
            10,
            slot="allergy to {one}",
            value="no",
        ),
        rule(
            rf"{I_AM} (?:severely |badly |very |slightly |also )*allergic to {THING}",
            "The user is allergic to {v}.",
            10,
            slot="allergy to {one}",
            value="yes",
        ),
        rule(
            rf"{I_HAVE} an? (?:severe |bad |strong )?(?P<v>[\w -]{{2,30}}?) allergy",
            "The user has {a} {v} allergy.",
            10,
            slot="allergy to {one}",
            value="yes",
        ),
        rule(
            rf"{I_AM} (?:not an? |not |no longer an? |no longer ){vegan}{NO_MORE}",
            "The user is not {v}.",
            8,
            slot="being {v}",
            value="no",
        ),
        rule(rf"{I_AM} (?:an? )?{vegan}", "The user is {v}.", 8, slot="being {v}", value="yes"),
    ]


def _ties() -> list[Rule]:
    called = r"(?:['\u2019]s name is| is called| is named|['\u2019]s called|['\u2019]s named)"
    return [
        rule(
            rf"my (?P<k>{ONE_OF_THEM}){called} {NAME}",
            "The name of the user's {k} is {v}.",
            7,
            slot="name of {k}",
            refuses=NO_NAME,
        ),
        rule(
            rf"my (?P<k>(?:older |younger |little |big )?(?:{MANY_OF_THEM})){called} {NAME}",
            "The name of the user's {k} is {v}.",
            7,
            refuses=NO_NAME,
        ),
        rule(
            rf"{I_HAVE} (?P<v>(?:an? |one |two |three |four |five |\d+ |no )"
            rf"(?:[\w-]+ ){{0,2}}(?:{HAD})"
            rf"(?: (?:named|called) [\w ,'\u2019-]{{2,40}})?)",
            "The user has {v}.",
            6,
        ),
        rule(
            rf"{I_HAVE} (?P<v>diabetes|asthma|migraines|adhd|celiac disease)",
            "The user has {v}.",
            9,
        ),
        rule(
            rf"{I_AM} (?P<v>married|single|divorced|engaged|widowed)",
            "The user is {v}.",
            6,
            slot="marital status",
        ),
    ]


def _doing() -> list[Rule]:
    return [
        rule(
            rf"{I_AM} (?:also )?(?P<k>learning|studying) {THING}",
            "The user is {k} {v}.",
            6,
            refuses=POINTS_AT,
        ),
        rule(
            rf"i (?:also )?speak {NAME}(?: fluently)?",
            "The user speaks {v}.",
            6,
            refuses=re.compile(r"\b(?:to|with|for|of|about|up|out|slowly|only)\b", re.IGNORECASE),
        ),
        rule(rf"i {SOME}play the {THING}", "The user plays the {v}.", 5),
        rule(
            rf"(?:{I_AM} planning (?:to|on)|i (?:plan|intend|hope) to) {THING}",
            "The user plans to {v}.",
            6,
            kind="episodic",
            refuses=POINTS_AT,
        ),
        rule(
            rf"{I_AM} planning (?P<v>an? [^,:;]{{3,80}})",
            "The user is planning {v}.",
            6,
            kind="episodic",
        ),
        rule(
            rf"{I_AM} going to (?P<v>[^,:;]{{2,60}} {WHEN}\b[^,:;]{{0,40}})",
            "The user is going to {v}.",
            6,
            kind="episodic",
        ),
        rule(
            rf"{I_AM} (?P<v>(?:travell?ing|flying|moving|driving) to [^,:;]{{2,80}})",
            "The user is {v}.",
            6,
            kind="episodic",
        ),
    ]


RULES = (*_who(), *_health(), *_home_and_work(), *_opinions(), *_ties(), *_doing())
"""In this order: the first that fits is the one that counts."""
