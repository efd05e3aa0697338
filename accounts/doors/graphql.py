"""GraphQL types of people. The packages above add what they have of a person to `User`."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple, Unpack

import graphene
from graphql import GraphQLResolveInfo

from accounts.account_cache.accounts import accounts_by_id
from accounts.doors.graphql_context import viewer_of
from accounts.doors.rest_accounts import EMAIL_CONFIRMED
from accounts.entities import Account, Viewer
from accounts.entities import Relationship as RelationshipOut
from accounts.graph import follows
from accounts.graph.counts import FOLLOWERS, FOLLOWING
from accounts.graph.kinds import FOLLOW
from accounts.graph.listings import people_pages, visible_accounts, visible_accounts_by_id
from accounts.graph.people_search import people_found
from accounts.people import selectors
from accounts.people.profiles import OwnUserOut, UserOut, own_user_out, user_out
from storage.errors import BadRequest
from storage.ids.snowflakes import created_at
from storage.ports.associations import End
from storage.redis.count_cache import counts_of_many
from storage.web.batches import Later, later
from storage.web.graphql import (
    PageArguments,
    PageInfo,
    at_most,
    connection,
    page_arguments,
    page_arguments_down,
    page_request,
)
from storage.web.paging import Page, PageRequest
from storage.web.rest import parse_id


class Identified:
    """Anyone whom a person's fields are resolved of: an author, a person in a list, oneself."""

    id: str


class Relationship(graphene.ObjectType):
    """How you stand to a person."""

    following = graphene.Boolean(required=True, description="You follow them.")
    requested = graphene.Boolean(
        required=True, description="You have asked to follow them, and they, who are protected, have not answered."
    )
    followed_by = graphene.Boolean(required=True, description="They follow you.")
    blocking = graphene.Boolean(required=True, description="You block them.")
    muting = graphene.Boolean(required=True, description="You mute them: their tweets are not in your home timeline.")


