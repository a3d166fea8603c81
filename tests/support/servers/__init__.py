"""Servers and proxies that fail on demand.

tcp_proxy: between the importer and Postgres or S3; cuts, delays and drops connections.
object_server: GetObject with planned faults. private_postgres: may be stopped and killed.
tls_postgres: a Postgres with TLS and certificates that a test makes.
"""
