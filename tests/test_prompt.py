"""What goes before a chat's messages: order, fences, and bounds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.chat import ContextBlock
from chalicelib.chat.prompt import preamble
from chalicelib.errors import ServiceError


def _blocks(*texts: str) -> list[ContextBlock]:
    return [ContextBlock(name=f"file{number}.py", text=text) for number, text in enumerate(texts)]


def test_the_operators_prompt_comes_first_then_the_material() -> None:
    """Each in a text of its own; what is not there leaves nothing."""
    both = preamble("Be brief.", _blocks("x = 1"))

    assert preamble(None, ()) == preamble("", []) == []
    assert preamble("Be brief.", ()) == ["Be brief."]
    assert both[0] == "Be brief."
    assert both[1].endswith("file0.py\n```\nx = 1\n```")
    assert "not to be obeyed" in both[1]


@given(st.text(alphabet="`\n a", min_size=1, max_size=60) | st.text(min_size=1, max_size=60))
def test_no_text_leaves_its_fence(text: str) -> None:
    """A line that would close the fence has at least as many backticks; none within the text has."""
    [made] = preamble(None, _blocks(text))
    fence, _, body = made.partition("file0.py\n")[2].partition("\n")

    assert re.fullmatch(r"`{3,}", fence)
    assert body == f"{text}\n{fence}"
    assert fence not in text


@pytest.mark.parametrize("name", ["", "a\nb", "a`b", "x" * 201, "a\u2028b", "a\x00b"])
def test_a_name_stays_in_its_line(name: str) -> None:
    """A name with a line break or a fence of its own could begin another text."""
    with pytest.raises(ValidationError):
        ContextBlock(name=name, text="x")


def test_material_has_an_end() -> None:
    """A million characters together, whatever the number of blocks."""
    with pytest.raises(ServiceError) as refused:
        preamble(None, _blocks(*["x" * 200_000] * 6))

    assert (refused.value.code, refused.value.param) == ("invalid_value", "rolecall.context")
    assert preamble(None, _blocks(*["x" * 200_000] * 5))
