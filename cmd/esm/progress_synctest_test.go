package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/event"
)

// TestProgress: on a terminal there is one line, updated at most ten times a second and removed at the end; elsewhere
// there is nothing.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, 1000)
		one := func(outcome redrive.Outcome) {
			p.add(redrive.Settled{Item: &redrive.Item{Records: make([]event.KafkaRecord, 2)}, Outcome: outcome})
		}
		one(redrive.Redriven)
		if p.clear(); out.Len() > 0 {
			t.Errorf("a file got %q", out.String())
		}
		p.on = true // a buffer is not a terminal
		for range 518 {
			one(redrive.Redriven)
		}
		if n := strings.Count(out.String(), "\r"); n != 1 {
			t.Errorf("%d lines in no time", n)
		}
		out.Reset()
		time.Sleep(2 * time.Second)
		one(redrive.Returned)
		if want := "\r[============>            ]  52% 520 of 1000 failures, 1038 records, 519/s, 1 failed again\x1b[K"; out.String() != want {
			t.Errorf("it shows %q, want %q", out.String(), want)
		}
		out.Reset()
		if p.clear(); out.String() != "\r\x1b[K" {
			t.Errorf("it clears with %q", out.String())
		}
		if got := (&progress{total: -1, read: 5}).text(time.Now()); !strings.HasPrefix(got, "5 failures, 0 records") {
			t.Errorf("of an unknown number it shows %q", got)
		}
	})
}
