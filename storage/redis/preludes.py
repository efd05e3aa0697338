"""Preludes: what several Lua scripts share, joined in front of each.

Redis makes every function of a script anew at each call, at some 0.15 µs, so of a prelude only those
paragraphs are joined that the script needs.
"""

import re

DEFINED = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
"""The names that a paragraph of a prelude defines."""


def joined(prelude: str, script: str) -> str:
    """The script behind those paragraphs of the prelude whose names it uses, itself or through another paragraph.

    From the last to the first, since Lua knows a local only below its definition. A name in a
    comment counts, too.
    """
    for paragraph in reversed(prelude.split("\n\n")):
        names = {name for names in DEFINED.findall(paragraph) for name in names.split(", ")}
        if names & set(re.findall(r"\w+", script)):
            script = f"{paragraph.rstrip()}\n\n{script}"
    return script
