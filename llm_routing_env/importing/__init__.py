"""Makes outcome tables of other people's recorded results."""

from llm_routing_env.importing.long_form import read_long
from llm_routing_env.importing.routerbench import read_routerbench
from llm_routing_env.importing.sources import Source
from llm_routing_env.importing.tables import Imported, ImportOptions, build_table

__all__ = ["ImportOptions", "Imported", "Source", "build_table", "read_long", "read_routerbench"]
