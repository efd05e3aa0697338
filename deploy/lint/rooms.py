"""A contract for import-linter: what only some rooms may know.

    type = "rooms"
    known = ["rest_framework", …]      external packages
    rooms = ["*.doors", "config", …]   modules, each with all that stands below it

It is kept when no module outside the rooms imports one of `known`, directly or by way of others. The rooms are
listed and not what stands outside, so that a new module is guarded from its first line on. A way that leads through a
room counts as well: who imports a door knows the door's framework. For what is only to be imported directly by few,
there is import-linter's own `protected`.
"""

from importlib.util import find_spec
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules
from importlinter.domain.imports import ModuleExpression

Chain = tuple[str, ...]


class RoomsContract(Contract):
    """Is kept when `known` is known in `rooms` only; a package that nothing imports is known nowhere."""

    type_name = "rooms"

    known = fields.ListField(subfield=fields.StringField())
    rooms = fields.ListField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Returns, as `chains`, one shortest way from each module outside to each package. Raises `ValueError` for a
        room that is not there."""
        rooms = module_expressions_to_modules(
            graph, cast(list[ModuleExpression], self.rooms), as_packages=True, raise_if_unmatched=True
        )
        inside = {module.name for module in rooms}
        unknown = [each for each in cast(list[str], self.known) if not _is_installed(each)]
        if unknown:
            raise ValueError(f"no such package: {', '.join(unknown)}")
        chains = [
            chain
            for package in cast(list[str], self.known)
            if package in graph.modules
            for module in sorted(graph.find_downstream_modules(package) - inside)
            if (chain := graph.find_shortest_chain(module, package)) is not None
        ]
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints each chain."""
        chains: list[Chain] = check.metadata["chains"]
        for module, *rest in chains:
            output.print_error(f"{module} is in no room for {rest[-1]}, and imports it:", bold=False)
            output.print_error("    " + " -> ".join([module, *rest]), bold=False)
            output.new_line()


def _is_installed(package: str) -> bool:
    """Returns whether there is such a package at all: a name with a slip in it would guard nothing."""
    return find_spec(package) is not None
