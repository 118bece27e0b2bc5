"""Reads the parquet file of an outcome table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.tables.check import check_size

# Held as codes into a dictionary: a long table says each of these once per LLM and repeat.
REPEATED = ("query_id", "context", "split", "prompt", "llm", "references.list.element")


def read_rows(path: Path) -> pa.Table:
    """Return the rows of a table's file.

    Raises:
        ValueError: It is no parquet file, or damaged, or too large.
    """
    try:
        footer = pq.read_metadata(path)
        check_size(footer, str(path))
        found = {footer.schema.column(index).path for index in range(footer.num_columns)}
        codes = [column for column in REPEATED if column in found]
        # Buffered reading: else the file is held as it lies on disk, beside what is made of it.
        with pq.ParquetFile(path, read_dictionary=codes, pre_buffer=False, buffer_size=2**20) as file:
            # Group by group: Arrow cannot read a list of codes across groups.
            rows = pa.concat_tables(file.read_row_group(group) for group in range(file.num_row_groups))
        rows.validate(full=True)  # a damaged file may hold text that is none, and codes without a meaning
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a parquet file that can be read: {error}.") from error
    return rows
