"""Examples in the docstring of a command, fenced as Markdown wants them."""

START = "dmcf "


def fenced(docstring: str) -> str:
    """Return a docstring with each run of lines that begin with `dmcf`, and their ends, fenced."""
    lines, inside, indent = [], False, ""
    for line in docstring.splitlines():
        begins = line.lstrip().startswith(START)
        belongs = begins or (inside and lines[-1].endswith("\\"))
        if belongs != inside:
            lines.append("```bash" if belongs else "```")
        if begins:
            indent = line[: len(line) - len(line.lstrip())]
        lines.append(line.removeprefix(indent) if belongs else line)
        inside = belongs
    return "\n".join(lines + ["```"] * inside)
