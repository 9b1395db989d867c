"""Link headers: followed on the same listing, refused anywhere else."""

import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import ListingError, NotFound, RegistryError
from weighbridge.net.http1.head import Fields
from weighbridge.registry.exchange.paging import ListingPage, by_link, next_url, pages
from weighbridge.registry.exchange.registry_request import RegistryAnswer

HERE = httpx.URL("https://registry.example/v2/shop/cart/tags/list?n=1000")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('</v2/shop/cart/tags/list?last=b&n=2>; rel="next"', "?last=b&n=2"),
        ("<?last=b>; rel=next", "?last=b"),
        ('<list?last=b>; rel="prev next"', "?last=b"),
        ('<https://registry.example/v2/shop/cart/tags/list?x>;rel="NEXT"', "?x"),
        ("<https://registry.example:443/v2/shop/cart/tags/list?y>; rel=next", "?y"),
        ('</other>; rel="up", <?last=c>; title="a,b"; rel="next"', "?last=c"),
        ('<?last=%2Fx#part>; rel="next"', "?last=%2Fx"),
    ],
)
def test_the_next_page_of_the_same_listing_is_followed(
    link: str, expected: str
) -> None:
    following = next_url(HERE, [link])

    assert following is not None
    assert following.raw_path.decode() == f"/v2/shop/cart/tags/list{expected}"
    assert (following.host, following.fragment) == ("registry.example", "")


BELOW = httpx.URL("https://registry.example/team/v2/_catalog?n=2")


@pytest.mark.parametrize("path", ["/v2/_catalog", "/team/v2/_catalog"])
def test_a_registry_need_not_know_of_the_prefix_before_it(path: str) -> None:
    following = next_url(BELOW, [f'<{path}?last=a%2Fb&n=2>; rel="next"'])

    assert str(following) == "https://registry.example/team/v2/_catalog?last=a%2Fb&n=2"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v2/x/tags/list",
            "/_catalog",
            "/catalog",
            "/other/v2/_catalog",
            "/v2/",
            "/",
        ),
        pytest.param("/team/../other/v2/_catalog", id="climbs"),
        pytest.param("../../other/v2/_catalog", id="climbs, relative"),
        pytest.param("/team/%2e%2e/other/v2/_catalog", id="climbs, escaped"),
        pytest.param("/team/team/v2/_catalog", id="the prefix twice"),
    ],
)
def test_a_link_out_of_the_prefix_is_refused(path: str) -> None:
    with pytest.raises(ListingError) as refused:
        next_url(BELOW, [f'<{path}?last=a>; rel="next"'])

    assert refused.value.code == "link_refused"


@pytest.mark.parametrize("links", [[], [""], ['</a>; rel="prev"'], ["</a>"]])
def test_without_a_next_link_the_listing_has_ended(links: list[str]) -> None:
    assert next_url(HERE, links) is None


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("http://169.254.169.254/latest/", id="registry_list-001"),
        pytest.param("//169.254.169.254/v2/shop/cart/tags/list", id="-001 no scheme"),
        pytest.param(
            "https://evil.example/v2/shop/cart/tags/list?last=b", id="-001 same path"
        ),
        pytest.param("/v2/shop/vault/tags/list?last=b", id="registry_list-002"),
        pytest.param("../../vault/tags/list?last=b", id="registry_list-002 relative"),
        pytest.param("/v2/shop/cart/../vault/tags/list", id="registry_list-002 dots"),
        pytest.param(
            "http://registry.example/v2/shop/cart/tags/list?last=b", id="http"
        ),
        pytest.param(
            "https://registry.example:444/v2/shop/cart/tags/list?last=b", id="port"
        ),
        pytest.param(
            "https://u:p@registry.example/v2/shop/cart/tags/list?last=b", id="user"
        ),
        pytest.param("https://registry.example:x/", id="no URL"),
        pytest.param("\\\\evil.example", id="backslash"),
        pytest.param("?last=b\t", id="control"),
        pytest.param("", id="empty"),
    ],
)
def test_a_link_to_anywhere_else_is_refused(target: str) -> None:
    with pytest.raises(ListingError) as refused:
        next_url(HERE, [f'<{target}>; rel="next"'])

    assert refused.value.code == "link_refused"


@pytest.mark.parametrize(
    "links",
    [
        ['<?a>; rel="next", <?b>; rel="next"'],
        ["<?a>; rel=next", "<?b>; rel=next"],
        ["?a; rel=next"],
        ["<?a; rel=next"],
        ["<?a>; rel=next" + " " * 20_000],
    ],
)
def test_a_link_that_cannot_be_understood_does_not_end_the_listing(
    links: list[str],
) -> None:
    with pytest.raises(ListingError) as refused:
        next_url(HERE, links)

    assert refused.value.code == "link_refused"


