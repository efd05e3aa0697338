"""How passwords are hashed, and when two that were typed are the same.

**Context.** One keyboard writes é as one code point, another as e and an accent; a Japanese one writes ｐａｓｓ for
pass, and a space of its own. To who types it is one password, to a hash it is two.

**Decision.** A password is hashed in one form for all keyboards (`storage.characters.opaque`): every space of Unicode
is a plain one, as RFC 8265's OpaqueString has it, and the rest is in NFKC, which NIST SP 800-63B names. OpaqueString
itself takes NFC; that keeps full-width letters and ligatures apart, which costs people sign-ins and guessers
nothing. Case and surrounding spaces count. `User.set_password` and `check_password` see to it, through which
every door goes, Django's own forms and commands included.

**Hashes from before** are of what was typed. So a password that is not in that form, few are, is tried in it first
and as typed then; if that is right, its hash is replaced. **Whatever is refused costs the same** whether there is such
a person or not, two hashes for such a password and one for any other: for a login that is unknown a password is set on
nobody, and setting takes as many.

**So many at a time.** Each hash waits for its turn (sessions/hashing_turns.py); one too many raises `Crowded`.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher

from accounts.sessions.hashing_turns import TURNS


class OwaspArgon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane: the OWASP Password Storage Cheat Sheet's first choice.

    Django's own parameters (100 MiB, eight lanes) would let a few sign-ins at once take a
    gigabyte; PBKDF2, its default, takes half a second of a core for each.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with TURNS.turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with TURNS.turn():
            return super().verify(password, encoded)


class BroughtAlong(PBKDF2PasswordHasher):
    """Django's default, for hashes that were made elsewhere. Checking one encodes, and takes its turn so."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with TURNS.turn():
            return super().encode(password, salt, iterations)
