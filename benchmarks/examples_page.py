"""The table of the libraries whose examples were run."""

from readme_tables import markdown, read


def libraries() -> str:
    """Return what each library's example earned."""
    document = read("examples")
    result = document["result"]
    lines = [
        (
            f"[{row['library']}](../examples/{row['file']}.py)",
            row["learner"],
            f"{row['reward']:.3f}",
            f"{row['random']:.3f}",
            row["judged"],
            ", ".join(f"{name} {version}" for name, version in row["versions"].items()),
        )
        for row in result["rows"]
    ]
    header = ("library", "learner", "mean reward", "random", "judged on", "version")
    made = f"Run on {result['date']}, Python {document['versions']['python']}, by `make examples`.\n"
    return markdown(header, lines) + "\n\n" + made
