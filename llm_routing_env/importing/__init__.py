"""Makes outcome tables of other people's recorded results."""

from llm_routing_env.importing.preset import Reading
from llm_routing_env.importing.reading import read_rows
from llm_routing_env.importing.rows import Rows
from llm_routing_env.importing.sources import Source
from llm_routing_env.importing.writing import Imported, ImportOptions, write_table

__all__ = ["ImportOptions", "Imported", "Reading", "Rows", "Source", "read_rows", "write_table"]
