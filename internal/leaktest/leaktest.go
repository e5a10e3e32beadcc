// Package leaktest finds secrets in the output of a Runner: every log line at every level, every hook, error and
// Status, in every form in which values are printed.
package leaktest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/esm-go/esm"
)

// Mark is the prefix of every password of the tests that use this package, so that one search finds them all.
const Mark = "s3cr3t"

// marks must never be printed: passwords; the lines around a private key's PEM block; the beginning of its content in
// PKCS#8 for keys of ECDSA on P-256, RSA (2048 bits; the length after MIIE varies) and Ed25519; the claims of a JWT
// after its header; and AWS's signatures.
var marks = []string{Mark, "PRIVATE KEY", "MIGHAgEAMBMGByqGSM49AgEG", "IBADANBgkqhkiG9w0BAQEFAASC", "MC4CAQAwBQYDK2VwBCIEI", ".eyJ", "X-Amz-Signature", "x-amz-signature"}

// shapes are the forms of each mark, in the order of marks.
var shapes = func() [][]string {
	all := make([][]string, len(marks))
	for i, mark := range marks {
		all[i] = shapesOf(mark)
	}
	return all
}()

// shapesOf returns a text and its forms when printed as bytes: hexadecimal, decimal (%v), and base64 (JSON) at each of
// its three alignments, without the characters that share bits with adjacent text.
func shapesOf(mark string) []string {
	decimal := fmt.Sprintf("%d", []byte(mark))
	all := []string{mark, fmt.Sprintf("%x", mark), fmt.Sprintf("%X", mark), decimal[1 : len(decimal)-1]}
	for before := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, before), mark...))
		bits := 8 * before // of the zeros in front, which may end within a character
		all = append(all, text[(bits+5)/6:8*(before+len(mark))/6])
	}
	return all
}

// TB is the required part of testing.TB.
type TB interface {
	Helper()
	Name() string
	Cleanup(func())
	Error(args ...any)
	Errorf(format string, args ...any)
}

// Password returns a password for the test that must never appear in output.
func Password(tb TB, name string) string {
	return Mark + "-" + strings.ToLower(strings.NewReplacer("/", "-", "#", "-", "_", "-").Replace(tb.Name())) + "-" + name
}

// Watch records which output held a secret. Its methods are safe for concurrent use.
type Watch struct {
	mu    sync.Mutex
	lines int
	leaks map[string]string
}

// New returns a Watch that fails the test at its end if a secret was seen, or if there was no output to check.
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

// Options returns the log and the hooks to check, as options for a Runner.
func (w *Watch) Options() []esm.Option {
	return []esm.Option{esm.WithLogger(w.Logger()), esm.WithHooks(w.hooks())}
}

// hooks returns all hooks that exist.
func (w *Watch) hooks() esm.Hooks {
	assigned := func(i esm.AssignmentInfo) { w.Say(i) }
	return esm.Hooks{
		Error:       func(i esm.ErrorInfo) { w.Say(i); w.Say(i.Diagnosis); w.Say(i.Err) },
		StateChange: func(i esm.StateInfo) { w.Say(i) },
		Commit:      func(i esm.CommitInfo) { w.Say(i) },
		Retry:       func(i esm.RetryInfo) { w.Say(i) },
		BatchBegin:  func(_ context.Context, i esm.BatchInfo) { w.Say(i) },
		BatchEnd:    func(_ context.Context, i esm.BatchEndInfo) { w.Say(i) },
		Drop:        func(i esm.DropInfo) { w.Say(i) },
		Filtered:    func(i esm.FilteredInfo) { w.Say(i) },
		OffsetsLost: func(i esm.OffsetsLostInfo) { w.Say(i) },
		Scaled:      func(i esm.ScaledInfo) { w.Say(i) },
		Operation:   func(i esm.OperationInfo) { w.Say(i) },
		Assigned:    assigned, Revoked: assigned, Lost: assigned,
	}
}

// Logger logs at every level, in both of slog's formats.
func (w *Watch) Logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug - 8}
	return slog.New(slog.NewMultiHandler(slog.NewJSONHandler(w, opts), slog.NewTextHandler(w, opts)))
}

// Write checks a line of a log.
func (w *Watch) Write(line []byte) (int, error) {
	w.look(string(line))
	return len(line), nil
}

// Say checks a value in every form in which values are printed.
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
	for i, mark := range marks {
		if slices.ContainsFunc(shapes[i], func(shape string) bool { return strings.Contains(text, shape) }) {
			w.leaks[mark] = text
		}
	}
}