@given(st.lists(st.text() | st.text('<>;="rel next,?/\\:', max_size=50), max_size=3))
def test_any_link_stays_on_the_listing_or_is_refused(links: list[str]) -> None:
    following = next_or_code(links)

    if isinstance(following, httpx.URL):
        assert (following.host, following.path) == (HERE.host, HERE.path)
    else:
        assert following in (None, "link_refused")


@pytest.mark.parametrize("piece", ["<", "<a>;", "<a>;a=", '<a>;a="\\', " ", ";a "])
def test_long_links_are_read_in_linear_time(piece: str) -> None:
    value = "<a>" + piece * (16_000 // len(piece))
    began = time.process_time()

    next_or_code([value])

    assert time.process_time() - began < 0.05


def next_or_code(links: list[str]) -> httpx.URL | str | None:
    try:
        return next_url(HERE, links)
    except ListingError as error:
        return error.code


class Server:
    """Answers the n-th URL with the n-th of `script`: (name, link) or an error."""

    def __init__(self, *script: tuple[str, str] | Exception) -> None:
        self.script = script
        self.asked: list[str] = []

    async def ask(self, url: str) -> RegistryAnswer:
        step = self.script[len(self.asked) % len(self.script)]
        self.asked.append(url)
        if isinstance(step, Exception):
            raise step
        name, link = step
        fields = [(b"Link", f'<{link}>; rel="next"'.encode())] if link else []
        return RegistryAnswer(200, Fields(fields), name.encode(), True, False)

    async def names(self, got: list[str]) -> None:
        # One by one: what came before an error must be kept.
        async for page in pages(self.ask, str(HERE), _parse, by_link):
            got += [page.first]


def _parse(answer: RegistryAnswer) -> ListingPage:
    name = (answer.content or b"").decode()
    return ListingPage((name,) if name else (), invalid=0)


async def test_pages_end_where_no_link_follows() -> None:
    server, got = Server(("a", "?last=a"), ("", "?last=b"), ("c", "")), list[str]()

    await server.names(got)

    assert got == ["a", "", "c"]
    assert server.asked[1:] == [
        "https://registry.example/v2/shop/cart/tags/list?last=a",
        "https://registry.example/v2/shop/cart/tags/list?last=b",
    ]


async def test_a_page_that_names_itself_as_next_is_read_once_registry_list_004() -> (
    None
):
    server, got = Server(("a", "?n=1000")), list[str]()

    with pytest.raises(ListingError) as broken:
        await server.names(got)

    assert broken.value.code == "pagination_loop"
    assert got == ["a"]
    assert len(server.asked) == 1


async def test_a_server_that_ignores_the_cursor_is_found_out_registry_list_004() -> (
    None
):
    server = Server(("a", "?last=1"), ("a", "?last=2"), ("a", "?last=3"))

    with pytest.raises(ListingError) as broken:
        await server.names([])

    assert broken.value.code == "pagination_loop"
    assert len(server.asked) == 2


async def test_a_hundred_empty_pages_in_a_row_are_no_listing() -> None:
    script = [("", f"?last={n}") for n in range(200)]
    server = Server(("a", "?last=a"), *script)

    with pytest.raises(ListingError) as broken:
        await server.names([])

    assert broken.value.code == "pagination_loop"
    assert len(server.asked) == 1 + 101


async def test_a_hundred_empty_pages_between_names_are_read() -> None:
    empty = [("", f"?last={n}") for n in range(99)]
    server, got = Server(("a", "?last=a"), *empty, ("b", "?b"), ("c", "")), list[str]()

    await server.names(got)

    assert [name for name in got if name] == ["a", "b", "c"]


@pytest.mark.slow
async def test_a_listing_that_never_ends_is_left_after_20_000_pages() -> None:
    server = Server(*((f"n{n}", f"?last={n}") for n in range(20_100)))

    with pytest.raises(ListingError) as broken:
        await server.names([])

    assert broken.value.code == "pagination_loop"
    assert len(server.asked) == 20_000


async def test_an_error_after_good_pages_keeps_its_code_registry_list_009() -> None:
    cause = RegistryError("500", retryable=True, retry_after=7.0)
    server, got = Server(("a", "?last=a"), cause), list[str]()

    with pytest.raises(ListingError) as broken:
        await server.names(got)

    assert got == ["a"]
    assert broken.value.code == "registry_error"
    assert (broken.value.retryable, broken.value.retry_after) == (True, 7.0)
    assert broken.value.__cause__ is cause


async def test_an_error_on_the_first_page_is_raised_as_it_is() -> None:
    server = Server(NotFound("no", code="name_unknown"))

    with pytest.raises(NotFound):
        await server.names([])


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://169.254.169.254/", id="registry_list-001"),
        pytest.param("/v2/shop/vault/tags/list?last=a", id="registry_list-002"),
    ],
)
async def test_a_page_with_a_refused_link_is_good_and_the_last(link: str) -> None:
    server, got = Server(("a", link)), list[str]()

    with pytest.raises(ListingError) as broken:
        await server.names(got)

    assert broken.value.code == "link_refused"
    assert got == ["a"]
    assert len(server.asked) == 1
