//! Latency over offered load as an SVG: both axes logarithmic, a line for each server and percentile.

/// One line of the plot. The lines of a server have its colour; those of its 99th percentile are
/// dashed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) server: String,
    pub(super) percentile: u8,
    pub(super) points: Vec<Point>,
}

/// Hollow unless `whole`: unless everything that was published had come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Messages per second.
    pub(super) rate: f64,
    pub(super) micros: f64,
    pub(super) whole: bool,
}

/// Values from `low` to `high`, by their logarithms, on pixels from `from` to `to`.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 650.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 400.0;

/// Distinguishable without telling red from green.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
const GREY: &str = "#767676";

pub(super) fn svg(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let mut rates: Vec<f64> = points().map(|point| point.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let x = Scale::around(rates.iter().copied(), LEFT + 20.0, RIGHT - 20.0);
    let y = Scale::around(points().map(|point| point.micros), BOTTOM, TOP).whole_decades();

    let mut out = vec![format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <title>Latency over offered load</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>"
    )];
    for value in y.ticks() {
        let at = y.at(value);
        let decade = is_decade(value);
        line(&mut out, [LEFT, at, RIGHT, at], if decade { "#ccc" } else { "#eee" });
        if decade {
            line(&mut out, [LEFT - 5.0, at, LEFT, at], GREY);
            text(&mut out, LEFT - 9.0, at + 4.0, "end", &duration(value));
        }
    }
    for &rate in &rates {
        let at = x.at(rate);
        line(&mut out, [at, BOTTOM, at, BOTTOM + 5.0], GREY);
        text(&mut out, at, BOTTOM + 19.0, "middle", &rate.to_string());
    }
    line(&mut out, [LEFT, TOP, LEFT, BOTTOM], GREY);
    line(&mut out, [LEFT, BOTTOM, RIGHT, BOTTOM], GREY);
    let middle = f64::midpoint(LEFT, RIGHT);
    text(&mut out, middle, BOTTOM + 42.0, "middle", "messages offered per second");
    let middle = f64::midpoint(TOP, BOTTOM);
    out.push(format!("<g transform=\"rotate(-90 18 {middle})\">"));
    text(&mut out, 18.0, middle, "middle", "from publishing to delivery");
    out.push("</g>".to_owned());

    let servers = servers(lines);
    for line in lines {
        let nth = servers.iter().position(|server| *server == line.server).unwrap_or(0);
        draw(&mut out, line, COLOURS[nth % COLOURS.len()], x, y);
    }
    legend(&mut out, &servers);
    out.push("</svg>\n".to_owned());
    out.join("\n")
}

/// The servers in the order of their lines.
fn servers(lines: &[Line]) -> Vec<&str> {
    let mut servers: Vec<&str> = lines.iter().map(|line| line.server.as_str()).collect();
    servers.dedup();
    servers
}

fn draw(out: &mut Vec<String>, line: &Line, colour: &str, x: Scale, y: Scale) {
    let at: Vec<_> = line
        .points
        .iter()
        .map(|point| (x.at(point.rate), y.at(point.micros), point.whole))
        .collect();
    let corners: Vec<_> = at.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    let dash = if line.percentile == 99 { " stroke-dasharray=\"6 4\"" } else { "" };
    out.push(format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>",
        corners.join(" ")
    ));
    for (x, y, whole) in at {
        dot(out, x, y, colour, whole);
    }
}

fn legend(out: &mut Vec<String>, servers: &[&str]) {
    const KEY: f64 = RIGHT + 18.0;
    const NAME: f64 = KEY + 40.0;
    let mut at = TOP + 12.0;
    for (nth, server) in servers.iter().enumerate() {
        key(out, [KEY, at], COLOURS[nth % COLOURS.len()], "");
        text(out, NAME, at + 4.0, "start", server);
        at += 20.0;
    }
    at += 12.0;
    for (name, dash) in [("p50", ""), ("p99", " stroke-dasharray=\"6 4\"")] {
        key(out, [KEY, at], GREY, dash);
        text(out, NAME, at + 4.0, "start", name);
        at += 20.0;
    }
    dot(out, KEY + 15.0, at, GREY, false);
    text(out, NAME, at + 4.0, "start", "some lost or late");
}

