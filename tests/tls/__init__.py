"""Right and wrong certificates; `make tls`."""
