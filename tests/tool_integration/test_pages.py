"""The text of pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from servers.tool_integration.built_in.pages import decoded, read

SITE = URL("https://site.example/a/b")


def text_of(html: str) -> str:
    return read(html, SITE, links=False).text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One <b>bold</b> word</p><p>Two</p>", "One bold word\nTwo"),
        ("<h1>Head</h1><ul><li>a<li>b</ul>", "Head\n\na\nb"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1\n2\n\n3"),
        ("a<br>b", "a\nb"),
        ("<p>&lt;b&gt; &amp; &copy;</p>", "<b> & ©"),
        ("<body><script>x()</script><style>p{}</style>word", "word"),
        ("no html at all", "no html at all"),
        ("", ""),
        ("<title>only</title>", ""),
    ],
)
def test_blocks_are_lines(html: str, text: str) -> None:
    assert text_of(html).replace("\n\n", "\n") == text.replace("\n\n", "\n")


def test_what_a_page_is_about_is_preferred_to_what_is_around_it() -> None:
    """Where it has enough of it."""
    long = "Words that matter. " * 20
    page = f"<header>Site</header><nav>Menu</nav><main>{long}</main><footer>Law</footer>"
    assert text_of(page) == long.strip()
    assert "Around" in text_of("<main>Short</main><div>Around</div>")


@pytest.mark.parametrize(
    "piece",
    [
        *("<div>", "<b x=1><object></b>", "<table><b>x", "<a b='", '<a "', '<a b="1', "<!--"),
        *("<", "</", "&", "&#x;", "<script>", "<p hidden>", "<svg><g>", "<![CDATA[", "<?", "&#9"),
    ],
)
def test_a_hostile_page_takes_no_longer_than_another(piece: str) -> None:
    """Whatever it nests or leaves open, each character is looked at a few times. (A parser that
    builds a tree takes hours for some of these; the timeout of the tests is the assertion.)"""
    assert len(text_of(piece * 200_000)) <= 1_000_000


def test_an_attribute_list_of_any_length_is_no_matter() -> None:
    """A hundred thousand names."""
    assert text_of("<div " + " ".join(f"a{n}=1" for n in range(100_000)) + ">deep") == "deep"
    assert text_of("&#" + "9" * 1_000_000 + ";deep") == ";deep"


@given(
    st.binary(max_size=300), st.sampled_from([None, "utf-8", "utf-16", "big5", "hex", "zip", "€"])
)
def test_whatever_a_server_sends_is_read(body: bytes, charset: str | None) -> None:
    """As text of some kind."""
    assert isinstance(text_of(decoded(body, charset, html=True)), str)
