//! The report: a page and a plot.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::ledger::Ledger;
use crate::watch::Sample;

/// The area of the plot, in pixels, and what is left of it for the axes.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 56.0;

/// A line of the plot: its name, its colour, what it shows, and the unit.
type Line = (&'static str, &'static str, fn(&Sample) -> f64, &'static str);

const LINES: [Line; 3] = [
    ("resident memory", "#c0392b", |sample| sample.memory as f64 / 1024.0, "MiB"),
    ("sessions", "#2471a3", |sample| sample.sum("callboard_sessions", ""), ""),
    ("actors", "#229954", |sample| sample.sum("callboard_actors", ""), ""),
];

/// Writes `soak.md` and `soak.svg`; says whether everything was as promised.
pub fn write(
    out: &Path,
    ledger: &Ledger,
    samples: &[Sample],
    (before, after): (&Sample, &Sample),
    clients: usize,
    load: Duration,
) -> bool {
    let (counts, violations) = ledger.summary();
    let mut page = format!(
        "{clients} clients at a time for {:.0} s; {}.\n\n| at rest | after the warm-up | at the end |\n| --- | --- | --- |\n",
        load.as_secs_f64(),
        if violations.is_empty() {
            "everything was as promised".to_owned()
        } else {
            format!("**{} violations**", violations.len())
        },
    );
    let mib = |sample: &Sample| sample.memory as f64 / 1024.0;
    let change = (mib(after) / mib(before) - 1.0) * 100.0;
    let _ = writeln!(
        page,
        "| resident memory, the least look, MiB | {:.1} | {:.1} ({change:+.1} %) |",
        mib(before),
        mib(after)
    );
    for (name, before, after) in [("middle", before.usual, after.usual), ("highest", before.most, after.most)] {
        let [before, after] = [before, after].map(|memory| memory as f64 / 1024.0);
        let _ = writeln!(page, "| its {name} look, MiB | {before:.1} | {after:.1} |");
    }
    let peak = samples.iter().map(mib).fold(0.0, f64::max);
    let _ = writeln!(page, "| threads | {} | {} |", before.thread_count(), after.thread_count());
    let _ = writeln!(page, "| descriptors | {} | {} |", before.descriptor_count(), after.descriptor_count());
    let sum = |sample: &Sample, name: &str| sample.sum(name, "");
    for name in [
        "callboard_sessions", "callboard_actors", "callboard_open_runs", "callboard_journal_records",
        "callboard_journal_bytes",
    ] {
        let _ = writeln!(page, "| `{name}` | {} | {} |", sum(before, name), sum(after, name));
    }
    let _ = writeln!(page, "\nThe most memory under load was {peak:.1} MiB.\n\n| what | how often |\n| --- | --- |");
    for (what, count) in counts {
        let _ = writeln!(page, "| {what} | {count} |");
    }
    for violation in &violations {
        let _ = writeln!(page, "\n- {}", violation.replace('\n', " "));
    }
    let _ = writeln!(page, "\n![Memory, sessions and actors over time](soak.svg)");
    std::fs::create_dir_all(out).unwrap();
    std::fs::write(out.join("soak.md"), &page).unwrap();
    std::fs::write(out.join("soak.svg"), plot(samples)).unwrap();
    println!("{page}");
    violations.is_empty()
}

fn plot(samples: &[Sample]) -> String {
    let end = samples.last().map_or(1.0, |sample| sample.at);
    let (width, height) = (WIDTH + 2.0 * MARGIN, LINES.len() as f64 * (HEIGHT + MARGIN) + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, (name, colour, value, unit)) in LINES.iter().enumerate() {
        let top = MARGIN + number as f64 * (HEIGHT + MARGIN);
        let bottom = top + HEIGHT;
        let most = samples.iter().map(value).fold(1.0, f64::max) * 1.05;
        let point = |sample: &Sample| {
            let (x, y) = (MARGIN + sample.at / end * WIDTH, bottom - value(sample) / most * HEIGHT);
            format!("{x:.1},{y:.1}")
        };
        let points: Vec<String> = samples.iter().map(point).collect();
        let right = MARGIN + WIDTH;
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{}\">{name} {unit}</text>\n\
             <path d=\"M{MARGIN},{top} V{bottom} H{right}\" fill=\"none\" stroke=\"#888\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most:.0}</text>\n\
             <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
             <text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{end:.0} s</text>\n\
             <polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            top - 8.0,
            MARGIN - 6.0,
            top + 10.0,
            MARGIN - 6.0,
            bottom + 16.0,
            points.join(" "),
        );
    }
    svg + "</svg>\n"
}
