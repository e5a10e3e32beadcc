// Package leaktest finds secrets in what a Runner says: each log line at every level, each hook, error and Status, in
// every form that people print.
package leaktest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/esm-go/esm"
)

// Mark begins every password of the tests that use this package, so that one search finds them all.
const Mark = "s3cr3t"

// marks are what nothing may print: passwords, the lines around a private key's PEM block, and the beginning of its
// content in PKCS#8 for ECDSA keys on P-256, which is what these tests make.
var marks = []string{Mark, "PRIVATE KEY", "MIGHAgEAMBMGByqGSM49AgEG"}

// TB is what is needed of testing.TB.
type TB interface {
	Helper()
	Name() string
	Cleanup(func())
	Error(args ...any)
	Errorf(format string, args ...any)
}

// Password is a password of the test, never to be seen in what is printed.
func Password(tb TB, name string) string {
	return Mark + "-" + strings.ToLower(strings.NewReplacer("/", "-", "#", "-", "_", "-").Replace(tb.Name())) + "-" + name
}

// Watch keeps what held a secret. Its methods are safe for concurrent use.
type Watch struct {
	mu    sync.Mutex
	lines int
	leaks map[string]string
}

// New returns a Watch that fails the test at its end when a secret was seen, or when there was nothing to look at.
func New(tb TB) *Watch {
	tb.Helper()
	w := &Watch{leaks: map[string]string{}}
	tb.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lines == 0 {
			tb.Error("nothing was said: the search for secrets looks at nothing")
		}
		for mark, text := range w.leaks {
			tb.Errorf("%q stands in %s", mark, strings.ReplaceAll(text, mark, "…"))
		}
	})
	return w
}

// Options give a Runner the log and the hooks that are looked at.
func (w *Watch) Options() []esm.Option {
	assigned := func(i esm.AssignmentInfo) { w.Say(i) }
	return []esm.Option{
		esm.WithLogger(w.Logger()),
		esm.WithHooks(esm.Hooks{
			Error:       func(i esm.ErrorInfo) { w.Say(i); w.Say(i.Diagnosis); w.Say(i.Err) },
			StateChange: func(i esm.StateInfo) { w.Say(i) },
			Commit:      func(i esm.CommitInfo) { w.Say(i) },
			Retry:       func(i esm.RetryInfo) { w.Say(i) },
			BatchEnd:    func(_ context.Context, i esm.BatchEndInfo) { w.Say(i) },
			Assigned:    assigned, Revoked: assigned, Lost: assigned,
		}),
	}
}

// Logger logs at every level, in both forms that slog has.
func (w *Watch) Logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug - 8}
	return slog.New(slog.NewMultiHandler(slog.NewJSONHandler(w, opts), slog.NewTextHandler(w, opts)))
}

// Write looks at a line of a log.
func (w *Watch) Write(line []byte) (int, error) {
	w.look(string(line))
	return len(line), nil
}

// Say looks at a value in each form that people print.
func (w *Watch) Say(v any) {
	w.look(fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v))
	if text, err := json.Marshal(v); err == nil {
		w.look(string(text))
	}
}

func (w *Watch) look(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines++
	for _, mark := range marks {
		if strings.Contains(text, mark) || strings.Contains(text, fmt.Sprintf("%x", mark)) {
			w.leaks[mark] = text
		}
	}
}
