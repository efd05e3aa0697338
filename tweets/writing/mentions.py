"""Whom a new tweet mentions. Told when it is posted, and kept with it: a name that changes hands later does not."""

from msgspec import structs

from accounts.people.names import ids_by_name
from tweets.entities import Entities


def with_people(entities: Entities) -> Entities:
    """Returns the entities with the ids of those who are mentioned, in force as of now.

    One look-up of all names (`ids_by_name`), of which a text that may be posted has 93 at most.
    """
    ids = ids_by_name({each.username for each in entities.mentions})
    people = {name: str(user_id) for name, user_id in ids.items()}
    mentions = tuple(structs.replace(each, id=people.get(each.username.lower())) for each in entities.mentions)
    return structs.replace(entities, mentions=mentions)
