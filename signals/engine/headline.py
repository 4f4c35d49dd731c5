"""A headline is data: it is cleaned, scored by the words of finance in it, and nothing in it is an instruction.

The lexicon is ours, after the categories of Loughran and McDonald (Journal of Finance 66, 2011): plain words have
other meanings in finance ("liability", "short", "crude"). Each word has a weight from -3 to 3; "not" and its like turn
the next three words, "if" and question marks halve. What has no such word says nothing: None, not zero.
"""

import re
import unicodedata
from collections.abc import Iterable
from math import tanh

LONGEST_TEXT = 300
REACH = 3  # words that a negation turns
SOFTENED = 0.5
SCALE = 3.0  # a sum of weights at which the score is tanh(1) = 0.76

LEXICON: dict[int, str] = {
    3: "surge surges surged surging soar soars soared soaring skyrocket skyrockets skyrocketed skyrocketing moons",
    2: """rally rallies rallied rallying jump jumps jumped jumping spike spikes spiked breakout bullish boom booms
    booming outperform outperforms outperformed rebound rebounds rebounded rebounding climbs climbed climb
    climbing gain gains gained gaining upgrade upgrades upgraded approval approves approved beats adoption inflows
    recover recovers recovered recovery winning triumph strong strongest stronger optimism optimistic upbeat""",
    1: """rise rises rose rising up higher high highs growth grow grows grew growing profit profits profitable buy buys
    buying bought accumulate accumulates accumulated support supports supported partnership launches positive improve
    improves improved improving confidence demand upside advances advanced edge edges inflow expands expansion
    dovish stimulus easing adopts adopt integrates lifts lifted boost boosts boosted tops eases benefit benefits""",
    -1: """fall falls fell falling down lower low lows loss losses sell sells selling sold weak weaker weakness
    decline declines declined declining risk risks concern concerns worry worries worried fear fears uncertainty
    uncertain pressure pressured negative slip slips slipped slipping dip dips dipped drag drags dragged delay delays
    delayed outflow outflows resistance cautious warning warns warned downside overvalued doubts slow slows slowing
    hawkish tightening tariff tariffs miss misses missed cut cuts retreat retreats retreated eased struggle
    struggles struggling halt halts halted pause pauses volatile""",
    -2: """drop drops dropped dropping tumble tumbles tumbled tumbling slide slides slid sink sinks sank sinking
    bearish selloff hack hacked hacks hacker hackers exploit exploited exploits lawsuit sued sues probe investigation
    ban bans banned crackdown fine fined fraud fraudulent scam scams scandal default defaults recession downgrade
    downgrades downgraded liquidation liquidations liquidated rejects rejected rejection reject stolen theft steal
    bubble crisis charges charged indicted breach shutdown layoffs outage delist delisted delists delisting underperform
    underperforms underperformed slump slumps slumped war sanctions sanctioned""",
    -3: """plunge plunges plunged plunging crash crashes crashed crashing collapse collapses collapsed collapsing
    plummet plummets plummeted plummeting bankrupt bankruptcy insolvent insolvency meltdown bloodbath capitulation
    wiped rout panic ponzi dump dumps dumped""",
}
PHRASES: dict[str, int] = {
    "all time high": 2, "all time low": -2, "sell off": -2, "sells off": -2, "bear market": -2, "bull market": 2,
    "bull run": 2, "rug pull": -3, "rate cut": 1, "rate cuts": 1, "rate hike": -1, "rate hikes": -1, "bank run": -3,
    "short squeeze": 2, "dead cat": -2, "risk on": 1, "risk off": -1, "cuts losses": 1, "pares losses": 1,
    "pares gains": -1, "wipes out": -3, "to the moon": 2, "record low": -2, "record loss": -3, "record losses": -3,
    "record outflows": -2, "record high": 2, "slows down": -1, "shuts down": -2, "breaks down": -2, "breaks out": 2,
    "break out": 2, "cuts rates": 1, "cut rates": 1, "hikes rates": -1, "hike rates": -1, "record inflows": 2,
}  # fmt: skip
NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "without",
        "cannot",
        "cant",
        "wont",
        "isnt",
        "doesnt",
        "didnt",
        "dont",
        "neither",
        "nor",
        "hardly",
        "unlikely",
        "fails",
        "fail",
        "failed",
        "denies",
        "denied",
        "despite",
        "avoid",
        "avoids",
        "avoided",
    ]
)
CONDITIONS = frozenset(["if", "could", "may", "might", "would", "whether"])
WEIGHTS = {word: weight for weight, words in LEXICON.items() for word in words.split()}
# What speaks to a model instead of a reader. Such a text is dropped as it stands: whoever wrote it wants to steer.
TO_MODELS = re.compile(
    r"(ignore|disregard|forget|override)\W+(\w+\W+){0,3}(instructions?|prompts?|rules|messages?|above)"
    r"|system\s*prompt|sentiment_score|language model|jailbreak|<\s*/?\s*(system|script|assistant|user)\b|<\|"
    r"|\byou are (now )?(an?|the) \w*\s*(ai|assistant|model|bot)\b|^\s*(system|assistant|user)\s*:|```"
    r"|\b(set|output|return|respond|answer|reply)\W+(\w+\W+){0,4}(score|json|bullish|bearish|sentiment)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[a-z]+")


def cleaned(text: object, longest: int = LONGEST_TEXT) -> str:
    """Of any value its text: one line, without control, zero-width and direction characters, of bounded length."""
    if not isinstance(text, str):
        return ""
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text[: 10 * longest]))
    kept = "".join(each for each in spaced if each == " " or unicodedata.category(each)[0] not in "CZ")
    return " ".join(kept.split())[:longest].rstrip()


def speaks_to_a_model(text: str) -> bool:
    return TO_MODELS.search(text) is not None


def score_of(text: str) -> float | None:
    """-1 (bearish) to 1 (bullish); None where no word of finance is in it, or it speaks to a model."""
    plain = cleaned(text)
    if not plain or speaks_to_a_model(plain):
        return None
    words = WORD.findall(plain.lower().replace("'", "").replace("’", ""))
    total, found, turned = 0.0, False, 0
    place = 0
    while place < len(words):
        weight, taken = _weight_at(words, place)
        if words[place] in NEGATIONS:
            turned = REACH + 1
        elif weight:
            total, found = total + (-SOFTENED * weight if turned > 0 else weight), True
        turned, place = turned - taken, place + taken
    if not found:
        return None
    if plain.endswith("?") or CONDITIONS.intersection(words):
        total *= SOFTENED
    return tanh(total / SCALE)


def mentions(text: str, names: Iterable[str]) -> bool:
    """Whether a cleaned text names one of them as a whole word: tickers in capitals, other names in any case."""
    for name in names:
        flags = re.NOFLAG if name.isupper() else re.IGNORECASE
        if re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", text, flags):
            return True
    return False


def _weight_at(words: list[str], place: int) -> tuple[int, int]:
    """The weight of the longest phrase or word that begins there, and of how many words it is."""
    for length in (3, 2):
        phrase = " ".join(words[place : place + length])
        if phrase in PHRASES:
            return PHRASES[phrase], length
    return WEIGHTS.get(words[place], 0), 1
