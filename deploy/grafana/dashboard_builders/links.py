"""From one dashboard to the other, and to the pages of Weighbridge."""

from typing import Final

from dashboard_builders.shapes import OVERVIEW_UID, REPOSITORY_UID, Object

_KEPT: Final = "${datasource:queryparam}&${job:queryparam}&${external_url:queryparam}"
_ROW: Final = "${__data.fields.registry}"
_NAME: Final = "${__data.fields.repository}"


def of_a_row() -> tuple[Object, ...]:
    """From a repository in a table."""
    dashboard = (
        f"/d/{REPOSITORY_UID}?{_KEPT}"
        f"&var-registry={_ROW}&var-repository={_NAME}&${{__url_time_range}}"
    )
    page = f"${{external_url}}/repository?ref={_ROW}/{_NAME}"
    return (
        {"title": "Its dashboard", "url": dashboard},
        {"title": "Its page in Weighbridge", "url": page, "targetBlank": True},
    )


def of_a_registry_row() -> tuple[Object, ...]:
    """From a registry in a table."""
    page = f"${{external_url}}/?registry={_ROW}"
    return ({"title": "Its page in Weighbridge", "url": page, "targetBlank": True},)


def of_a_base_row() -> tuple[Object, ...]:
    """From a base in a table."""
    page = "${external_url}/base?ref=${__data.fields.base_image}"
    return ({"title": "Its page in Weighbridge", "url": page, "targetBlank": True},)


def of_a_bar() -> tuple[Object, ...]:
    """From a repository in a chart."""
    dashboard = (
        f"/d/{REPOSITORY_UID}?{_KEPT}&var-registry=${{__field.labels.registry}}"
        "&var-repository=${__field.labels.repository}&${__url_time_range}"
    )
    return ({"title": "Its dashboard", "url": dashboard},)


def to_overview() -> Object:
    """Without the chosen repository: the overview would then show nothing else."""
    return _link("Overview", f"/d/{OVERVIEW_UID}?{_KEPT}", "dashboard", keep_time=True)


def to_repository() -> Object:
    address = f"/d/{REPOSITORY_UID}?{_KEPT}"
    return _link("One repository", address, "dashboard", keep_time=True)


def to_pages(title: str, path: str) -> Object:
    made = _link(title, f"${{external_url}}{path}", "external link", keep_time=False)
    return made | {"targetBlank": True}


def _link(title: str, url: str, icon: str, *, keep_time: bool) -> Object:
    return {
        "type": "link",
        "title": title,
        "url": url,
        "icon": icon,
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": keep_time,
        "targetBlank": False,
    }
