"""Numbers of a grid's pictures as a plot: over an axis of numbers where there is one, by the labels the grid writes."""

from itertools import product

from zimage_core.grid import Axis, Choices, Numbers, Plot, layout_of, picture_labels, plot_of

STEPS = Axis(letter="X", name="steps", kind=Numbers(low=1, high=99, is_whole=True), values=(4, 2, 8))
CFG = Axis(letter="Y", name="CFG", kind=Numbers(low=1, high=9, is_whole=False), values=(1.5, 3.0))
SAMPLER = Axis(letter="X", name="sampler", kind=Choices(options=["euler", "heun"]), values=("euler", "heun"))
NONE = Axis(letter="Z", name="none")


def test_each_row_is_a_line_over_the_axis_of_numbers_and_a_batch_is_its_mean():
    labels = picture_labels(layout_of([STEPS, CFG, NONE]), 2)
    values = [10 * steps + cfg + noise for cfg, steps, noise in product((1.5, 3.0), (4, 2, 8), (-1, 1))]
    plot = plot_of(labels, values, "sharpness")
    assert (
        plot
        and (plot.axis, plot.measured) == ("steps", "sharpness")
        and [each.name for each in plot.lines] == ["CFG 1.5", "CFG 3"]
    )
    for line, cfg in zip(plot.lines, (1.5, 3.0), strict=True):
        assert line.points == ((2, 20 + cfg), (4, 40 + cfg), (8, 80 + cfg))


def test_an_axis_of_numbers_is_found_in_second_place_and_words_make_bars():
    labels = picture_labels(layout_of([SAMPLER, CFG, NONE]))
    plot = plot_of(labels, [1.0, 2.0, 3.0, 4.0])
    assert plot and plot.axis == "CFG"
    assert {each.name: each.points for each in plot.lines} == {
        "euler": ((1.5, 1.0), (3.0, 3.0)),
        "heun": ((1.5, 2.0), (3.0, 4.0)),
    }
    assert plot_of(["euler", "heun", "x"], [1.0, None, 3.0]) == Plot(bars=(("euler", 1.0), ("x", 3.0)))
    assert plot_of(["1", "2"], [None, 2.0]) is None
