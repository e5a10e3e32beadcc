package leaktest

import (
	"errors"
	"log/slog"
	"testing"
)

// The search finds what it looks for, in each place.
func TestWatchFindsSecrets(t *testing.T) {
	for _, mark := range marks {
		text := "a" + mark + "b"
		for name, say := range map[string]func(*Watch){
			"attribute": func(w *Watch) { w.Logger().Info("x", "password", text) },
			"message":   func(w *Watch) { w.Logger().Log(t.Context(), slog.LevelDebug-4, text) },
			"error":     func(w *Watch) { w.Say(errors.New(text)) },
			"field":     func(w *Watch) { w.Say(struct{ a []string }{[]string{text}}) },
			"hex":       func(w *Watch) { w.Say([]byte(text)) },
			"JSON":      func(w *Watch) { w.Say(&struct{ A any }{text}) },
		} {
			w := &Watch{leaks: map[string]string{}}
			say(w)
			if w.leaks[mark] == "" {
				t.Errorf("%s: %q was not found", name, mark)
			}
		}
		w := &Watch{leaks: map[string]string{}}
		w.Say(struct{ Password string }{"REDACTED"})
		if len(w.leaks) > 0 {
			t.Errorf("finds %v where there is nothing", w.leaks)
		}
	}
}
