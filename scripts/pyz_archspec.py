"""Appended to archspec/__init__.py in envsnap.pyz, where its tables are no files."""


def _read_tables_from_the_zip() -> None:
    """Give archspec its JSON from inside the zip; it would open it by path, which is none here."""
    import json
    import os

    from archspec.cpu import schema

    def table(name: str) -> object:
        path = os.path.join(os.path.dirname(__file__), "json", "cpu", name)
        return json.loads(__spec__.loader.get_data(path))

    for lazy, name in (
        (schema.TARGETS_JSON, "microarchitectures.json"),
        (schema.TARGETS_JSON_SCHEMA, "microarchitectures_schema.json"),
        (schema.CPUID_JSON, "cpuid.json"),
        (schema.CPUID_JSON_SCHEMA, "cpuid_schema.json"),
    ):
        lazy.factory, lazy.args = table, (name,)


_read_tables_from_the_zip()