class User(graphene.ObjectType):
    """A person."""

    id = graphene.ID(required=True, description="A decimal number; newer is larger.")
    username = graphene.String(required=True, description="Unique in any case; 1 to 30 letters, digits, underscores.")
    display_name = graphene.String(required=True, description="As they want to be called.")
    bio = graphene.String(required=True, description="What they say of themselves; empty when nothing.")
    avatar_url = graphene.String(description="Their picture; null without one.")
    verified = graphene.Boolean(required=True, description="We know that it is them.")
    created_at = graphene.String(required=True, description="When they signed up: RFC 3339, UTC, milliseconds.")
    protected = graphene.Boolean(required=True, description="Their tweets are for accepted followers only.")
    email = graphene.String(description="Your own address; null of everybody else.")
    email_confirmed = graphene.Boolean(description=f"{EMAIL_CONFIRMED} Null of everybody else.")
    followers_count = graphene.Int(
        required=True, description="How many follow them. Above 10,000 it may be a minute old."
    )
    following_count = graphene.Int(required=True, description="How many they follow.")
    relationship = graphene.Field(Relationship, description="How you stand to them; null when nobody is signed in.")
    followers = graphene.Field(
        lambda: graphene.NonNull(UserConnection),
        description="Who follows them, the newest follow first, without whom you may not see.",
        **page_arguments(),
    )
    following = graphene.Field(
        lambda: graphene.NonNull(UserConnection),
        description="Whom they follow, the newest follow first, without whom you may not see.",
        **page_arguments(),
    )

    @staticmethod
    def resolve_bio(person: Identified, _info: GraphQLResolveInfo) -> str | Later:
        return person.bio if isinstance(person, UserOut) else later(_told, of=int(person.id), then=attrgetter("bio"))

    @staticmethod
    def resolve_protected(person: Identified, _info: GraphQLResolveInfo) -> bool | Later:
        if isinstance(person, UserOut):
            return person.protected
        return later(_told, of=int(person.id), then=attrgetter("protected"))

    @staticmethod
    def resolve_created_at(person: Identified, _info: GraphQLResolveInfo) -> str:
        return created_at(int(person.id))

    @staticmethod
    def resolve_email(person: Identified, info: GraphQLResolveInfo) -> str | Later | None:
        if isinstance(person, OwnUserOut):
            return person.email
        return _own(person, info, "email")

    @staticmethod
    def resolve_email_confirmed(person: Identified, info: GraphQLResolveInfo) -> bool | Later | None:
        return person.email_confirmed if isinstance(person, OwnUserOut) else _own(person, info, "email_confirmed")

    @staticmethod
    def resolve_followers_count(person: Identified, _info: GraphQLResolveInfo) -> Later:
        return later(counts_of_many, of=(FOLLOWERS, int(person.id)))

    @staticmethod
    def resolve_following_count(person: Identified, _info: GraphQLResolveInfo) -> Later:
        return later(counts_of_many, of=(FOLLOWING, int(person.id)))

    @staticmethod
    def resolve_relationship(person: Identified, info: GraphQLResolveInfo) -> Later | None:
        viewer = viewer_of(info)
        return later(_relationships, viewer.id, of=int(person.id)) if viewer is not None else None

    @staticmethod
    def resolve_followers(person: Identified, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _people_of(person, info, End.TARGET, page_request(**arguments))

    @staticmethod
    def resolve_following(person: Identified, info: GraphQLResolveInfo, **arguments: Unpack[PageArguments]) -> Later:
        return _people_of(person, info, End.SOURCE, page_request(**arguments))


class UserEdge(graphene.ObjectType):
    """A person in a list."""

    node = graphene.Field(graphene.NonNull(User), description="The person.")
    cursor = graphene.String(required=True, description="Their place in it.")


class UserConnection(graphene.ObjectType):
    """A page of people."""

    edges = graphene.List(graphene.NonNull(UserEdge), required=True, description="In the list's order.")
    page_info = graphene.Field(graphene.NonNull(PageInfo), description="Where the page stands.")


def user_connection(asked: PageRequest, page: Page[UserOut]) -> UserConnection:
    """Returns a page of people as a Relay connection."""
    made: UserConnection = connection(UserConnection, UserEdge, asked, page)
    return made


class AccountQueries:
    """The fields of people that stand in the schema's `Query`."""

    me = graphene.Field(User, description="You; null when nobody is signed in.")
    user = graphene.Field(
        User,
        username=graphene.Argument(graphene.String, required=True, description="In any case."),
        description="The person of that name; null when there is none, or you may not see them.",
    )
    users = graphene.Field(
        graphene.NonNull(graphene.List(User)),
        usernames=graphene.Argument(
            graphene.List(graphene.NonNull(graphene.String)), description="Up to 100, in any case."
        ),
        ids=graphene.Argument(graphene.List(graphene.NonNull(graphene.ID)), description="Up to 100."),
        description="The people of these names, or with these ids (give one of the two), in their order; null where "
        "`user` is.",
    )

    search_users = graphene.Field(
        graphene.NonNull(lambda: UserConnection),
        q=graphene.Argument(graphene.String, required=True, description="What a name begins with."),
        **page_arguments_down(),
        description="People whose username or display name begins so, in any case: whom you follow first, then by "
        "username, then by display name.",
    )

    @staticmethod
    def resolve_search_users(
        _root: None, info: GraphQLResolveInfo, q: str, **arguments: Unpack[PageArguments]
    ) -> UserConnection:
        asked = page_request(**arguments)
        return user_connection(asked, people_found(q, viewer_of(info), asked))

    @staticmethod
    def resolve_me(_root: None, info: GraphQLResolveInfo) -> UserOut | None:
        viewer = viewer_of(info)
        return user_out(viewer.account) if viewer is not None else None

    @staticmethod
    def resolve_user(_root: None, info: GraphQLResolveInfo, username: str) -> Later:
        return later(_people_by_name, viewer_of(info), of=username)

    @staticmethod
    def resolve_users(
        _root: None, info: GraphQLResolveInfo, usernames: list[str] | None = None, ids: list[str] | None = None
    ) -> list[UserOut | None]:
        if ids is not None and usernames is None:
            wanted = [parse_id(each) for each in at_most(ids, "ids")]
            return _shown(visible_accounts_by_id(wanted, viewer_of(info)))
        if usernames is None or ids is not None:
            raise BadRequest("Say who by usernames or by ids: one of the two.", code="bad_look_up")
        return _shown(visible_accounts(at_most(usernames, "usernames"), viewer_of(info)))


def _people_of(person: Identified, info: GraphQLResolveInfo, end: End, asked: PageRequest) -> Later:
    return later(_follow_pages, end, viewer_of(info), asked, of=int(person.id), then=partial(user_connection, asked))


def _follow_pages(
    people: Collection[int], end: End, viewer: Viewer | None, asked: PageRequest
) -> Mapping[int, Page[UserOut] | Exception]:
    return people_pages(people, FOLLOW, end, viewer, asked)


def _people_by_name(usernames: Collection[str], viewer: Viewer | None) -> dict[str, UserOut | None]:
    names = list(usernames)
    return dict(zip(names, _shown(visible_accounts(names, viewer)), strict=True))


def _shown(people: Sequence[Account | None]) -> list[UserOut | None]:
    return [user_out(each) if each is not None else None for each in people]


class _Told(NamedTuple):
    """What is told of a person whose account has to be looked up; of nobody nothing."""

    bio: str = ""
    protected: bool = False


def _told(people: Collection[int]) -> dict[int, _Told]:
    found = accounts_by_id(people)
    told = {each: _Told(account.bio, bool(account.protected)) for each, account in found.items()}
    return {each: told.get(each, _Told()) for each in people}


def _own(person: Identified, info: GraphQLResolveInfo, field: str) -> Later | None:
    """A field that only the person themselves may see."""
    viewer = viewer_of(info)
    is_own = viewer is not None and int(person.id) == viewer.id
    return later(_own_accounts, of=int(person.id), then=attrgetter(field)) if is_own else None


def _own_accounts(people: Collection[int]) -> dict[int, OwnUserOut]:
    return {each: own_user_out(selectors.get_user(each)) for each in people}


def _relationships(people: Collection[int], viewer_id: int) -> dict[int, RelationshipOut]:
    return follows.relationships(viewer_id, people)
