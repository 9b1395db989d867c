"""What a person chooses at the top of a dashboard."""

from typing import Final

from dashboard_builders.shapes import DATASOURCE, Object

_INFO: Final = "weighbridge_repository_info"
_ALL: Final[Object] = {"selected": True, "text": ["All"], "value": ["$__all"]}


def datasource() -> Object:
    """Which Prometheus is asked."""
    return {
        "name": "datasource",
        "type": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "refresh": 1,
        "current": {},
        "hide": 0,
    }


def job() -> Object:
    """The scrape jobs, for who runs several services beside one Prometheus."""
    both = f'{{__name__=~"weighbridge_build_info|{_INFO}"}}'
    return _labels("job", "Job", f"label_values({both}, job)") | {
        "description": "All jobs that scrape one Weighbridge, or all there are",
        **_several(),
    }


def registries() -> Object:
    return _labels("registry", "Registry", _values("registry")) | _several()


def repositories() -> Object:
    query = _values("repository", 'registry=~"$registry"')
    return _labels("repository", "Repository", query) | _several()


def one_registry() -> Object:
    return _labels("registry", "Registry", _values("registry")) | _one()


def one_repository() -> Object:
    query = _values("repository", 'registry="$registry"')
    return _labels("repository", "Repository", query) | _one()


def external_url(address: str) -> Object:
    """Where the links to the pages of Weighbridge lead."""
    chosen: Object = {"selected": True, "text": address, "value": address}
    return {
        "name": "external_url",
        "type": "textbox",
        "label": "Weighbridge at",
        "description": "Where the pages of Weighbridge are, without a / at the end",
        "query": address,
        "current": chosen,
        "options": [chosen],
        "hide": 0,
    }


def _values(label: str, *matchers: str) -> str:
    chosen = ", ".join(('job=~"$job"', *matchers))
    return f"label_values({_INFO}{{{chosen}}}, {label})"


def _labels(name: str, title: str, query: str) -> Object:
    return {
        "name": name,
        "type": "query",
        "label": title,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": f"Variable-{name}"},
        # Repositories come and go: ask again when another time is shown.
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    }


def _several() -> Object:
    return {"multi": True, "includeAll": True, "allValue": ".+", "current": _ALL}


def _one() -> Object:
    return {"multi": False, "includeAll": False, "current": {}}
