package main

import (
	"fmt"
	"math"
	"strings"
)

// The chart's dimensions, in pixels.
const (
	chartWidth  = 1080
	labelWidth  = 330
	barWidth    = 250
	rowHeight   = 22
	cellHeader  = 58
	chartMargin = 24
)

var barColors = map[string]string{"esm": "#d9480f", "bare": "#495057", "hand": "#adb5bd", "peer": "#4c6ef5"}

// chart draws the cells as bars: records/s on the left, CPU time per record on the right.
func chart(cells []cell, title string) string {
	var body strings.Builder
	y := 74
	for _, c := range cells {
		var mostRate, mostNanos float64
		for _, r := range c.rows {
			mostRate = math.Max(mostRate, orZero(r.rate()))
			mostNanos = math.Max(mostNanos, orZero(r.nanos()))
		}
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="h">%s</text>`+"\n", chartMargin, y+22, c.setting)
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="s">M records/s (longer is better)</text>`+"\n", labelWidth, y+44)
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="s">CPU ns a record (shorter is better)</text>`+"\n", labelWidth+barWidth+110, y+44)
		y += cellHeader
		for _, r := range c.rows {
			if len(r.results) == 0 {
				continue
			}
			color := barColors[r.contestant.peer]
			label := strings.ReplaceAll(r.contestant.label, "**", "")
			if i := strings.IndexByte(label, ';'); i > 0 {
				label = label[:i]
			}
			fmt.Fprintf(&body, `<text x="%d" y="%d" class="l">%s</text>`+"\n", chartMargin, y+14, label)
			bar(&body, labelWidth, y, r.rate()/mostRate, color, fmt.Sprintf("%.2f", r.rate()/1e6))
			bar(&body, labelWidth+barWidth+110, y, r.nanos()/mostNanos, color, fmt.Sprintf("%.0f", r.nanos()))
			y += rowHeight
		}
		y += 14
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", chartWidth, y+chartMargin, chartWidth, y+chartMargin)
	b.WriteString(`<style>text{font-family:system-ui,sans-serif;fill:#212529}.t{font-size:20px;font-weight:600}.h{font-size:15px;font-weight:600}.l{font-size:12px}.s,.v{font-size:11px;fill:#495057}</style>` + "\n")
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	fmt.Fprintf(&b, `<text x="%d" y="36" class="t">%s</text>`+"\n", chartMargin, title)
	x := chartMargin
	for _, k := range []struct{ peer, name string }{{"esm", "esm"}, {"bare", "bare loop of the client"}, {"hand", "hand-written: commit after each batch"}, {"peer", "other libraries"}} {
		fmt.Fprintf(&b, `<rect x="%d" y="52" width="12" height="12" fill="%s"/><text x="%d" y="62" class="l">%s</text>`+"\n", x, barColors[k.peer], x+18, k.name)
		x += 40 + 7*len(k.name)
	}
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

func bar(b *strings.Builder, x, y int, share float64, color, value string) {
	w := math.Max(1, orZero(share)*barWidth)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="15" fill="%s"/><text x="%.1f" y="%d" class="v">%s</text>`+"\n", x, y+2, w, color, float64(x)+w+6, y+14, value)
}

func orZero(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
