// A plot over the last minutes: uPlot draws, this part gives it the colours of the page and a size that follows.
import { html, useEffect, useRef } from "../ui.js";
import { watchColours } from "../theme.js";
import uPlot from "../../vendor/uplot.js";

const HEIGHT = 170;

/** A colour of the page as a canvas understands it. */
function resolved(element, name) {
  const probe = element.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function options(series, unit, element) {
  const colour = (name) => resolved(element, name);
  const [ink, grid] = [colour("--plot-ink"), colour("--plot-grid")];
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 5);
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { live: true },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 4) * 1.1] } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(clock), space: 70 },
      { ...axis, size: 56, values: (_, ticks) => ticks.map(unit), space: 34 },
    ],
    series: [
      { label: "at", value: (_, at) => (at ? new Date(at * 1000).toTimeString().slice(0, 8) : "–") },
      ...series.map(({ label, tone, dash, bars }) => ({
        label,
        dash,
        stroke: colour(tone),
        fill: bars ? colour(`${tone}-soft`) : undefined,
        width: 2,
        spanGaps: true,
        points: bars || dash ? { show: false } : { show: true, size: 5, fill: colour(tone) },
        value: (_, value) => (value === null || value === undefined ? "–" : unit(value)),
        paths: bars ? uPlot.paths.stepped({ align: -1 }) : uPlot.paths.spline(),
      })),
    ],
  };
}

/** `data`: `[times in seconds, values…]`; `series`: `[{label, tone, bars?, dash?}]`; `summary` says it in words. */
export function Plot({ data, series, unit, summary }) {
  const place = useRef(null);
  const plot = useRef(null);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(series, unit, place.current), latest.current, place.current);
    };
    const sizes = new ResizeObserver(([{ contentRect }]) => {
      if (plot.current && contentRect.width !== plot.current.width) {
        plot.current.setSize({ width: contentRect.width, height: HEIGHT });
      }
    });
    draw();
    sizes.observe(place.current);
    const end = watchColours(() => requestAnimationFrame(draw));
    return () => {
      end();
      sizes.disconnect();
      plot.current.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<figure class="plot"><div ref=${place} aria-hidden="true"></div><figcaption>${summary}</figcaption></figure>`;
}
