"""The wizard's words: every language whole, every text used, none written elsewhere."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.web.person import WEB, words

LANGUAGES = sorted(path.stem for path in WEB.glob("??.js"))
CODE = {path.name: path.read_text(encoding="utf-8") for path in WEB.glob("*.js") if path.stem not in LANGUAGES}
ENGLISH = words("en")
PAIRED = ".one", ".other"
_CALL = re.compile(r"""\b(?:t|rich|known|counted|countDown|wrong)\(\s*(?:[\w.]+, )?(?:"([^"]+)"|`([^`]+)`)""")
_OTHER_USES = re.compile(r"""(?:[?:]|key:|note:|=)\s*(?:"([a-z]+(?:\.\w+)+)"|`([a-z]+\.[\w.${}]+)`)""")
_TERNARY = re.compile(r"""\b(?:t|known)\([^"`()]*\?\s*"([^"]+)"\s*:\s*"([^"]+)\"""")


def _used() -> tuple[set[str], list[re.Pattern[str]]]:
    """Return the keys that the code names, and patterns of those that it makes from a value."""
    exact: set[str] = set()
    made: list[re.Pattern[str]] = []
    for name, text in CODE.items():
        if name == "i18n.js":
            continue  # it makes keys of whatever it is given
        found = ["".join(pair) for pair in (*_CALL.findall(text), *_OTHER_USES.findall(text))]
        found += [key for pair in _TERNARY.findall(text) for key in pair]
        for key in found:
            if "${" in key:
                parts = re.split(r"\$\{[^}]*\}", key)
                # A value fills one place of a key; a whole key handed on may have several.
                filled = r"\w+" if parts[0] else r"[\w.]+"
                made.append(re.compile(filled.join(map(re.escape, parts))))
            else:
                exact.add(key)
    return exact, made


def test_every_language_has_the_same_keys() -> None:
    """A text that is missing in one language would be missed only by those who read it."""
    for language in LANGUAGES:
        assert words(language).keys() == ENGLISH.keys(), language


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_stands_twice(language: str) -> None:
    """The second of two would win, and the first be edited in vain."""
    group, seen = "", Counter[str]()
    for line in (WEB / f"{language}.js").read_text(encoding="utf-8").splitlines():
        if opened := re.match(r'  "([^"]+)": \{', line):
            group = opened[1]
            seen[group] += 1
        elif named := re.match(r'    "([^"]*)":', line):
            seen[f"{group}.{named[1]}"] += 1

    assert [key for key, times in seen.items() if times > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_have_the_same_places_to_fill(language: str) -> None:
    """A name in braces that one language lacks or misspells would be shown as it stands."""
    places = {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in words(language).items()}

    assert places == {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in ENGLISH.items()}


def test_every_text_that_is_asked_for_is_there() -> None:
    """A key that the code names and no language has would stop the page."""
    exact, _ = _used()
    missing = {key for key in exact if key not in ENGLISH and key + PAIRED[0] not in ENGLISH}

    assert {key for key in missing if key.partition(".")[0] in {name.partition(".")[0] for name in ENGLISH}} == set()
    assert len(exact) > 150


def test_every_text_is_used() -> None:
    """What nothing shows is not kept, nor translated."""
    exact, made = _used()

    def is_used(key: str) -> bool:
        bare = key.removesuffix(PAIRED[0]).removesuffix(PAIRED[1])
        return key in exact or bare in exact or any(pattern.fullmatch(key) for pattern in made)

    assert [key for key in ENGLISH if not is_used(key)] == []


def test_no_text_is_written_elsewhere() -> None:
    """Modules hold no words of their own: two words in a row within quotation marks are a text that escaped."""
    for name, code in CODE.items():
        bare = re.sub(r"^\s*(//|/\*\*|\*).*$", "", code, flags=re.MULTILINE)
        quoted = re.findall(r'"((?:\\.|[^"\\\n])*)"|`[^`\n]*`', bare)
        # Classes, rel and the like are lower case; a text begins with a capital or ends with a stop.
        shown = [text for text in quoted if re.search(r"^[A-Z][a-z]+ [a-z]|[a-z] [a-z].*[.!?]$", text)]
        assert shown == [], name


def test_no_colon_is_written_elsewhere() -> None:
    """French has a space before it: what is named and what it is are put together by the words' own `label`."""
    styles = {path.name: path.read_text(encoding="utf-8") for path in WEB.glob("*.css")}
    assert styles
    for name, code in (CODE | styles).items():
        bare = re.sub(r"^\s*(//|/\*\*|\*).*$", "", code, flags=re.MULTILINE)
        assert re.findall(r'(?<=\s)": ?"|\}: ', bare) == [], name
