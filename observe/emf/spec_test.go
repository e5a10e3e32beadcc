package emf_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/esm-go/esm/observe"
)

// TestSpecification checks every line against the rules of CloudWatch's specification of the embedded metric format.
func TestSpecification(t *testing.T) {
	bare := &source{observe.Status{State: observe.Enabled}}
	odd := counted()
	odd.s.FunctionName = "a\"b\n\u00e9"
	for name, s := range map[string]*source{"full": counted(), "bare": bare, "odd": odd} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := writer(t, &out, s, all...).Write(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				checkLine(t, line)
			}
		})
	}
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	var document struct {
		AWS struct {
			Timestamp         int64 `json:"Timestamp"`
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	fields := make(map[string]any)
	for _, into := range []any{&document, &fields} {
		if err := json.Unmarshal([]byte(line), into); err != nil {
			t.Fatal(err)
		}
	}
	if document.AWS.Timestamp <= 0 || len(document.AWS.CloudWatchMetrics) != 1 || len(line) > 256<<10 {
		t.Fatalf("no time, not one directive, or too long: %s", line)
	}
	d := document.AWS.CloudWatchMetrics[0]
	if d.Namespace == "" || len(d.Dimensions) != 1 || d.Dimensions[0] == nil || len(d.Dimensions[0]) > 30 || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
		t.Errorf("the directive is not one: %s", line)
	}
	for _, set := range d.Dimensions {
		for _, name := range set {
			if v, ok := fields[name].(string); !ok || v == "" {
				t.Errorf("the dimension %s has no value: %s", name, line)
			}
		}
	}
	for _, m := range d.Metrics {
		if _, ok := fields[m.Name].(float64); !ok || m.Unit != "Count" {
			t.Errorf("the metric %s has no number or unit: %s", m.Name, line)
		}
	}
}
