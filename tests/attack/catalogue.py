"""Every attack, in the order in which they come."""

from tests.attack.attack import Attack
from tests.attack.bodies import EndlessBodies, SlowBodies, SlowHeaders
from tests.attack.replays import Replays
from tests.attack.sign_ins import AdminSignIns, BadTokens, Forwarded, Guesses, Probes, SignIns
from tests.attack.sockets import DeflateBombs, Fragments, Frames, Pings, SilentSockets
from tests.attack.texts import Documents, Json, Texts

ATTACKS: tuple[type[Attack], ...] = (
    Texts, Documents, Json,
    SignIns, AdminSignIns, Guesses, BadTokens, Forwarded, Probes,
    SilentSockets, Frames, Fragments, Pings, DeflateBombs,
    SlowBodies, SlowHeaders, EndlessBodies,
    Replays,
)  # fmt: skip
NAMES = tuple(each.name for each in ATTACKS)


def chosen(names: tuple[str, ...]) -> list[Attack]:
    """Returns the attacks of those names, all of them for none, each with an address of its own."""
    return [each(number) for number, each in enumerate(ATTACKS) if not names or each.name in names]
