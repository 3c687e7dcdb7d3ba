"""What the rules of facts are made of: pieces of patterns, and what no value is. Pure."""

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

POINTS_AT = re.compile(
    r"^(?:it|this|that|these|those|them|you|your|yours|him|her|how|what|when|where|why|who|the idea"
    r"|the way|the look|the sound|to know|to see that|everything|nothing|something|anything|all)\b",
    re.IGNORECASE,
)
NO_NAME = re.compile(
    r"\b(?:later|back|when|if|at|on|a|an|the|crazy|tomorrow|today|now|again|anytime|whatever|what"
    r"|not|so|just|in|by|for|old|names?|maybe|out|up|stupid|is|are|was|very|secret|hidden|unknown)\b",
    re.IGNORECASE,
)
NO_PLACE = re.compile(
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


def rule(pattern: str, says: str, importance: int, **more: object) -> Rule:
    """The rule of a pattern, in whatever case."""
    return Rule(re.compile(pattern, re.IGNORECASE), says, importance, **more)  # type: ignore[arg-type]
