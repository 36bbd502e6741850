"""All stages, each after those that it needs. A new one has a file of its own here, and its place in `STAGES`."""

from seq2seq.pipeline.stage import Stage
from seq2seq.pipeline.stages.evaluate import Evaluate
from seq2seq.pipeline.stages.export import Export
from seq2seq.pipeline.stages.prepare import Prepare
from seq2seq.pipeline.stages.report import Report
from seq2seq.pipeline.stages.train import Train
from seq2seq.pipeline.stages.translate import Translate

STAGES: tuple[Stage, ...] = (Prepare(), Train(), Translate(), Evaluate(), Report(), Export())
