package condition

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A rebalance gets its two lines at once. Many in a row get one line every two minutes, and all of them at DEBUG.
func TestSaidOfGroup(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 2 + 4, slog.LevelDebug: 2 * 60} {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))
		said, begin := SaidOfGroup(), time.Unix(1000, 0)
		for n := range 60 { // ten minutes
			now := begin.Add(time.Duration(n) * 10 * time.Second)
			said.Warn(log, now, "partitions lost")
			said.Info(log, now, "partitions assigned")
		}
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%v: %d lines, want %d:\n%s", level, got, want, out.String())
		}
		if level == slog.LevelInfo && !strings.Contains(out.String(), "unsaid=") {
			t.Errorf("nothing says how many were left out:\n%s", out.String())
		}
	}
}
