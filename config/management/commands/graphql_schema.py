"""`manage.py graphql_schema --out schema.graphql`: the GraphQL schema as a document, for the repository."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from graphql import print_schema

from config.graphql.schema import schema


class Command(BaseCommand):
    help = "Write the GraphQL schema."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the file, such as schema.graphql")

    def handle(self, *, out: Path, **options: Any) -> None:
        out.write_text(print_schema(schema.graphql_schema), encoding="utf-8")
