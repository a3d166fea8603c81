"""How a help shows an example."""


def example(*lines: str) -> str:
    """Lines below the help of a command."""
    # \b tells click not to rewrap the paragraph.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
