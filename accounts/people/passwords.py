"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class OwaspArgon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane: the OWASP Password Storage Cheat Sheet's first choice.

    Django's own parameters (100 MiB, eight lanes) would let a few sign-ins at once take a
    gigabyte; PBKDF2, its default, takes half a second of a core for each.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
