"""What is refused before it is tried, because one fit of it is more than the machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.assets.progress import SILENCE
from harness.learn.survey import survey_spec
from harness.machine import Machine
from harness.plan import expand
from harness.prospect import refuse_large
from harness.spec.load import load_spec
from harness.supply import open_source

SPEC = """\
version: 1
name: small
tasks:
  mood: {type: text-classification, data: {csv: texts.csv, text: text, label: label}}
backbones:
  bert: {model: tiny-bert}
arms:
  head-only: {freeze_depth: all}
  full: {freeze_depth: 0}
compute: {workers: 1}
"""


def test_a_fit_that_is_more_than_the_machine_with_one_example_is_refused(
    text_csv: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    (tmp_path / "small.yaml").write_text(SPEC)
    source = open_source(load_spec(tmp_path / "small.yaml"), base=tmp_path, offline=True, progress=SILENCE)
    plan = expand(source.spec(), survey_spec(source))

    def tell(memory_bytes: int) -> str:
        machine = Machine(
            cores=1,
            allowed_cores=1,
            quota_cores=None,
            memory_bytes=2 * memory_bytes,
            available_bytes=memory_bytes,
            limit_bytes=memory_bytes,
        )
        return refuse_large(plan, source, ("mood", "bert"), machine)

    assert tell(8 * 10**9) == ""
    told = tell(3 * 10**8)
    assert told.startswith(
        "mood · bert: a fit takes 0.6 GB with one example at a time, and this machine gives 0.3 GB"
    )
