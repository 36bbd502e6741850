"""A recipe's run: which of its stages are stale and why, and running those.

`stages/` has one file a stage; `runner.py` alone loops over them; `manifest.py` remembers what was made from what.
Nothing here loads torch until a stage runs.
"""

from seq2seq.pipeline.runner import Runner, Verdict

__all__ = ["Runner", "Verdict"]
