"""Plots as SVG, without a library: horizontal bars, and lines over time. Colours read on light and on dark pages."""

from html import escape

WIDTH, LEFT, RIGHT = 760, 150, 150
GREY, OURS, THEIRS = "#888888", "#2f7ed8", "#a0a8b0"
LINES = ["#2f7ed8", "#e08e0b", "#4a9c4a", "#b04a8c"]


def document(title, height, parts):
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="{GREY}">'
    )
    return "\n".join([head, f"<title>{escape(title)}</title>", text(10, 22, title, size=15), *parts, "</svg>", ""])


def text(x, y, words, anchor="start", size=13):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def bars(title, unit, rows):
    """`rows`: name, median, least, most. The line across a bar is the spread of the rounds."""
    most = max(row[3] for row in rows) or 1
    scale = (WIDTH - LEFT - RIGHT) / most
    parts = []
    for number, (name, median, least, greatest) in enumerate(rows):
        y = 42 + 30 * number
        colour = OURS if name.startswith("callboard") else THEIRS
        parts.append(text(LEFT - 10, y + 14, name, "end"))
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{max(1, median * scale):.1f}" height="20" rx="2" fill="{colour}"/>')
        parts.append(f'<path d="M{LEFT + least * scale:.1f} {y + 10}H{LEFT + greatest * scale:.1f}" stroke="{GREY}" stroke-width="2"/>')
        parts.append(text(LEFT + greatest * scale + 8, y + 14, f"{median:.3g} {unit}"))
    return document(title, 52 + 30 * len(rows), parts)


def lines(title, x_unit, y_unit, series):
    """`series`: name to points (x, y), both from 0 up."""
    top, bottom, left, right = 40, 300, 70, WIDTH - 150
    x_most = max(x for points in series.values() for x, _ in points) or 1
    y_most = max(y for points in series.values() for _, y in points) or 1
    at = lambda x, y: f"{left + (right - left) * x / x_most:.1f} {bottom - (bottom - top) * y / y_most:.1f}"
    parts = [f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{GREY}"/>']
    for part in (0, 0.5, 1):
        parts.append(text(left - 8, bottom - (bottom - top) * part + 4, f"{y_most * part:.3g}", "end"))
        parts.append(text(left + (right - left) * part, bottom + 18, f"{x_most * part:.3g}", "middle"))
    parts += [text(left - 8, top - 6, y_unit, "end", 11), text(right + 10, bottom + 18, x_unit)]
    for number, (name, points) in enumerate(series.items()):
        colour = LINES[number % len(LINES)]
        path = "M" + "L".join(at(max(0, x), max(0, y)) for x, y in points)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = top + 22 * number
        parts.append(f'<rect x="{right + 20}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(text(right + 38, y, name))
    return document(title, bottom + 40, parts)
