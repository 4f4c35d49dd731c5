"""Under /api/research/."""

from django.urls import path

from research.api.studies import Backtests, OneBacktest, OnePortfolio, Portfolios

app_name = "research_api"
urlpatterns = [
    path("backtests/", Backtests.as_view(), name="backtests"),
    path("backtests/<str:pk>/", OneBacktest.as_view(), name="backtest"),
    path("portfolios/", Portfolios.as_view(), name="portfolios"),
    path("portfolios/<str:pk>/", OnePortfolio.as_view(), name="portfolio"),
]
