"""The table of the libraries whose examples were run."""

from readme_tables import markdown, read


def libraries() -> str:
    """Return what each library's example earned."""
    document = read("examples")
    result = document["result"]
    lines = [
        (
            f"[{row['library']}](../examples/{row['file']}.py)",
            ", ".join(f"{name} {version}" for name, version in row["versions"].items()),
            row["learner"],
            row["judged"],
            f"{row['reward']:.3f}",
            f"{row['random']:.3f}",
        )
        for row in result["rows"]
    ]
    header = ("library", "version", "learner", "judged on", "mean reward", "random")
    made = f"Run on {result['date']}, Python {document['versions']['python']}, by `make examples`.\n"
    return markdown(header, lines) + "\n\n" + made
