"""Plotly's JavaScript comes from its wheel, that one file alone."""

from django.contrib.staticfiles import finders

from copilot_project.plotly_files import PlotlyFinder, package_data


def test_one_file_of_the_wheel_is_a_static_file_and_no_other() -> None:
    finder = PlotlyFinder()

    assert finders.find("plotly/plotly.min.js") == str(package_data() / "plotly.min.js")
    assert finders.find("plotly/widgetbundle.js") is None
    assert [name for name, _ in finder.list(None)] == ["plotly.min.js"]
    assert finder.check() == []
    assert "plotly.js v" in (package_data() / "plotly.min.js").read_text()[:200]
