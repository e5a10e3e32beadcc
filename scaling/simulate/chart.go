package simulate

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"

	"github.com/esm-go/esm/scaling"
)

// The chart's layout, in SVG units.
const (
	chartWidth, chartHeight = 960.0, 560.0
	plotLeft, plotRight     = 76.0, 936.0
	lagTop, lagBottom       = 84.0, 284.0
	workTop, workBottom     = 316.0, 476.0
)

const chartStyle = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#475569}
.title{font-size:17px;font-weight:600;fill:#0f172a}.sub{font-size:12px}.axis{font-size:11px;fill:#64748b}
.grid{stroke:#e2e8f0;stroke-width:1}.lag{fill:#f9731633;stroke:#ea580c;stroke-width:1.6}
.target{fill:none;stroke:#1d4ed8;stroke-width:1.8}.busy{fill:#60a5fa44;stroke:none}
.why{stroke:#94a3b8;stroke-dasharray:2 3}.dot{stroke:#fff;stroke-width:1}
</style>
`

// kindColors are the colours of the reasons; all others are grey.
var kindColors = map[scaling.Kind]string{
	scaling.CatchingUp: "#ea580c", scaling.LoadRose: "#1d4ed8", scaling.LoadFell: "#0d9488", scaling.AtMaximum: "#b91c1c", scaling.HotPartition: "#c026d3",
	scaling.Throttled: "#ca8a04", scaling.Failing: "#dc2626", scaling.Slowing: "#a16207", scaling.FetchBound: "#7c3aed", scaling.Steady: "#16a34a",
}

// WriteChart draws a run as SVG: the lag at the top, the capacity below it (the line is what was asked for,
// the area what was busy), and a coloured mark wherever the reason changed. Hovering over a mark shows the
// whole reason.
func WriteChart(w io.Writer, policy string, r *Result) error {
	c := chart{result: r}
	for _, p := range r.Points {
		c.span = max(c.span, p.At)
		c.topLag = max(c.topLag, float64(p.Lag))
		c.topWork = max(c.topWork, float64(max(p.Target, p.Busy)))
	}
	c.span = max(c.span, time.Second)
	c.topLag, c.topWork = niceTop(c.topLag), niceTop(c.topWork)
	c.draw(policy)
	_, err := io.WriteString(w, c.b.String())
	return err
}

type chart struct {
	b               strings.Builder
	result          *Result
	span            time.Duration
	topLag, topWork float64
}

func (c *chart) f(format string, args ...any) { fmt.Fprintf(&c.b, format, args...) }

func (c *chart) x(at time.Duration) float64 {
	return plotLeft + (plotRight-plotLeft)*at.Seconds()/c.span.Seconds()
}

func y(value, top, high, low float64) float64 { return low - (low-high)*value/top }

func (c *chart) draw(policy string) {
	r := c.result
	c.f("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n%s", chartWidth, chartHeight, chartStyle)
	c.f("<rect width=\"100%%\" height=\"100%%\" rx=\"10\" fill=\"#fff\"/>\n")
	c.f("<text class=\"title\" x=\"%.0f\" y=\"34\">%s under %s</text>\n", plotLeft, html.EscapeString(r.Trace), html.EscapeString(policy))
	drained := "drained in " + r.DrainTime.Round(100*time.Millisecond).String()
	if !r.Drained {
		drained = "not drained"
	}
	c.f("<text class=\"sub\" x=\"%.0f\" y=\"54\">%s · %.0f worker-seconds · %s record-seconds of backlog · %d changes, %d reversals</text>\n",
		plotLeft, drained, r.WorkerSeconds, short(r.BacklogArea), r.Changes, r.Reversals)
	c.grid("lag", c.topLag, lagTop, lagBottom)
	c.grid("workers", c.topWork, workTop, workBottom)
	c.times()
	c.area("lag", lagBottom, func(p *Point) float64 { return y(float64(p.Lag), c.topLag, lagTop, lagBottom) })
	c.area("busy", workBottom, func(p *Point) float64 { return y(float64(p.Busy), c.topWork, workTop, workBottom) })
	c.steps()
	c.reasons()
	c.f("</svg>\n")
}

func (c *chart) grid(name string, top, high, low float64) {
	c.f("<text x=\"%.0f\" y=\"%.0f\">%s</text>\n", plotLeft, high-8, name)
	for i := range 5 {
		value := top * float64(i) / 4
		at := y(value, top, high, low)
		c.f("<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>", plotLeft, plotRight, at, at)
		c.f("<text class=\"axis\" text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">%s</text>\n", plotLeft-8, at+4, short(value))
	}
}

func (c *chart) times() {
	step := time.Duration(niceTop(c.span.Minutes())/8*60) * time.Second
	for at := time.Duration(0); at <= c.span; at += max(step, time.Second) {
		c.f("<text class=\"axis\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.0f\">%s</text>\n", c.x(at), workBottom+18, at)
	}
}

func (c *chart) area(class string, base float64, height func(*Point) float64) {
	c.f("<path class=\"%s\" d=\"M%.1f %.1f", class, plotLeft, base)
	for i := range c.result.Points {
		p := &c.result.Points[i]
		c.f("L%.1f %.1f", c.x(p.At), height(p))
	}
	c.f("L%.1f %.1fZ\"/>\n", plotRight, base)
}

func (c *chart) steps() {
	c.f("<path class=\"target\" d=\"")
	last := math.NaN()
	for i := range c.result.Points {
		p := &c.result.Points[i]
		at := y(float64(p.Target), c.topWork, workTop, workBottom)
		switch {
		case i == 0:
			c.f("M%.1f %.1f", c.x(p.At), at)
		case at != last:
			c.f("H%.1fV%.1f", c.x(p.At), at)
		}
		last = at
	}
	c.f("H%.1f\"/>\n", plotRight)
}

// reasons marks where the kind of reason changed, and draws the legend of the colours.
func (c *chart) reasons() {
	seen := make(map[scaling.Kind]bool)
	var order []scaling.Kind
	last := scaling.Kind(-1)
	for _, d := range c.result.Decisions {
		kind := d.Reason.Kind
		if kind == last {
			continue
		}
		last = kind
		if !seen[kind] {
			seen[kind] = true
			order = append(order, kind)
		}
		at := c.x(d.At)
		c.f("<g><title>%s  %s</title><line class=\"why\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\"/><circle class=\"dot\" cx=\"%.1f\" cy=\"%.0f\" r=\"5\" fill=\"%s\"/></g>\n",
			d.At.Round(100*time.Millisecond), html.EscapeString(d.Reason.String()), at, at, lagTop, workBottom, at, workTop-16, color(kind))
	}
	at := plotLeft
	for _, kind := range order {
		c.f("<circle cx=\"%.1f\" cy=\"522\" r=\"5\" fill=\"%s\"/><text x=\"%.1f\" y=\"526\">%s</text>\n", at+5, color(kind), at+15, kind)
		at += 34 + 6.6*float64(len(kind.String()))
	}
}

func color(k scaling.Kind) string {
	if c, ok := kindColors[k]; ok {
		return c
	}
	return "#64748b"
}

// niceTop rounds up to a number that divides well by four.
func niceTop(v float64) float64 {
	if v <= 4 {
		return 4
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if v <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

// short formats a number as an axis label: 1.2k, 3M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
