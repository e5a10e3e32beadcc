package main

import (
	"fmt"
	"math"
	"strings"
)

// table formats the cells as markdown.
func table(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, "### %s\n\n", c.setting)
		b.WriteString("| contestant | records/s | of its bare loop | CPU ns/record | peak MB | records a batch |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
		for _, r := range c.rows {
			if r.failed != "" && len(r.results) == 0 {
				fmt.Fprintf(&b, "| %s | %s | | | | |\n", r.contestant.label, strings.NewReplacer("|", "/", "\n", " ").Replace(r.failed))
				continue
			}
			ratio, batch := "", "–"
			if bare, ok := bareOf[r.contestant.name]; ok && c.row(bare) != nil {
				ratio = fmt.Sprintf("%.2f", c.ratio(r.contestant.name, bare, result.rate))
			}
			if r.contestant.batches {
				batch = fmt.Sprintf("%.0f", r.median(func(r result) float64 { return float64(r.Records) / float64(r.Batches) }))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.0f | %s |\n", r.contestant.label, millions(r.rate()), ratio, r.nanos(), r.peak(), batch)
		}
		b.WriteString("\n")
	}
	return b.String()
}

var bareOf = map[string]string{
	"esm-franz": "franz-bare", "franz-hand": "franz-bare", "esm-confluent": "confluent-bare", "confluent-hand": "confluent-bare",
}

// target is a figure to reach, as a ratio within one run.
type target struct {
	what   string
	a, b   string
	f      func(result) float64
	want   float64
	atMost bool
}

func targets() []target {
	return []target{
		{what: "esm (franz) ÷ bare franz-go, records/s", a: "esm-franz", b: "franz-bare", f: result.rate, want: 0.9},
		{what: "esm (confluent) ÷ bare confluent, records/s", a: "esm-confluent", b: "confluent-bare", f: result.rate, want: 0.95},
		{what: "esm (franz) ÷ watermill, records/s", a: "esm-franz", b: "watermill", f: result.rate, want: 3},
		{what: "esm (franz) ÷ segmentio, records/s", a: "esm-franz", b: "segmentio", f: result.rate, want: 1.5},
		{what: "esm (franz) ÷ segmentio, CPU a record", a: "esm-franz", b: "segmentio", f: result.nanos, want: 0.5, atMost: true},
		{what: "esm (franz) ÷ sarama, records/s", a: "esm-franz", b: "sarama", f: result.rate, want: 1},
		{what: "esm (franz) ÷ ConsumerPerformance, records/s", a: "esm-franz", b: javaName, f: result.rate, want: 1},
	}
}

// figures formats the important ratios, with their targets.
func figures(cells []cell) string {
	var b strings.Builder
	b.WriteString("| figure | want |")
	for _, c := range cells {
		fmt.Fprintf(&b, " %s |", c.setting)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" ---: |", len(cells)) + "\n")
	line := func(what, want string, f func(cell) (float64, bool)) {
		fmt.Fprintf(&b, "| %s | %s |", what, want)
		for _, c := range cells {
			v, ok := f(c)
			switch {
			case math.IsNaN(v):
				b.WriteString(" – |")
			case ok:
				fmt.Fprintf(&b, " %.2f |", v)
			default:
				fmt.Fprintf(&b, " %.2f **missed** |", v)
			}
		}
		b.WriteString("\n")
	}
	for _, t := range targets() {
		sign := "≥"
		if t.atMost {
			sign = "≤"
		}
		line(t.what, fmt.Sprintf("%s %.2g", sign, t.want), func(c cell) (float64, bool) {
			v := c.ratio(t.a, t.b, t.f)
			return v, (v >= t.want) != t.atMost
		})
	}
	line("esm (franz), M records a second of CPU time", "≥ 2.5 at 100 B", func(c cell) (float64, bool) {
		r := c.row("esm-franz")
		if r == nil || len(r.results) == 0 {
			return math.NaN(), true
		}
		v := 1e3 / r.nanos()
		return v, v >= 2.5 || c.setting.Value != 100
	})
	for _, p := range [][2]string{{"esm-franz", "franz-bare"}, {"esm-confluent", "confluent-bare"}} {
		line(p[0]+": peak memory over the bare loop's, MB", "≤ 64", func(c cell) (float64, bool) {
			x, y := c.row(p[0]), c.row(p[1])
			if x == nil || y == nil || len(x.results) == 0 || len(y.results) == 0 {
				return math.NaN(), true
			}
			v := x.peak() - y.peak()
			return v, v <= 64
		})
	}
	return b.String()
}
