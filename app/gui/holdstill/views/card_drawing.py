"""Draws report cards: the same on screen and in the PNG beside the card's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QImageWriter, QLinearGradient, QPainter, QPen, QPolygonF

from app.core.errors import RecordingError
from app.core.files import make_folder, write_whole
from app.gui.presenters.canonical_face import canonical_face
from app.gui.presenters.colour_scale import HEAT_COLOURS, LEVELS
from app.gui.presenters.palettes import Palette
from app.gui.theme import theme
from app.gui.widgets.charts import BOLD, Series, decimals, draw_bars, draw_legend, write
from app.gui.widgets.drawing import AT_LEFT, AT_RIGHT, CENTRED, draw_plate
from app.holdstill.card import Card, ModeFigures
from app.holdstill.comparison import ModeChange
from app.holdstill.text import CardSheet, ComparisonSheet, Sheet, mode_name, near_floor
from model.topology import REGIONS

WIDTH, HEIGHT = 1200, 800
MARGIN = 44
RADIUS = 14

LOWEST, HIGHEST = 0.02, 2.0
"""Ends of the colour scale of single points in %, logarithmic and the same on every card: from what the meter reads on
a face that keeps quite still to what plainly dances."""
TICKS = (0.02, 0.2, 2.0)
FINE = 2
"""Device pixels of the PNG per unit of the drawing."""
SIDE = 316.0
GAP = 18.0
INNER = WIDTH - 2 * MARGIN
MAIN = INNER - SIDE - GAP


def draw_sheet(painter: QPainter, sheet: Sheet, palette: Palette) -> None:
    """Draw a card, or two compared, onto :data:`WIDTH` x :data:`HEIGHT` units."""
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    painter.fillRect(QRectF(0, 0, WIDTH, HEIGHT), QColor(palette.ground))
    if isinstance(sheet, CardSheet):
        _draw_card(painter, sheet, palette)
    else:
        _draw_comparison(painter, sheet, palette)


def sheet_image(sheet: Sheet, palette: Palette) -> QImage:
    """Return the picture of a sheet, twice as fine as it is drawn on a plain screen."""
    image = QImage(WIDTH * FINE, HEIGHT * FINE, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.scale(FINE, FINE)
    draw_sheet(painter, sheet, palette)
    painter.end()
    return image


def save_sheet(sheet: Sheet, path: Path) -> None:
    """Write the picture of a sheet as PNG in the colours in force; may be called on any thread.

    Raises:
        RecordingError: where it cannot be written.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not QImageWriter(buffer, QByteArray(b"PNG")).write(sheet_image(sheet, theme.palette())):
        raise RecordingError(f"Cannot write {path}: the picture could not be encoded.")
    make_folder(path.parent)
    write_whole(path, bytes(buffer.data().data()))


def _draw_card(painter: QPainter, sheet: CardSheet, palette: Palette) -> None:
    card, figures = sheet.card, sheet.card.figures
    _draw_top(painter, "Hold-still test", card.title, f"{card.when:%d %B %Y, %H:%M}", palette)
    subtitle = QRectF(MARGIN, 104, INNER, 24)
    if figures.stillness.good:
        write(painter, subtitle, sheet.verdict or _one_mode(card), palette.text, 17)
    else:
        still = f"{figures.stillness.seconds:.1f} of {figures.stillness.asked:g} s"
        _note(painter, subtitle, f"The head moved: only {still} counted. Repeat the test for surer figures.", palette)
    shown = figures.modes[:2]
    width = (MAIN - GAP * (len(shown) - 1)) / len(shown)
    places = decimals(noise.percent for mode in shown for noise in (mode.flicker, mode.wander))
    for column, mode in enumerate(shown):
        box = QRectF(MARGIN + column * (width + GAP), 148, width, 186)
        _draw_mode(painter, box, mode, sheet.intervals[mode.mode].ends(places + 1), places, palette)
    series = [Series(mode_name(mode.mode), _colour(mode, palette), mode.flicker.regions_percent) for mode in shown]
    _draw_regions(painter, QRectF(MARGIN, 352, MAIN, 282), series, palette)
    _draw_points(painter, QRectF(MARGIN + MAIN + GAP, 148, SIDE, 486), shown, palette)
    _draw_conditions(painter, QRectF(MARGIN, 652, INNER, 74), _conditions(card), palette)
    _draw_footer(painter, card, palette)


