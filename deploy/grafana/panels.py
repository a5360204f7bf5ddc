"""What a dashboard consists of, in our words, and the JSON that Grafana reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as shapes

SOURCE = shapes.DataSourceRef(type_val="prometheus", uid="prometheus")
GOOD, WARNED, BAD = "green", "orange", "red"
WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6
HEIGHTS = {"stat": 4, "lines": 8, "bars": 8}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. `name`: of each of its series, `{{label}}` filled in."""

    expr: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """`limits`: from which value on it is orange or red, as (value, colour), rising; `floor`: green only from there up.

    `runbook`: the page of docs/runbooks that helps.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    runbook: str
    kind: Literal["lines", "bars", "stat"] = "lines"
    limits: tuple[tuple[float, str], ...] = ()
    floor: float | None = None
    width: int = THIRD


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable of the dashboard: values of a label from a closed set, of which several may be chosen."""

    name: str
    label: str
    values: str


@dataclass(frozen=True, slots=True)
class Board:
    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]


def render(board: Board) -> str:
    """Return the dashboard as Grafana's provisioning takes it."""
    built = (
        sdk.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["frozenshop"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("Asia/Shanghai")
        .readonly()
        .tooltip(shapes.DashboardCursorSync.CROSSHAIR)
        .link(sdk.DashboardLink("frozenshop").type(shapes.DashboardLinkType.DASHBOARDS).tags(["frozenshop"]))
        .with_variable(_docs())
    )
    for choice in board.choices:
        built.with_variable(_variable(choice))
    number = 0
    for row in board.rows:
        number += 1
        built.with_row(sdk.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel).id(number))
    return JSONEncoder(sort_keys=True, indent=1).encode(built.build()) + "\n"


def _docs() -> sdk.TextBoxVariable:
    """Where the runbooks can be read: whoever runs Grafana knows."""
    return sdk.TextBoxVariable("docs").label("Runbooks at").default_value("https://docs.example.com")


def _variable(choice: Choice) -> sdk.QueryVariable:
    return (
        sdk.QueryVariable(choice.name)
        .label(choice.label)
        .query(choice.values)
        .datasource(SOURCE)
        .refresh(shapes.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(shapes.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(shapes.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    built = _stat(panel) if panel.kind == "stat" else _series(panel)
    built.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    built.span(panel.width).height(HEIGHTS[panel.kind]).thresholds(_thresholds(panel))
    built.links([sdk.DashboardLink("Runbook").url(f"${{docs}}/runbooks/{panel.runbook}.md").target_blank(True)])
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built.with_target(_target(letter, query, now=panel.kind == "stat"))
    return built


def _stat(panel: Panel) -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(last).color_mode(words.BigValueColorMode.BACKGROUND_SOLID)


def _series(panel: Panel) -> timeseries.Panel:
    bars = panel.kind == "bars"
    legend = (
        common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST).placement(words.LegendPlacement.BOTTOM)
    )
    lines = panel.limits or panel.floor is not None
    shown = words.GraphTresholdsStyleMode.LINE if lines else words.GraphTresholdsStyleMode.OFF
    built = timeseries.Panel().min(0).legend(legend.show_legend(True))
    built.draw_style(words.GraphDrawStyle.BARS if bars else words.GraphDrawStyle.LINE)
    built.fill_opacity(60 if bars else 8)
    return built.thresholds_style(common.GraphThresholdsStyleConfig().mode(shown))


def _target(letter: str, query: Query, *, now: bool) -> prometheus.Dataquery:
    built = prometheus.Dataquery().ref_id(letter).expr(query.expr).legend_format(query.name or "__auto")
    return built.instant() if now else built.range()


def _thresholds(panel: Panel) -> sdk.ThresholdsConfig:
    """Green, then what the limits say; with a floor red, then green."""
    steps: Sequence[tuple[float | None, str]] = ((None, GOOD), *panel.limits)
    if panel.floor is not None:
        steps = ((None, BAD), (panel.floor, GOOD))
    found = [shapes.Threshold(value=value, color=colour) for value, colour in steps]
    return sdk.ThresholdsConfig().mode(shapes.ThresholdsMode.ABSOLUTE).steps(found)


def expressions(boards: Iterable[Board]) -> list[tuple[str, str, str]]:
    """Return board, panel and expression of each query."""
    return [(b.uid, panel.title, query.expr) for b in boards for panel in b.panels for query in panel.queries]
