"""The matcher of stars and question marks, held against regular expressions."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.trust.patterns import compile_pattern, literal, matches

FEW = st.text(alphabet="ab*?", max_size=9)


@settings(max_examples=500, deadline=None)
@example("a*a", "a")
@example("ab*ba", "aba")
@given(FEW, FEW)
def test_a_pattern_means_what_the_regular_expression_means(pattern: str, text: str) -> None:
    """A star is any number of characters, a question mark one, and all else itself."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    compiled = compile_pattern(pattern, {}, variables=False)

    assert compiled is not None
    assert matches(compiled, text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


@settings(max_examples=200, deadline=None)
@given(FEW, FEW, FEW, FEW)
def test_a_variables_value_has_no_wildcards(before: str, value: str, after: str, text: str) -> None:
    """What came out of a variable is compared as it is, beside a policy's own wildcards."""
    keys = {"aws:username": (value,)}
    compiled = compile_pattern(f"{before}${{aws:username}}{after}", keys, variables=True)
    parts = [
        "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in part)
        for part in (before, after)
    ]

    assert compiled is not None
    assert matches(compiled, text) == (re.fullmatch(re.escape(value).join(parts), text, re.DOTALL) is not None)
    assert literal(f"{before}${{aws:username}}{after}", keys, variables=True) == before + value + after
