"""`analyze gradients RUN`: the gradients of a trained model."""

from __future__ import annotations

import json
from pathlib import Path

SHOWN = (1, 2, 4, 8, 16)
LIMIT = 200


def print_trained(run: Path, as_json: bool, threads: int) -> None:
    """Each layer's gradient on the validation set, and how far gradients reach; writes gradients.json and .svg."""
    from rich.console import Console
    from rich.table import Table

    from seq2seq.analysis.reach import loss_gradients, reach, reach_figure
    from seq2seq.bundle import load_bundle
    from seq2seq.cli.analyze import chosen, pairs_of
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.run_folder import RunFolder
    from seq2seq.training.gradients import gradient_norms, share_of_median, starved

    folder, loaded = RunFolder(run), load_bundle(run, set_up("cpu", threads))
    sources, targets = pairs_of(folder)
    rows = chosen(sources, targets, LIMIT)
    texts = [sources[i] for i in rows], [targets[i] for i in rows]
    loss_gradients(loaded, *texts)
    norms = gradient_norms(loaded.model)
    shares, starving = share_of_median(norms), starved(norms)
    far = reach(loaded, *texts)
    layers = [{"layer": name, "norm": norms[name], "share_of_median": shares[name]} for name in norms]
    sides = {
        "target tokens before": far.decoder,
        "source tokens before": far.before,
        "source tokens behind": far.behind,
    }
    content = {"sentences": len(rows), "layers": layers, "starved": list(starving), "reach": sides}
    write_json(folder.analysis / "gradients.json", content)
    write_text(folder.analysis / "gradients.svg", reach_figure(far))
    if as_json:
        print(json.dumps(content, indent=2))
        return
    table = Table("layer", "gradient norm", "of the others' median", "", title=f"trained, {len(rows)} validation pairs")
    for name, norm in norms.items():
        table.add_row(name, f"{norm:.2e}", f"{shares[name]:.3g}", "starves" if name in starving else "")
    Console().print(table)
    table = Table("gradient with respect to", *(f"{n} away" for n in SHOWN), title="of that at the word itself")
    for side, values in sides.items():
        if values:
            table.add_row(side, *(f"{values[n]:.3g}" if n < len(values) else "" for n in SHOWN))
    Console().print(table)
    print(f"written: {folder.analysis / 'gradients.json'}, {folder.analysis / 'gradients.svg'}")