def _draw_comparison(painter: QPainter, sheet: ComparisonSheet, palette: Palette) -> None:
    comparison = sheet.comparison
    first, second = comparison.first, comparison.second
    title = f"{second.title}  against  {first.title}"
    _draw_top(painter, "Hold-still tests compared", title, "", palette)
    days = f"B  {second.when:%d %b %Y, %H:%M}      A  {first.when:%d %b %Y, %H:%M}"
    write(painter, QRectF(MARGIN, 104, INNER, 24), days, palette.dim, 14)
    shown = comparison.modes[:2]
    if not shown:
        _note(painter, QRectF(MARGIN, 160, INNER, 24), "These cards have no mode in common.", palette)
    width = (MAIN - GAP * (len(shown) - 1)) / max(1, len(shown))
    series = []
    for column, (change, verdict) in enumerate(zip(shown, sheet.verdicts, strict=False)):
        box = QRectF(MARGIN + column * (width + GAP), 148, width, 186)
        _draw_change(painter, box, change, verdict, palette)
        colour, name = palette.modes.get(change.after, palette.text), mode_name(change.after)
        series.append(Series(f"{name}, A", colour, tuple(row.before for row in change.flicker[1:]), pale=True))
        series.append(Series(f"{name}, B", colour, tuple(row.after for row in change.flicker[1:])))
    if series:
        _draw_regions(painter, QRectF(MARGIN, 352, MAIN, 374), series, palette)
    _draw_differences(painter, QRectF(MARGIN + MAIN + GAP, 148, SIDE, 578), comparison.differences, palette)
    _draw_footer(painter, second, palette)


def _draw_top(painter: QPainter, kind: str, title: str, right: str, palette: Palette) -> None:
    _heading(painter, QRectF(MARGIN, 32, 500, 18), kind, palette)
    write(painter, QRectF(MARGIN, 54, INNER - 250, 44), title, palette.text, 32, BOLD)
    write(painter, QRectF(WIDTH - MARGIN - 300, 30, 300, 22), "LDEQ Live", palette.text, 15, BOLD, AT_RIGHT)
    write(painter, QRectF(WIDTH - MARGIN - 300, 64, 300, 24), right, palette.dim, 15, align=AT_RIGHT)


def _draw_mode(painter: QPainter, box: QRectF, mode: ModeFigures, interval: str, places: int, palette: Palette) -> None:
    _panel(painter, box, palette)
    left, width = box.left() + 20, box.width() - 40
    _mark(painter, left, box.top() + 26, _colour(mode, palette))
    write(painter, QRectF(left + 14, box.top() + 14, width - 14, 24), mode_name(mode.mode), palette.text, 16, BOLD)
    evaluations = f"{mode.evaluations:.1f} evaluations a frame"
    write(painter, QRectF(left, box.top() + 14, width, 24), evaluations, palette.dim, 12, align=AT_RIGHT)
    figure = f"{mode.flicker.percent:.{places}f}"
    taken = write(painter, QRectF(left, box.top() + 42, width, 62), figure, palette.text, 54, BOLD)
    write(painter, QRectF(left + taken + 8, box.top() + 66, 40, 30), "%", palette.dim, 22)
    pixels = f"Flicker, {mode.flicker.pixels:.2f} px"
    write(painter, QRectF(left, box.top() + 108, width, 22), pixels, palette.text, 14)
    if interval:
        write(painter, QRectF(left, box.top() + 108, width, 22), f"95 %: {interval}", palette.dim, 12, align=AT_RIGHT)
    _rule(painter, left, box.top() + 138, width, palette)
    wander = f"Wander  {mode.wander.percent:.{places}f} %, {mode.wander.pixels:.2f} px"
    write(painter, QRectF(left, box.top() + 148, width, 24), wander, palette.dim, 14)
    if near_floor(mode):
        text = "near the meter's floor"
        write(painter, QRectF(left, box.top() + 70, width, 24), text, palette.dim, 12, align=AT_RIGHT)


