package manager_test

import (
	"reflect"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store/memory"
	parameters "github.com/esm-go/esm/mapping"
)

// TestEveryUpdate changes each parameter that can be updated without a new Runner: the running Runner stays, the answer
// and the store have the new value, and records are still handled.
func TestEveryUpdate(t *testing.T) {
	h := newHarness(t)
	h.handlers["other"] = h.handlers["orders"]
	m, _ := h.start(memory.New(), h.handlers)
	id := create(t, m, mapping("orders"))
	awaitState(t, m, id, esm.Enabled)
	runner, err := m.Runner(id)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*esm.Mapping){
		"FunctionName":                   func(m *esm.Mapping) { m.FunctionName = "other" },
		"BatchSize":                      func(m *esm.Mapping) { m.BatchSize = 7 },
		"MaximumBatchingWindowInSeconds": func(m *esm.Mapping) { m.MaximumBatchingWindowInSeconds = new(0) },
		"MaximumRetryAttempts":           func(m *esm.Mapping) { m.MaximumRetryAttempts = new(3) },
		"MaximumRecordAgeInSeconds":      func(m *esm.Mapping) { m.MaximumRecordAgeInSeconds = new(3600) },
		"BisectBatchOnFunctionError":     func(m *esm.Mapping) { m.BisectBatchOnFunctionError = true },
		"FunctionResponseTypes": func(m *esm.Mapping) {
			m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
		},
		"FilterCriteria": func(m *esm.Mapping) {
			m.FilterCriteria = &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":[{"anything-but":"none"}]}`}}}
		},
		"ProvisionedPollerConfig": func(m *esm.Mapping) {
			m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(2), MaximumPollers: new(3)}
		},
		"MetricsConfig": func(m *esm.Mapping) {
			m.MetricsConfig = &parameters.MetricsConfig{Metrics: []string{"EventCount"}}
		},
		"LoggingConfig": func(m *esm.Mapping) {
			m.LoggingConfig = &parameters.LoggingConfig{SystemLogLevel: "WARN"}
		},
		"KMSKeyArn": func(m *esm.Mapping) {
			m.KMSKeyArn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
		},
		"Tags": func(m *esm.Mapping) { m.Tags = map[string]string{"team": "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			before, err := m.Get(id)
			if err != nil {
				t.Fatal(err)
			}
			want := before.Mapping
			change(&want)
			answer, err := m.Update(t.Context(), id, before.Revision, func(m *esm.Mapping) error { change(m); return nil })
			if err != nil || answer.State != esm.Updating {
				t.Fatal(answer.State, err)
			}
			after := awaitState(t, m, id, esm.Enabled)
			field := func(m esm.Mapping) any { return reflect.ValueOf(m).FieldByName(name).Interface() }
			if !reflect.DeepEqual(field(answer.Mapping), field(want)) || !reflect.DeepEqual(field(after.Mapping), field(want)) || reflect.DeepEqual(field(before.Mapping), field(want)) {
				t.Errorf("%v became %v, and then %v; want %v", field(before.Mapping), field(answer.Mapping), field(after.Mapping), field(want))
			}
			if now, err := m.Runner(id); now != runner || err != nil {
				t.Error("the Runner was replaced", err)
			}
			h.delivered("orders", `"a"`, `"b"`)
		})
	}
}
