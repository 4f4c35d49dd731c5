"""Parquet, with the columns of a pandas frame and its index; bounded by what its footer says before it is decoded."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from signals.market.providers.candle_file import columns
from signals.market.providers.candle_file.error import FileRefusedError
from signals.market.providers.candle_file.formats import FORMATS
from signals.market.providers.candle_file.numbers import MixedDecimalsError, NumberColumn, bad_cells
from signals.market.providers.candle_file.reading import Reading
from signals.market.providers.candle_file.table import MOST_ROWS, SymbolColumn, Table
from signals.market.providers.candle_file.text import LARGEST_FILE_BYTES
from signals.market.providers.candle_file.times import TimeColumn, is_time
from signals.market.providers.candle_file.volumes import candidates

LONGEST_NAME = 1 << 20  # bytes of a thrift string, in a footer
BATCH_ROWS = 65_536


def load_parquet(path: Path, said: Reading) -> Table:
    """Raises FileRefusedError for what is no Parquet file with the four prices."""
    try:
        with pq.ParquetFile(path, thrift_string_size_limit=LONGEST_NAME) as file:
            return _load(path, file, said)
    except (pa.ArrowException, OSError) as error:
        raise FileRefusedError(path, f"cannot be read as Parquet or CSV: {error}") from error
    except MixedDecimalsError as error:
        raise FileRefusedError(path, str(error)) from error


def _load(path: Path, file: pq.ParquetFile, said: Reading) -> Table:
    footer = file.metadata
    size = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
    if footer.num_rows > MOST_ROWS or size > LARGEST_FILE_BYTES:
        raise FileRefusedError(path, f"holds {footer.num_rows:,} rows in {size >> 20} MB: split the file")
    own = file.schema_arrow.names
    names = columns.canonical(own)
    if missing := columns.missing_prices(names):
        raise FileRefusedError(path, f"no column {', '.join(missing)} (there are {', '.join(names)})")
    if repeated := columns.repeated_price(names):
        raise FileRefusedError(path, f"has two columns named {repeated}")
    if not footer.num_rows:
        raise FileRefusedError(path, "holds no row")
    time_place = _time_place(path, file, names)
    places = {name: names.index(name) for name in columns.PRICES}
    volume_places = candidates(names)
    symbol_place = columns.symbol_position(names)
    wanted = {time_place, *places.values(), *volume_places}
    if symbol_place is not None:
        wanted.add(symbol_place)
    times, symbols = TimeColumn(), SymbolColumn(path)
    prices = {name: NumberColumn(name, said.decimal) for name in columns.PRICES}
    volumes = [NumberColumn(names[place], said.decimal) for place in volume_places]
    row = 1
    for batch in file.iter_batches(BATCH_ROWS, columns=[own[place] for place in sorted(wanted)]):
        _add_times(times, batch.column(own[time_place]))
        for name, column in prices.items():
            _add_numbers(column, batch.column(own[places[name]]))
        for column, place in zip(volumes, volume_places, strict=True):
            _add_numbers(column, batch.column(own[place]))
        if symbol_place is not None:
            symbols.add([_text(cell) for cell in batch.column(own[symbol_place]).to_pylist()], row)
        row += batch.num_rows
    return Table(
        path,
        tuple(names),
        names[time_place],
        times,
        {name: column.finished() for name, column in prices.items()},
        [(column.name, column.finished()) for column in volumes],
        np.arange(1, row),
        symbols.symbol,
        said.format or next((form for form in FORMATS.values() if form.marks & set(names)), None),
        bad_cells(prices.values()),
        bad_cells(volumes),
        [],
        symbols.notes(),
    )


def _time_place(path: Path, file: pq.ParquetFile, names: list[str]) -> int:
    for place in columns.time_positions(names):
        kind = file.schema_arrow.types[place]
        if pa.types.is_temporal(kind) or not columns.is_unnamed(names[place]):
            return place
        first = file.schema_arrow.names[place]
        head = next(file.iter_batches(8, columns=[first])).column(0).to_pylist()
        if any(is_time(_text(cell)) for cell in head):
            return place
    shown = ", ".join(columns.OPENINGS[:5])
    raise FileRefusedError(path, f"no time column: name one {shown}, date or the like")


def _add_times(times: TimeColumn, column: pa.Array) -> None:
    """Instants as they are; local times and dates as the text that they stand for."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz:
        moments = column.cast(pa.timestamp("ms", tz=kind.tz), safe=False).cast(pa.int64())
        times.add_utc(pc.fill_null(moments, -1).to_numpy(zero_copy_only=False))
    elif pa.types.is_timestamp(kind):
        milliseconds = column.cast(pa.timestamp("ms"), safe=False)
        times.add([_text(cell) for cell in pc.strftime(milliseconds, "%Y-%m-%dT%H:%M:%S").to_pylist()])
    else:
        times.add([_text(cell) for cell in column.to_pylist()])


def _add_numbers(column: NumberColumn, cells: pa.Array) -> None:
    kind = cells.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = pc.fill_null(cells.cast(pa.float64(), safe=False), float("nan"))
        column.add_array(values.to_numpy(zero_copy_only=False))
    else:
        column.add([_text(cell) for cell in cells.to_pylist()])


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
