"""What a training counts."""

from dataclasses import astuple

from seq2seq.training.state import State, Sums, Window


def test_nothing_is_counted_before_the_first_step() -> None:
    assert not any(astuple(Sums())) and not any(astuple(Window()))
    begun = State()
    assert (begun.step, begun.epoch, begun.batch, begun.tokens, begun.seconds, begun.bad_steps) == (0, 0, 0, 0, 0.0, 0)
    assert begun.rate == 1.0 and begun.ranking == [] and begun.validations_since_best == 0


def test_sums_of_steps_are_added_part_by_part() -> None:
    window = Window(*range(1, 8), seconds=2.0, loading=0.5)
    window.add(Sums(*range(10, 80, 10)))
    assert astuple(window) == (11, 22, 33, 44, 55, 66, 77, 2.0, 0.5)
