"""The files of deploy/: what of them can run here is run; the rest is compared with the code."""
