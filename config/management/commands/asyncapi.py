"""`manage.py asyncapi`: writes the AsyncAPI document of the live feed, as it is committed."""

from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandParser

from config.http.asyncapi import asyncapi_document
from config.http.pages import openapi_document


class Command(BaseCommand):
    help = "Writes the AsyncAPI document of the live feed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="where to; standard output if it is not given")

    def handle(self, *_: Any, file: Path | None = None, **__: Any) -> None:
        document = msgspec.json.encode(asyncapi_document(msgspec.json.decode(openapi_document())))
        text = msgspec.json.format(document, indent=2).decode() + "\n"
        if file is None:
            self.stdout.write(text, ending="")
        else:
            file.write_text(text)
