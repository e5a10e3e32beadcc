package manager_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/memory"
	parameters "github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe/diag"
	"github.com/esm-go/esm/observe/pollerlog"
)

// lines collects written lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

func (l *lines) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// TestLog: Log returns a mapping's last lines, and those of its poller log according to its SystemLogLevel, which an
// update changes. All of them are also written out, with the ARN that the API shows, separately for each mapping.
func TestLog(t *testing.T) {
	h := newHarness(t)
	written := new(lines)
	second := new(lines)
	m, _ := h.start(memory.New(), h.handlers, manager.WithPollerLog(written),
		manager.WithRunnerOptions(esm.WithDriver(h.broker.Driver()), esm.WithStopTimeout(time.Second), esm.WithPollerLog(pollerlog.New(second))),
		manager.WithARN(manager.ARN{Region: "eu-west-1", Account: "123456789012"}))
	logged := mapping("orders")
	logged.LoggingConfig = &parameters.LoggingConfig{SystemLogLevel: "INFO"}
	id, other := create(t, m, logged), create(t, m, mapping("others"))
	awaitState(t, m, id, esm.Enabled)
	awaitState(t, m, other, esm.Enabled)
	log := func(id string) manager.Log {
		l, err := m.Log(id)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	type event struct {
		EventType, ResourceArn, LogLevel string
		KafkaEventSourceConnection       struct{ AssignedPartitions []string }
	}
	var e event
	within(t, "the poller's status", func() bool {
		l := log(id).Poller
		return len(l) > 0 && json.Unmarshal(l[0], &e) == nil && len(e.KafkaEventSourceConnection.AssignedPartitions) == 2
	})
	if e.EventType != "POLLER_STATUS_EVENT" || e.LogLevel != "INFO" || e.ResourceArn != "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:"+id {
		t.Errorf("%+v", e)
	}
	if got := log(other); len(got.Poller) != 0 {
		t.Errorf("a mapping without a level has a poller log: %s", got.Poller)
	}
	for uuid, foreign := range map[string]string{id: other, other: id} {
		starts := func(e diag.Event) bool {
			return e.What == "event source mapping starts" && strings.Contains(e.Attributes, "UUID="+uuid)
		}
		events := log(uuid).Events
		if !slices.ContainsFunc(events, starts) || slices.ContainsFunc(events, func(e diag.Event) bool { return strings.Contains(e.Attributes, foreign) }) {
			t.Errorf("the log of %s: %+v", uuid, events)
		}
	}
	for _, line := range written.list() {
		if !strings.HasSuffix(line, "}\n") || strings.Count(line, "\n") != 1 || !strings.Contains(line, `:123456789012:event-source-mapping:`+id+`"`) {
			t.Errorf("written: %q", line)
		}
	}
	within(t, "the poller log of WithRunnerOptions", func() bool { return len(second.list()) > 0 })
	if line := second.list()[0]; !strings.Contains(line, `"arn:aws:lambda:::event-source-mapping:`+id+`"`) {
		t.Errorf("the poller log of WithRunnerOptions: %s", line)
	}
	if l := log(id).Poller; len(written.list()) < len(l) || !bytes.Equal(append(slices.Clone(l[len(l)-1]), '\n'), []byte(written.list()[0])) {
		t.Errorf("kept %s, written %s", l, written.list())
	}

	if _, err := m.Update(t.Context(), other, 0, func(m *esm.Mapping) error {
		m.LoggingConfig = &parameters.LoggingConfig{SystemLogLevel: "WARN"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	awaitState(t, m, other, esm.Enabled) // the Runner has the new level
	h.broker.DeleteTopic("others")
	within(t, "an error in the poller log", func() bool {
		l := log(other).Poller
		return len(l) > 0 && bytes.Contains(l[0], []byte(`"eventType":"ESM_PROCESSING_EVENT"`))
	})
	if _, err := m.Log("none"); !errors.Is(err, manager.ErrNotFound) {
		t.Error(err)
	}
}
