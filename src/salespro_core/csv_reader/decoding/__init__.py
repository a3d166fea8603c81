"""The bytes of a file as text, and the names of the formats and encodings that are not ours.

In: a byte stream.  Out: lines of text, or an error with the name of the format; and the
likely encoding of cells that are not UTF-8.  May import: `errors`.
Start at `text_stream.py`.
"""
