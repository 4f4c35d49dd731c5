import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]


def test_quick_run_compares_all_results_and_writes_its_section(tmp_path: Path) -> None:
    book = tmp_path / "book.md"
    book.write_text("# Before\n\n<!-- delivery.py -->\nold\n<!-- end of delivery.py -->\n\n# After\n")
    run = subprocess.run(
        [sys.executable, "benchmarks/delivery.py", "--quick", "--markdown", str(book)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    text = book.read_text()
    assert text.startswith("# Before\n\n<!-- delivery.py -->\n# Signals")
    assert text.endswith("<!-- end of delivery.py -->\n\n# After\n")
    assert "old" not in text
    assert all(
        f"| {name} |" in text for name in ("ours, INSERT … SELECT", "ours, AiohttpRequest", "lean Bot API")
    )
