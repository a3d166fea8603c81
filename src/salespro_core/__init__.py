"""The importer's core: CSV in, Postgres out; it knows neither AWS nor a terminal."""
