"""Tests of `salespro_core/report/html_report`."""