def _draw_change(painter: QPainter, box: QRectF, change: ModeChange, verdict: str, palette: Palette) -> None:
    _panel(painter, box, palette)
    left, width = box.left() + 20, box.width() - 40
    overall, wander = change.flicker[0], change.wander[0]
    places = decimals((overall.before, overall.after, wander.before, wander.after))
    _mark(painter, left, box.top() + 26, palette.modes.get(change.after, palette.text))
    write(painter, QRectF(left + 14, box.top() + 14, width, 24), mode_name(change.after), palette.text, 16, BOLD)
    factor = f"{overall.ratio:.2f} \u00d7"
    write(painter, QRectF(left, box.top() + 42, width, 62), factor, palette.text, 54, BOLD)
    both = f"Flicker  A {overall.before:.{places}f} %   B {overall.after:.{places}f} %"
    write(painter, QRectF(left, box.top() + 108, width, 22), both, palette.text, 14)
    _rule(painter, left, box.top() + 138, width, palette)
    both = f"Wander  A {wander.before:.{places}f} %   B {wander.after:.{places}f} %"
    write(painter, QRectF(left, box.top() + 142, width, 20), both, palette.dim, 13)
    sure = "clearly more than chance" if change.sure else "could be chance"
    write(painter, QRectF(left, box.top() + 14, width, 24), sure, palette.dim, 12, align=AT_RIGHT)
    write(painter, QRectF(left, box.top() + 161, width, 18), verdict, palette.dim, 12)


def _draw_regions(painter: QPainter, box: QRectF, series: Sequence[Series], palette: Palette) -> None:
    _panel(painter, box, palette)
    top = QRectF(box.left() + 20, box.top() + 14, box.width() - 40, 20)
    _heading(painter, top, "Flicker by region, in %", palette)
    draw_legend(painter, top, series, palette)
    draw_bars(painter, box.adjusted(20, 44, -20, -14), series, palette)


def _draw_points(painter: QPainter, box: QRectF, modes: Sequence[ModeFigures], palette: Palette) -> None:
    _panel(painter, box, palette)
    _heading(painter, QRectF(box.left() + 20, box.top() + 14, SIDE - 40, 20), "Flicker by point", palette)
    area = box.adjusted(30, 40, -30, -52)
    height = area.height() / len(modes)
    for row, mode in enumerate(modes):
        part = QRectF(area.left(), area.top() + row * height, area.width(), height)
        _draw_canonical_face(painter, part.adjusted(0, 8, 0, -24), mode.points, palette)
        below = QRectF(part.left(), part.bottom() - 20, part.width(), 18)
        write(painter, below, mode_name(mode.mode), palette.text, 13, BOLD, CENTRED)
    _draw_colour_scale(painter, QRectF(box.left() + 20, box.bottom() - 38, SIDE - 40, 30), palette)


def _draw_differences(painter: QPainter, box: QRectF, differences: Sequence[str], palette: Palette) -> None:
    _panel(painter, box, palette)
    inner = box.adjusted(20, 14, -20, -14)
    _heading(painter, QRectF(inner.left(), inner.top(), inner.width(), 20), "What else was different", palette)
    if not differences:
        line = QRectF(inner.left(), inner.top() + 34, inner.width(), 20)
        write(painter, line, "Nothing that the cards record.", palette.text, 14)
    top = inner.top() + 34
    for text in differences:
        name, _, values = text.partition(": ")
        if top + 40 > inner.bottom():
            write(painter, QRectF(inner.left(), inner.bottom() - 18, inner.width(), 18), "\u2026", palette.dim, 14)
            break
        write(painter, QRectF(inner.left(), top, inner.width(), 16), name.replace("_", " "), palette.dim, 12)
        write(painter, QRectF(inner.left(), top + 16, inner.width(), 20), values, palette.text, 14)
        top += 46


def _draw_conditions(painter: QPainter, box: QRectF, cells: Sequence[tuple[str, str]], palette: Palette) -> None:
    _panel(painter, box, palette)
    width = (box.width() - 40) / len(cells)
    for column, (name, value) in enumerate(cells):
        left = box.left() + 20 + column * width
        write(painter, QRectF(left, box.top() + 13, width - 8, 18), name, palette.dim, 12)
        write(painter, QRectF(left, box.top() + 34, width - 8, 26), value, palette.text, 17, BOLD)


def _conditions(card: Card) -> list[tuple[str, str]]:
    light, pace, stillness = card.figures.light, card.figures.pace, card.figures.stillness
    return [
        ("Still", f"{stillness.seconds:.1f} of {stillness.asked:g} s"),
        ("Head speed", f"{stillness.speed:.1f} %/s"),
        ("Between the eyes", f"{light.inter_ocular:.0f} px"),
        ("Light", f"{light.light:.0f} of 255"),
        ("Sharpness", f"{light.sharpness:.3g}"),
        ("Sensor noise", f"{light.noise:.1f}"),
        ("Tracking", f"{pace.fps:.1f} fps"),
        ("Latency", f"{pace.latency_p50 * 1e3:.0f} / {pace.latency_p95 * 1e3:.0f} ms"),
    ]