fn key(out: &mut Vec<String>, [x, y]: [f64; 2], colour: &str, dash: &str) {
    let end = x + 30.0;
    out.push(format!("<path d=\"M{x} {y}H{end}\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>"));
}

fn dot(out: &mut Vec<String>, x: f64, y: f64, colour: &str, whole: bool) {
    let fill = if whole { colour } else { "#fff" };
    out.push(format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{fill}\" stroke=\"{colour}\" \
         stroke-width=\"1.5\"/>"
    ));
}

fn line(out: &mut Vec<String>, [x1, y1, x2, y2]: [f64; 4], colour: &str) {
    out.push(format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\"/>"));
}

fn text(out: &mut Vec<String>, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    out.push(format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
}

/// Microseconds in the unit that needs the fewest digits.
fn duration(micros: f64) -> String {
    match micros {
        1e6.. => format!("{} s", micros / 1e6),
        1e3.. => format!("{} ms", micros / 1e3),
        _ => format!("{micros} µs"),
    }
}

fn is_decade(value: f64) -> bool {
    (value.log10() - value.log10().round()).abs() < 1e-6
}

// === impl Scale ===

impl Scale {
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        Self { low, high, from, to }
    }

    fn whole_decades(mut self) -> Self {
        self.low = 10_f64.powf(self.low.log10().floor());
        self.high = 10_f64.powf(self.high.log10().ceil());
        self
    }

    /// A single value is in the middle.
    fn at(self, value: f64) -> f64 {
        let span = self.high.log10() - self.low.log10();
        let part = if span > 0.0 { (value.log10() - self.low.log10()) / span } else { 0.5 };
        self.from + part * (self.to - self.from)
    }

    /// One, two and five of each decade.
    fn ticks(self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut decade = self.low;
        while decade <= self.high * 1.001 {
            let within = [1.0, 2.0, 5.0].map(|step| step * decade);
            ticks.extend(within.into_iter().filter(|tick| *tick <= self.high * 1.001));
            decade *= 10.0;
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_even_in_the_logarithm() {
        let y = Scale::around([30.0, 700.0].into_iter(), 400.0, 100.0).whole_decades();
        let shown =
            |values: &[f64]| values.iter().map(|value| format!("{value:.0}")).collect::<Vec<_>>();
        assert_eq!(shown(&[10.0, 100.0, 1000.0].map(|micros| y.at(micros))), ["400", "250", "100"]);
        assert_eq!(shown(&y.ticks()), ["10", "20", "50", "100", "200", "500", "1000"]);
        let one = Scale::around([5.0].into_iter(), 0.0, 10.0);
        assert_eq!(shown(&[one.at(5.0)]), ["5"]);
    }

    #[test]
    fn durations_are_short() {
        let durations = [50.0, 1e3, 2e5, 1e6].map(duration);
        assert_eq!(durations, ["50 µs", "1 ms", "200 ms", "1 s"]);
    }

    #[test]
    fn a_plot_has_a_line_for_each_percentile_and_a_dot_for_each_point() {
        let line = |server: &str, percentile, whole| Line {
            server: server.to_owned(),
            percentile,
            points: [(10.0, 80.0), (100.0, 2000.0)]
                .map(|(rate, micros)| Point { rate, micros, whole })
                .to_vec(),
        };
        let svg = svg(&[line("a<b", 50, true), line("a<b", 99, true), line("c", 50, false)]);
        let count = |part: &str| svg.matches(part).count();
        assert_eq!((count("<polyline"), count("<circle")), (3, 7));
        assert_eq!((count("stroke-dasharray"), count("fill=\"#fff\" stroke")), (2, 3));
        assert_eq!((count(">a&lt;b</text>"), count(">10 ms</text>")), (1, 1));
        let first = format!("points=\"{:.1},", LEFT + 20.0);
        assert_eq!((count(&first), count("NaN")), (3, 0));
    }
}
