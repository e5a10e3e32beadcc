package esm_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/esm-go/esm"
)

// secretMarks is what nothing may print: the first begins every password of these tests, the other two begin each line of a private key's PEM block, and its
// content in PKCS#8 for the kind of keys that are made here.
var secretMarks = []string{"s3cr3t", "PRIVATE KEY", "MIGHAgEAMBMGByqGSM49AgEG"}

// record gives options that write down all that a Runner says, at every level and in every form, and fail the test
// when a secret is in it.
func record(t *testing.T) []esm.Option {
	t.Helper()
	w := &recorder{}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lines == 0 {
			t.Error("nothing was logged: the search for secrets looks at nothing")
		}
		for mark, line := range w.leaks {
			t.Errorf("%q stands in %s", mark, strings.ReplaceAll(line, mark, "…"))
		}
	})
	return []esm.Option{
		esm.WithLogger(slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))),
		esm.WithHooks(esm.Hooks{
			Error:       func(i esm.ErrorInfo) { w.say(i); w.say(i.Diagnosis); w.say(i.Err) },
			StateChange: func(i esm.StateInfo) { w.say(i) },
			Commit:      func(i esm.CommitInfo) { w.say(i) },
			Retry:       func(i esm.RetryInfo) { w.say(i) },
			BatchEnd:    func(_ context.Context, i esm.BatchEndInfo) { w.say(i) },
		}),
	}
}

// recorder keeps what holds a secret.
type recorder struct {
	mu    sync.Mutex
	lines int
	leaks map[string]string
}

var _ io.Writer = (*recorder)(nil)

func (r *recorder) Write(p []byte) (int, error) {
	r.look(string(p))
	return len(p), nil
}

// say looks at a value in each form that people print.
func (r *recorder) say(v any) { r.look(fmt.Sprintf("%v %+v %#v %s", v, v, v, v)) }

func (r *recorder) look(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	for _, mark := range secretMarks {
		if strings.Contains(text, mark) {
			if r.leaks == nil {
				r.leaks = map[string]string{}
			}
			r.leaks[mark] = text
		}
	}
}

// TestRecorderFindsSecrets says that the search finds what it looks for.
func TestRecorderFindsSecrets(t *testing.T) {
	for _, mark := range secretMarks {
		r := &recorder{}
		slog.New(slog.NewJSONHandler(r, nil)).Info("x", "password", "a"+mark+"b")
		if r.leaks[mark] == "" {
			t.Errorf("%q was not found", mark)
		}
	}
}
