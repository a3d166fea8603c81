"""The example in the help of a command."""


def example(*lines: str) -> str:
    """The epilog that shows these command lines."""
    # \b tells click to keep the line breaks.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
