"""The README's Python runs as it stands, and its verbs exist."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    assert not names["result"].mean_passage["censored"].any()
    assert names["claim"].certificate().ok
    assert names["report"].verdict.startswith("fo-maml; sum over the tasks")
