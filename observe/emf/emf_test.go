package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/emf"
)

type source struct{ s observe.Status }

func (s *source) Status() observe.Status { return s.s }

func counted() *source {
	return &source{observe.Status{
		UUID: "u", FunctionName: "f", ConsumerGroupId: "g", State: observe.Enabled, Pollers: 2, OffsetLag: map[string]int64{"b": 5, "a": 4},
		MaxOffsetLag: 5, SumOffsetLag: 9,
		Metrics: observe.Metrics{
			PolledEventCount: 60, FilteredOutEventCount: 10, InvokedEventCount: 50, FailedInvokeEventCount: 7, DroppedEventCount: 3,
			CommittedEventCount: 40, PollingErrorCount: 1, CommitErrorCount: 2, InvokeErrorCount: 4,
			OnFailureDestinationDeliveredEventCount: 6, OnFailureDestinationDeliveryErrorCount: 8,
		},
	}}
}

var all = []string{"EventCount", "ErrorCount", "KafkaMetrics"}

const golden = `{"CommitErrorCount":2,"CommittedEventCount":40,"ConsumerGroupId":"g","DroppedEventCount":3,"EventSourceMappingUUID":"u","FailedInvokeEventCount":7,"FilteredOutEventCount":10,"FunctionName":"f","InvokeErrorCount":4,"InvokedEventCount":50,"MaxOffsetLag":5,"OnFailureDestinationDeliveredEventCount":6,"OnFailureDestinationDeliveryErrorCount":8,"PolledEventCount":60,"PollingErrorCount":1,"ProvisionedPollers":2,"SumOffsetLag":9,"_aws":{"Timestamp":946684800000,"CloudWatchMetrics":[{"Namespace":"esm/Lambda","Dimensions":[["EventSourceMappingUUID","FunctionName"]],"Metrics":[{"Name":"ProvisionedPollers","Unit":"Count"},{"Name":"PolledEventCount","Unit":"Count"},{"Name":"FilteredOutEventCount","Unit":"Count"},{"Name":"InvokedEventCount","Unit":"Count"},{"Name":"FailedInvokeEventCount","Unit":"Count"},{"Name":"DroppedEventCount","Unit":"Count"},{"Name":"OnFailureDestinationDeliveredEventCount","Unit":"Count"},{"Name":"CommittedEventCount","Unit":"Count"},{"Name":"PollingErrorCount","Unit":"Count"},{"Name":"CommitErrorCount","Unit":"Count"},{"Name":"InvokeErrorCount","Unit":"Count"},{"Name":"OnFailureDestinationDeliveryErrorCount","Unit":"Count"},{"Name":"MaxOffsetLag","Unit":"Count"},{"Name":"SumOffsetLag","Unit":"Count"}]}]}}
{"ConsumerGroupId":"g","EventSourceMappingUUID":"u","FunctionName":"f","OffsetLag":4,"Topic":"a","_aws":{"Timestamp":946684800000,"CloudWatchMetrics":[{"Namespace":"esm/Lambda","Dimensions":[["EventSourceMappingUUID","FunctionName","Topic"]],"Metrics":[{"Name":"OffsetLag","Unit":"Count"}]}]}}
{"ConsumerGroupId":"g","EventSourceMappingUUID":"u","FunctionName":"f","OffsetLag":5,"Topic":"b","_aws":{"Timestamp":946684800000,"CloudWatchMetrics":[{"Namespace":"esm/Lambda","Dimensions":[["EventSourceMappingUUID","FunctionName","Topic"]],"Metrics":[{"Name":"OffsetLag","Unit":"Count"}]}]}}
`

func writer(t *testing.T, out *bytes.Buffer, s *source, groups ...string) *emf.Writer {
	t.Helper()
	w, err := emf.New(out, s, emf.Config{Metrics: groups})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble begins in the year 2000
		var out bytes.Buffer
		if err := writer(t, &out, counted(), all...).Write(); err != nil || out.String() != golden {
			t.Errorf("%v, got\n%s", err, out.String())
		}
	})
}

// first returns the first line's fields.
func first(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	line, _, _ := strings.Cut(out.String(), "\n")
	out.Reset()
	fields := make(map[string]any)
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

func TestDeltas(t *testing.T) {
	var out bytes.Buffer
	s := counted()
	w := writer(t, &out, s, all...)
	for i := range 2 {
		s.s.Metrics.PolledEventCount += 5
		if err := w.Write(); err != nil {
			t.Fatal(err)
		}
		fields := first(t, &out)
		if want := []float64{65, 5}[i]; fields["PolledEventCount"] != want {
			t.Errorf("line %d: %v polled, want %v", i, fields["PolledEventCount"], want)
		}
		if _, there := fields["InvokeErrorCount"]; there != (i == 0) {
			t.Errorf("line %d: InvokeErrorCount there: %t", i, there)
		}
	}
	s.s.State = observe.Disabled
	if err := w.Write(); err != nil || out.Len() != 0 {
		t.Errorf("while disabled: %v %s", err, out.String())
	}
}

func TestGroups(t *testing.T) {
	for name, group := range map[string]string{"PolledEventCount": "EventCount", "CommitErrorCount": "ErrorCount", "SumOffsetLag": "KafkaMetrics"} {
		for _, chosen := range all {
			var out bytes.Buffer
			if err := writer(t, &out, counted(), chosen).Write(); err != nil {
				t.Fatal(err)
			}
			if _, there := first(t, &out)[name]; there != (group == chosen) {
				t.Errorf("%s with %s: there: %t", name, chosen, there)
			}
		}
	}
}

type broken struct {
	bytes.Buffer
	fail bool
}

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	if b.fail {
		return 0, errBroken
	}
	return b.Buffer.Write(p)
}

func TestErrors(t *testing.T) {
	for _, c := range []emf.Config{{Metrics: []string{"Events"}}, {Namespace: "AWS/Lambda"}, {Namespace: strings.Repeat("x", 256)}} {
		if _, err := emf.New(nil, counted(), c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	b := &broken{fail: true}
	w, err := emf.New(b, counted(), emf.Config{Metrics: all})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(); !errors.Is(err, errBroken) {
		t.Errorf("Write: %v", err)
	}
	b.fail = false
	if err := w.Write(); err != nil {
		t.Fatal(err)
	}
	if n := first(t, &b.Buffer)["PolledEventCount"]; n != 60.0 {
		t.Errorf("%v polled after an error, want all that the line lost told of", n)
	}
}
