"""The JSON data source over HTTP. Its questions come as POST, and change nothing."""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from api.grafana import metrics, queries
from api.grafana.adhoc import KEYS
from api.grafana.asked import span_of
from api.problems import BadRequest, Mistake
from api.report.reports import Reports
from api.report.series_endpoints import RUN_STATUS, VARIABLES, marks, variable_values
from api.routes import asks, reads
from api.schemas import grafana as schemas
from api.schemas.report import VariableValue
from daemon import __version__
from daemon.store.report_conditions import Dimension, Measure

PREFIX = "/grafana/json"
_MOST_MARKS = 1_000


@reads(PREFIX, summary="Whether Grafana's JSON data source works", operation_id="testGrafana")
def working() -> schemas.Working:
    """What the data source asks when it is tested."""
    return schemas.Working(version=__version__)


@asks(f"{PREFIX}/metrics", summary="What Grafana may query", operation_id="listGrafanaMetrics")
def list_metrics(data: JSONBody[schemas.MetricsRequest | None] = None) -> list[schemas.Metric]:
    """All metrics, with the fields of their editors, whatever is chosen."""
    del data
    return metrics.metrics()


@asks(
    f"{PREFIX}/metric-payload-options",
    summary="Choices of a field of the query editor",
    operation_id="listGrafanaOptions",
)
def list_options(
    reports: NamedDependency[Reports], data: JSONBody[schemas.OptionsRequest]
) -> list[schemas.Option]:
    """The values that a filter may have."""
    if data.metric not in set(metrics.MetricName):
        expected = f"one of {', '.join(metrics.MetricName)}"
        raise BadRequest([Mistake(expected, pointer="/metric")])
    metric = metrics.MetricName(data.metric)
    named = {name: dimension for dimension, name in metrics.filter_names(metric).items()}
    if data.name not in named:
        raise BadRequest([Mistake(f"one of {', '.join(named)}", pointer="/name")])
    wanted: str = named[data.name]
    if metrics.has_run_statuses(metric) and wanted == Dimension.STATUS:
        wanted = RUN_STATUS
    pipeline = data.payload.pipeline if data.payload else None
    found = variable_values(reports, wanted, None if data.name == "pipeline" else pipeline)
    return [schemas.Option(label=value.text, value=value.value) for value in found]


@asks(f"{PREFIX}/query", summary="Answers to the queries of a panel", operation_id="queryGrafana")
def query(
    reports: NamedDependency[Reports], data: JSONBody[schemas.QueryRequest]
) -> list[schemas.TimeSeries | schemas.Table]:
    """Time series and tables, in the order of the targets."""
    return queries.answer(reports, data)


@asks(
    f"{PREFIX}/variable",
    summary="Values of a variable, as Grafana asks for them",
    operation_id="queryGrafanaVariable",
)
def variable(
    reports: NamedDependency[Reports], data: JSONBody[schemas.VariableRequest]
) -> list[VariableValue]:
    """The same as `/api/report/variables`."""
    wanted = data.payload
    if wanted.target not in VARIABLES:
        raise BadRequest([Mistake(f"one of {', '.join(VARIABLES)}", pointer="/payload/target")])
    found = variable_values(reports, wanted.target, wanted.pipeline)
    return [VariableValue.of(value) for value in found]


@asks(
    f"{PREFIX}/tag-keys",
    summary="What ad-hoc filters may compare",
    operation_id="listGrafanaTagKeys",
)
def tag_keys(data: JSONBody[schemas.TagKeysRequest | None] = None) -> list[schemas.TagKey]:
    """The keys of ad-hoc filters. Those of runs are pipeline, source, status and category."""
    del data
    return [
        schemas.TagKey(type="number" if isinstance(key, Measure) else "string", text=key.value)
        for key in (*Dimension, *Measure)
    ]


@asks(
    f"{PREFIX}/tag-values",
    summary="Values that an ad-hoc filter may have",
    operation_id="listGrafanaTagValues",
)
def tag_values(
    reports: NamedDependency[Reports], data: JSONBody[schemas.TagValuesRequest]
) -> list[schemas.TagValue]:
    """The values of a key; none of numbers."""
    key = KEYS.get(data.key)
    if key is None:
        raise BadRequest([Mistake(f"one of {', '.join(KEYS)}", pointer="/key")])
    found = [] if isinstance(key, Measure) else variable_values(reports, key)
    return [schemas.TagValue(text=value.value) for value in found]


@asks(
    f"{PREFIX}/search",
    summary="Names of metrics, for older data sources",
    operation_id="searchGrafana",
)
def search(
    reports: NamedDependency[Reports], data: JSONBody[schemas.SearchRequest | None] = None
) -> list[str]:
    """Metrics whose name holds the text; or the values of a variable, where it is its name."""
    target = (data.target if data else None) or ""
    if target in VARIABLES:
        return [value.value for value in variable_values(reports, target)]
    return [name.value for name in metrics.MetricName if target in name]


@asks(
    f"{PREFIX}/annotations",
    summary="Marks for graphs, for older data sources",
    operation_id="queryGrafanaAnnotations",
)
def annotations_of(
    reports: NamedDependency[Reports], data: JSONBody[schemas.AnnotationsRequest]
) -> list[schemas.Annotation]:
    """Failed runs, decisions about groups, retries by hand and paused pipelines."""
    span = span_of(reports, data.range)
    found = marks(reports, span, _MOST_MARKS, (data.annotation.query, None, None), _blame_query)
    return [schemas.Annotation.of(mark, data.annotation) for mark in found]


def _blame_query(expected: str, _: str) -> Mistake:
    return Mistake(expected, pointer="/annotation/query")


HANDLERS: list[ControllerRouterHandler] = [
    working,
    list_metrics,
    list_options,
    query,
    variable,
    tag_keys,
    tag_values,
    search,
    annotations_of,
]
