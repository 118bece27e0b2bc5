"""Croissant metadata of an outcome table: JSON-LD that catalogues of data sets read, with the responsible-AI fields."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.report.croissant_words import column_description, derived_fields, description
from llm_routing_env.tables.table import OutcomeTable

Document = dict[str, Any]
Fields = Mapping[str, Sequence[str]]

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
# What a table does not know, or not all of, as the document calls it; beside it, as mlcroissant does.
FIELDS = {
    "creator": "creators",
    "license": "license",
    "citeAs": "cite_as",
    "url": "url",
    "datePublished": "date_published",
    "version": "version",
    "rai:dataCollection": "data_collection",
    "rai:dataCollectionType": "data_collection_type",
    "rai:dataCollectionTimeframe": "data_collection_timeframe",
    "rai:dataPreprocessingProtocol": "data_preprocessing_protocol",
    "rai:dataAnnotationProtocol": "data_annotation_protocol",
    "rai:dataBiases": "data_biases",
    "rai:dataLimitations": "data_limitations",
    "rai:personalSensitiveInformation": "personal_sensitive_information",
    "rai:dataUseCases": "data_use_cases",
    "rai:dataReleaseMaintenancePlan": "data_release_maintenance_plan",
}
ORGANIZATION = "organization"  # is a creator too: schema.org tells people from organizations
_SINGLE = ("citeAs", "url", "datePublished", "version")
_PARAGRAPH = ("rai:dataCollection", "rai:dataReleaseMaintenancePlan")
_DATES = ("datePublished", "rai:dataCollectionTimeframe")
_RECORDS, _KEY = "outcomes", ("query_id", "llm", "repeat")


def croissant_document(table: OutcomeTable, given: Fields | None = None) -> Document:
    """Return the Croissant document of a table, JSON-plain: all that is derived from it, and what else is known.

    The table's file is named as lying beside the document. What is neither derived nor given is left out.

    Args:
        table: A table that was read from a file.
        given: Texts by the keys of `FIELDS`, and "organization"; they stand behind what is derived.

    Raises:
        ImportError: If mlcroissant is not installed.
        ValueError: For a table without a file, an unknown field, a second text where one may stand, or no date.
    """
    mlc = _mlcroissant()
    if table.path is None:
        raise ValueError("A Croissant document describes a table's file: write the table first.")
    texts = _texts(table, given or {})
    arguments = {argument: _fitting(name, texts[name]) for name, argument in FIELDS.items() if texts[name]}
    people = [mlc.Person(name=name) for name in texts["creator"]]
    arguments["creators"] = people + [mlc.Organization(name=name) for name in texts[ORGANIZATION]]
    document: Document = mlc.Metadata(
        name=Path(table.name).stem,
        description=description(table),
        conforms_to=list(CONFORMS_TO),
        date_created=_date("the table's recorded_at", table.metadata.get("recorded_at")),
        distribution=[_file_object(table.path, table.sha256)],
        record_sets=[_record_set(table, table.path)],
        **arguments,
    ).to_json()
    return {_as_specified(key): value for key, value in document.items()}


def missing_fields(document: Document) -> list[str]:
    """Return which of `FIELDS` a document lacks."""
    return [name for name in FIELDS if name not in document]


def read_fields(assignments: Sequence[str], path: Path | None) -> dict[str, list[str]]:
    """Read fields from "name=text" and from a TOML file of texts, or lists of them, by name.

    Raises:
        ValueError: For something else.
    """
    try:
        found = {} if path is None else tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no TOML file: {error}.") from error
    fields = {name: [value] if isinstance(value, str) else value for name, value in found.items()}
    for name, texts in fields.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{path}: {name!r} must be a text or a list of texts, is {texts!r}.")
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not (equals and name and text):
            raise ValueError(f"--field must look like license=https://..., got {assignment!r}.")
        fields[name] = [*fields.get(name, ()), text]
    return fields


def _mlcroissant() -> Any:
    try:
        import mlcroissant
    except ImportError as error:
        raise ImportError('Croissant needs mlcroissant: pip install "llm-routing-env[croissant]".') from error
    return mlcroissant


def _texts(table: OutcomeTable, given: Fields) -> dict[str, list[str]]:
    known = (*FIELDS, ORGANIZATION)
    for name in given:
        if name not in known:
            raise unknown_name("field", name, known)
    derived = derived_fields(table)
    return {name: [*derived.get(name, ()), *given.get(name, ())] for name in known}


def _fitting(name: str, texts: list[str]) -> Any:
    """Return texts as the field holds them: one, several sentences as one, or a list."""
    if name in _PARAGRAPH:
        return " ".join(texts)
    values = [_date(name, text) for text in texts] if name in _DATES else texts
    if name not in _SINGLE:
        return values
    if len(values) > 1:
        raise ValueError(f"{name} holds one text, got {len(texts)}: {', '.join(map(repr, texts))}.")
    return values[0]


def _date(what: str, text: Any) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be a date such as 2026-11-21, got {text!r}.") from None


def _file_object(path: Path, sha256: str) -> Any:
    return _mlcroissant().FileObject(
        id=quote(path.name),
        name=path.name,
        content_url=path.name,
        content_size=f"{path.stat().st_size} B",
        encoding_formats=["application/x-parquet"],
        sha256=sha256,
    )


def _record_set(table: OutcomeTable, path: Path) -> Any:
    schema = pq.read_schema(path)
    return _mlcroissant().RecordSet(
        id=_RECORDS,
        name=_RECORDS,
        description="A row is what one LLM gave for one query, once.",
        key=[_field_id(name) for name in _KEY],
        fields=[_field(table, column, quote(path.name)) for column in schema],
    )


def _field(table: OutcomeTable, column: pa.Field, file_id: str) -> Any:
    mlc = _mlcroissant()
    return mlc.Field(
        id=_field_id(column.name),
        name=column.name,
        description=column_description(table, column.name),
        data_types=[_data_type(column.type)],
        repeated=pa.types.is_list(column.type) or None,
        source=mlc.Source(file_object=file_id, extract=mlc.Extract(column=column.name)),
    )


def _field_id(column: str) -> str:
    return f"{_RECORDS}/{quote(column, safe='')}"


def _data_type(kind: pa.DataType) -> Any:
    types = _mlcroissant().DataType
    if pa.types.is_integer(kind):
        return types.INTEGER
    return types.FLOAT if pa.types.is_floating(kind) else types.TEXT


def _as_specified(key: str) -> str:
    # The RAI specification 1.0 has a small f, mlcroissant (1.1.1) writes a capital one.
    return "rai:dataCollectionTimeframe" if key == "rai:dataCollectionTimeFrame" else key
