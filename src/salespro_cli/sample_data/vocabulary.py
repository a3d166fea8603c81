"""Names, results, people and ids of the sample exports.

A word that is listed twice is twice as likely.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

# fmt: off
FIRST_NAMES = (
    "James", "Mary", "José", "Linda", "Robert", "Patricia", "Michael", "Jennifer",
    "William", "Elizabeth", "David", "Barbara", "Richard", "Susan", "Andre", "Jessica",
    "Thomas", "Sarah", "Charles", "Karen", "Christopher", "Lisa", "Daniel", "Nancy",
    "Matthew", "Betty", "Anthony", "Margaret", "Mark", "Sandra", "Donald", "Ashley",
    "Steven", "Kimberly", "Paul", "Emily", "Andrew", "Donna", "Joshua", "Michelle",
    "Kenneth", "Carol", "Kevin", "Amanda", "Brian", "Dorothy", "George", "Melissa",
    "Timothy", "Deborah", "Ronald", "Stephanie", "Edward", "Rebecca", "Jason", "Sharon",
    "Jeffrey", "Laura", "Ryan", "Cynthia", "Jacob", "Kathleen", "Gary", "Amy",
    "Nicholas", "Angela", "Eric", "Shirley", "Jonathan", "Anna", "Stephen", "Brenda",
    "Larry", "Pamela", "Justin", "Emma", "Scott", "Nicole", "Brandon", "Helen",
    "Benjamin", "Samantha", "Samuel", "Katherine", "Gregory", "Christine", "Alexander",
    "Debra", "Patrick", "Rachel", "Jesús", "Carolyn", "Dennis", "Janet", "Jerome",
    "María", "Tyler", "Olivia", "Aaron", "Heather", "Adrián", "Keisha", "Terrence",
    "Zoë", "Luis", "Mei", "Rajesh", "Priya", "Hector", "Renée", "Darnell", "Fatima",
    "Minh", "Sofía", "Omar", "Mary Ann", "Malik", "Siobhan", "Jean-Paul", "Chloe",
)
LAST_NAMES = (
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis",
    "Rodriguez", "Martinez", "Hernandez", "Lopez", "Gonzalez", "Wilson", "Anderson",
    "Thomas", "Taylor", "Moore", "Jackson", "Martin", "Lee", "Perez", "Thompson",
    "White", "Harris", "Sanchez", "Clark", "Ramirez", "Lewis", "Robinson", "Walker",
    "Young", "Allen", "King", "Wright", "Scott", "Torres", "Nguyen", "Hill", "Flores",
    "Green", "Adams", "Nelson", "Baker", "Hall", "Rivera", "Campbell", "Mitchell",
    "Carter", "Roberts", "Gomez", "Phillips", "Evans", "Turner", "Diaz", "Parker",
    "Cruz", "Edwards", "Collins", "Reyes", "Stewart", "Morris", "Morales", "Murphy",
    "Cook", "Rogers", "Gutierrez", "Ortiz", "Morgan", "Cooper", "Peterson", "Bailey",
    "Reed", "Kelly", "Howard", "Ramos", "Kim", "Cox", "Ward", "Richardson", "Watson",
    "Brooks", "Chavez", "Wood", "Bennett", "Gray", "Mendoza", "Ruiz", "Hughes", "Price",
    "Alvarez", "Castillo", "Sanders", "Patel", "Myers", "Long", "Ross", "Foster",
    "Jimenez", "Powell", "Jenkins", "Perry", "Russell", "Sullivan", "Bell", "Coleman",
    "Butler", "Henderson", "Barnes", "Fisher", "Vasquez", "Simmons", "Romero", "Jordan",
    "Patterson", "Hamilton", "Graham", "Washington", "Schwartz", "Kowalski", "Chen",
    "Núñez", "Muñoz", "Peña", "Ibáñez", "García-López", "Müller", "Château", "Lindström",
    "O'Brien", "O'Connor", "O'Neill", "D'Angelo", "D'Amico", "M'Bala", "McCarthy",
    "MacDonald", "Smith-Jones", "Taylor-Reed", "Hart-Nowak", "Ortega-Cruz", "De La Cruz",
    "Van Dyke", "St. John", "Di Stefano", "Singh", "Hassan", "Okafor", "Tran", "Yamamoto",
)
PRODUCTS = (
    "Windows", "Windows", "Windows", "Roof", "Roof", "Siding", "Siding", "Gutters",
    "Bath", "Bath", "Kitchen", "Doors", "Entry Door", "Deck", "Insulation", "Windows & Doors",
)
# The last office has no id in the exports: it is a call center without sales reps.
OFFICES = (
    "Baltimore", "Richmond", "Philadelphia", "Pittsburgh", "Charlotte", "Virginia Beach",
    "Harrisburg", "Call Center",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Saturday", "next week", "in July")
# fmt: on

# A result may name the {product}, a {day} and a {count}. The results of sales start with
# "Sold", and no others do, so the text never contradicts isSale.
SALE_RESULTS = (
    *["Sold"] * 26,
    *["Sold - Financed"] * 7,
    *["Sold - Cash"] * 4,
    *["Sold, pending credit approval"] * 3,
    *[""] * 2,
    "Sold {product}, {count} openings, white, install {day}",
    "Sold {product}, deposit by check, balance on completion",
    'Sold with "Platinum" warranty, {product}, {count}% discount',
    'Sold. Customer said "best demo we had", referral promised',
    "Sold\nMeasure: {day}\nHOA approval needed",
    'Sold - Financed, 120 months\r\nCo-signer to sign {day}, gate code "{count}#"',
)
NO_SALE_RESULTS = (
    *["Demo - No Sale"] * 26,
    *["Not Home"] * 12,
    *["Cancelled at door"] * 8,
    *["No Demo - One Leg"] * 6,
    *["Rescheduled"] * 5,
    *["Credit Decline"] * 3,
    *["Not Interested"] * 3,
    *["Demo - Follow Up"] * 4,
    *[""] * 5,
    "Demo - No Sale, price too high, getting {count} more bids",
    "Demo - No Sale, spouse was not there, call back {day}",
    "Wants {product} only, not the whole house; follow up {day}",
    "Rescheduled by customer, {day} after {count} pm",
    "Remodel already under contract elsewhere, would not let us in",
    'Demo - No Sale. Said "need to think about it", left quote',
    'Has a quote from "the other guys", {count}% lower',
    'Windows 60 ½" x 36" out of range, manager to call',
    "Demo - No Sale\nWants {product} in spring\nCall back {day}",
    "Not Home\r\nLeft card, knocked {count} times",
    'Cancelled at door\nWife: "we never made this appointment", rude',
)


@dataclass(frozen=True, slots=True)
class Person:
    """An invented user of SalesPro."""

    first: str
    last: str
    email: str


def person(index: int) -> Person:
    """The user with this index; every index has a different email."""
    turn, first_index = divmod(index, len(FIRST_NAMES))
    suffix, turn = divmod(turn, len(LAST_NAMES))
    first = FIRST_NAMES[first_index]
    # The stride avoids pairs of the most common first name and the most common last name.
    last = LAST_NAMES[(53 * first_index + turn + 31) % len(LAST_NAMES)]
    plain = unicodedata.normalize("NFKD", f"{first}.{last}").lower()
    address = re.sub("[^a-z.-]", "", plain) + str(suffix or "")
    return Person(first, last, f"{address}@example.com")


REPS = tuple(person(index) for index in range(60))
# Real exports spell an address in different cases; joins ignore the case.
_SPELLINGS: tuple[Callable[[str], str], ...] = (*[str.lower] * 18, str.title, str.upper)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HALF = 62**5


def repeatable(seed: int | str) -> Random:
    """A random generator that repeats for the same seed."""
    return Random(seed)  # noqa: S311 -- not for secrets


def result_and_customer(rng: Random, *, is_sale: bool) -> list[str]:
    """Result, last and first name of the customer, and estimate; each may be empty."""
    product, last = rng.choice(PRODUCTS), rng.choice(LAST_NAMES)
    result = rng.choice(SALE_RESULTS if is_sale else NO_SALE_RESULTS)
    first = rng.choice(FIRST_NAMES)
    return [
        result.format(
            product=product.lower(),
            day=rng.choice(DAYS),
            count=rng.randrange(2, 9),
        ),
        last,
        rng.choice((*[first] * 22, f"{first} & {rng.choice(FIRST_NAMES)}", "")),
        rng.choice((*[f"{product} - {last}"] * 6, product, "", "")),
    ]


def rep(rng: Random) -> list[str]:
    """Email, first and last name of a rep; some reps occur more often than others."""
    chosen = REPS[int(len(REPS) * rng.random() ** 1.5)]
    return [rng.choice(_SPELLINGS)(chosen.email), chosen.first, chosen.last]


def object_ids(count: int, key: str) -> Iterator[str]:
    """Ids in SalesPro's form; all ids of one key are different.

    A Feistel network permutes all 62**10 ids, so no id has to be stored.
    """
    rounds = [repeatable(f"{key} {number}").getrandbits(64) | 1 for number in range(4)]
    for index in range(count):
        left, right = divmod(index, _HALF)
        for factor in rounds:
            left, right = right, (left + ((right + 1) * factor >> 24)) % _HALF
        yield _base62(left) + _base62(right)


def _base62(number: int) -> str:
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, 62)
        digits += _ALPHABET[digit]
    return digits
