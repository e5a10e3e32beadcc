package keda

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestWhatIsLogged checks for one line per change, with its reason, and none without a change.
func TestWhatIsLogged(t *testing.T) {
	var log logBuffer
	r := newRig(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, kfake.SeedTopics(2, "t")).connect()
	ref := r.ref(map[string]string{"topics": "t,absent"})
	r.wanted(ref)
	quiet := log.String()
	for _, text := range []string{"following a ScaledObject", "namespace=shop", "scaledObject=orders", "replicas=0", "active=false", "continuing without some topics", "topic absent"} {
		if !strings.Contains(quiet, text) {
			t.Errorf("the log does not say %q:\n%s", text, quiet)
		}
	}
	r.next(ref)
	if more := strings.TrimPrefix(log.String(), quiet); more != "" {
		t.Errorf("nothing changed, and it was logged: %s", more)
	}
	r.produce("t", 2, 10)
	r.next(ref)
	if more := strings.TrimPrefix(log.String(), quiet); !strings.Contains(more, "replicas=1") || !strings.Contains(more, "lag=20") || !strings.Contains(more, "reason=") {
		t.Errorf("a change was logged as %q", more)
	}
	before := log.String()
	r.kafka.Close()
	r.next(ref)
	r.next(ref)
	if more := strings.TrimPrefix(log.String(), before); strings.Count(more, "keeping the last answer") < 1 || !strings.Contains(more, "level=WARN") {
		t.Errorf("brokers that do not answer were logged as %q", more)
	}
	r.scaler.Close()
	if !strings.Contains(log.String(), "no longer following") {
		t.Error("the end is not logged")
	}
}
