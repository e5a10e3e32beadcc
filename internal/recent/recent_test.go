package recent

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/rdkafka"
)

// A wrong password with librdkafka: the summary comes first, and again last.
func TestRecentPassword(t *testing.T) {
	now := time.Unix(1000, 0)
	r := New(0)
	if _, ok := r.Strongest(now); ok {
		t.Error("something before anything")
	}
	for i, code := range []int{-187, -169, -187, -195} {
		r.Observe(now.Add(time.Duration(i)*time.Second), auth.Classify(&rdkafka.Error{Code: code, Text: "x"}))
	}
	at := now.Add(10 * time.Second)
	if d, ok := r.Strongest(at); !ok || d.Cause != auth.CauseCredentials {
		t.Errorf("strongest is %q", d.Cause)
	}
	if d, _ := r.Strongest(now.Add(32 * time.Second)); d.Cause != auth.CauseDisconnected {
		t.Errorf("when the password is out of sight: %q", d.Cause)
	}
	if _, ok := r.Strongest(now.Add(time.Hour)); ok {
		t.Error("something after everything")
	}
	r.Observe(at, auth.Classify(&rdkafka.Error{Code: 29, Text: ""}))
	if d, _ := r.Strongest(at); d.Cause != auth.CauseTopicACL {
		t.Errorf("of equals the latest: %q", d.Cause)
	}
	r.Reset()
	if _, ok := r.Strongest(at); ok {
		t.Error("something after Reset")
	}
}

// Strongest returns what a plain search through all observations would find.
func TestRecentProperty(t *testing.T) {
	causes := []auth.Cause{auth.CauseUnknown, auth.CauseAllBrokersDown, auth.CauseDisconnected, auth.CauseRefused, auth.CauseCredentials, auth.CauseTopicACL}
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.IntRange(1, 10).Draw(t, "window")) * time.Second
		r, now := New(window), time.Unix(0, 0)
		var all []observation
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "later")) * time.Second)
			o := observation{now, auth.Diagnosis{Cause: rapid.SampledFrom(causes).Draw(t, "cause")}}
			r.Observe(o.at, o.diagnosis)
			all = append(all, o)
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "end")) * time.Second)
		var want auth.Diagnosis
		found := false
		for _, o := range all {
			if now.Sub(o.at) <= window && (!found || !want.Stronger(o.diagnosis)) {
				want, found = o.diagnosis, true
			}
		}
		if got, ok := r.Strongest(now); ok != found || got.Cause != want.Cause {
			t.Fatalf("got %q %v, want %q %v", got.Cause, ok, want.Cause, found)
		}
		if len(r.seen) > len(causes) {
			t.Fatalf("%d observations are kept", len(r.seen))
		}
	})
}
