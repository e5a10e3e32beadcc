package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/esm-go/esm/destination/redrive"
)

// progress is a status line that is redrawn on a terminal. On anything else it prints nothing.
type progress struct {
	w       io.Writer
	on      bool
	total   int64
	read    int64
	records int64
	back    int64
	began   time.Time
	shown   time.Time
}

// refresh is the time between two updates.
const refresh = 100 * time.Millisecond

func newProgress(w io.Writer, total int64) *progress {
	p := &progress{w: w, total: total, began: time.Now()}
	if f, ok := w.(*os.File); ok {
		p.on = term.IsTerminal(int(f.Fd()))
	}
	return p
}

func (p *progress) add(i redrive.Settled) {
	p.read++
	switch i.Outcome {
	case redrive.Redriven:
		p.records += int64(len(i.Records))
	case redrive.Returned:
		p.back++
	case redrive.PassedOver, redrive.Gone, redrive.Inexact, redrive.Unreadable:
	}
	if now := time.Now(); p.on && now.Sub(p.shown) >= refresh {
		p.shown = now
		_, _ = fmt.Fprintf(p.w, "\r%s\x1b[K", p.text(now))
	}
}

// text returns the line: [=====>     ] 52% 520 of 1000 failures, 900 records, 300/s, 3 failed again.
func (p *progress) text(now time.Time) string {
	var b strings.Builder
	if p.total > 0 {
		const width = 24
		done := min(float64(p.read)/float64(p.total), 1)
		full := int(done * width)
		fmt.Fprintf(&b, "[%s>%s] %3.0f%% %d of %d failures", strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*done, p.read, p.total)
	} else {
		fmt.Fprintf(&b, "%d failures", p.read)
	}
	fmt.Fprintf(&b, ", %d records", p.records)
	if s := now.Sub(p.began).Seconds(); s >= 1 {
		fmt.Fprintf(&b, ", %.0f/s", float64(p.records)/s)
	}
	if p.back > 0 {
		fmt.Fprintf(&b, ", %d failed again", p.back)
	}
	return b.String()
}

// clear removes the line.
func (p *progress) clear() {
	if p.on && !p.shown.IsZero() {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}
