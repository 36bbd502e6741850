"""A process that carries out one recipe of a sweep: it is told which on stdin, and stops when that is closed.

So it ends, with all its work saved, even where the process that began it was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from seq2seq.errors import UserError
from seq2seq.recipe.file import load_recipe


def main() -> int:
    """Returns the exit code: 0 done, 2 the user's error, 130 stopped."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    try:
        from seq2seq.device import set_up  # noqa: PLC0415  (loads torch)
        from seq2seq.distributed import Processes  # noqa: PLC0415
        from seq2seq.pipeline.seeds import runner_of  # noqa: PLC0415

        processes = Processes.join(set_up(job["device"], job["threads"]))
        runner = runner_of(load_recipe(job["recipe"]))
        if job["until"] is None:
            runner.run_whole(processes)
        else:
            runner.run(job["until"], processes)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _stop_when_alone() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