def _draw_footer(painter: QPainter, card: Card, palette: Palette) -> None:
    asked = "" if card.camera.asked in (None, card.camera.got) else f" (asked {card.camera.asked.text()})"
    facts = (
        f"{card.camera.name} {card.camera.got.text()}{asked}",
        card.engine.name,
        f"{card.engine.weights} {card.engine.sha256[:8]}",
        f"LDEQ Live {card.software.ldeq_live}",
        card.software.system,
    )
    write(painter, QRectF(MARGIN, 740, INNER, 20), "   \u00b7   ".join(facts), palette.dim, 12)
    meaning = (
        "Flicker: motion from frame to frame that the picture does not explain. Wander: standard deviation around the "
        "resting place. Both in % of the distance between the outer eye corners."
    )
    write(painter, QRectF(MARGIN, 760, INNER, 18), meaning, palette.faint, 11)


def _one_mode(card: Card) -> str:
    return f"{mode_name(card.modes[0])} alone was measured"


def _colour(mode: ModeFigures, palette: Palette) -> str:
    return palette.modes.get(mode.mode, palette.text)


def _mark(painter: QPainter, x: float, y: float, colour: str) -> None:
    draw_plate(painter, QRectF(x, y - 8, 5, 16), QColor(colour), 2.5)


def _rule(painter: QPainter, x: float, y: float, width: float, palette: Palette) -> None:
    painter.setPen(QColor(palette.line))
    painter.drawLine(QPointF(x, y), QPointF(x + width, y))


def _heading(painter: QPainter, box: QRectF, text: str, palette: Palette) -> None:
    """Write a small heading in spaced capitals."""
    font = theme.figures(11, BOLD)
    font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 1.1)
    painter.setFont(font)
    painter.setPen(QColor(palette.dim))
    painter.drawText(box, AT_LEFT, text.upper())


def _panel(painter: QPainter, box: QRectF, palette: Palette) -> None:
    """Fill a rounded panel."""
    painter.setPen(QPen(QColor(palette.line), 1.0) if palette.name == "light" else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.card))
    painter.drawRoundedRect(box, RADIUS, RADIUS)


def _note(painter: QPainter, box: QRectF, text: str, palette: Palette) -> None:
    """Write a prominent sentence with a mark before it."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.demo))
    painter.drawEllipse(QPointF(box.left() + 4, box.center().y()), 4, 4)
    write(painter, box.adjusted(18, 0, 0, 0), text, palette.demo, 14, BOLD)


def _draw_canonical_face(painter: QPainter, box: QRectF, values: Sequence[float], palette: Palette) -> None:
    """Draw the canonical face with its 98 points coloured and sized by their flicker in %."""
    face = canonical_face()
    low, high = face.min(axis=0), face.max(axis=0)
    scale = min(box.width() / (high - low)[0], box.height() / (high - low)[1])
    points = (face - (low + high) / 2) * scale + (box.center().x(), box.center().y())
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(palette.faint), 1.0))
    for region in REGIONS:
        for path in region.paths:
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points[list(path)].tolist()]))
    places = np.clip(np.log(np.maximum(values, 1e-6) / LOWEST) / np.log(HIGHEST / LOWEST), 0.0, 1.0)
    painter.setPen(QPen(QColor(0, 0, 0, 110), 0.7))
    unit = scale / 130
    for (x, y), place in zip(points.tolist(), places.tolist(), strict=True):
        painter.setBrush(_heat(place))
        radius = unit * (2.2 + 2.6 * place)
        painter.drawEllipse(QPointF(x, y), radius, radius)


def _heat(place: float) -> QColor:
    """Return the colour at a place of the scale, 0 to 1."""
    red, green, blue = HEAT_COLOURS[min(LEVELS - 1, int(place * LEVELS))].tolist()
    return QColor(red, green, blue)


def _draw_colour_scale(painter: QPainter, box: QRectF, palette: Palette) -> None:
    """Draw the colour scale of single points with its figures."""
    bar = QRectF(box.left() + 20, box.top(), box.width() - 40, 7)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for step in range(11):
        gradient.setColorAt(step / 10, _heat(step / 10))
    draw_plate(painter, bar, gradient, 3.5)
    for tick in TICKS:
        place = float(np.log(tick / LOWEST) / np.log(HIGHEST / LOWEST))
        around = QRectF(bar.left() + place * bar.width() - 30, bar.bottom() + 3, 60, 14)
        write(painter, around, f"{tick:g} %", palette.dim, 11, align=CENTRED)
