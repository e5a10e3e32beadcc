package emf_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe/emf"
)

// At each line the groups are those of the mapping's MetricsConfig; Config.Metrics overrides it.
func TestGroupsFollowAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("t", 1)
		m := esm.Mapping{FunctionName: "f", Topics: []string{"t"}, StartingPosition: "TRIM_HORIZON",
			SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:9092"}}}}
		r := esmtest.Start(t, b, m, func(context.Context, esm.KafkaEvent) error { return nil })
		source := r.Runner()
		<-r.Ready()
		var out, fixed bytes.Buffer
		follows, err := emf.New(&out, source, emf.Config{})
		if err != nil {
			t.Fatal(err)
		}
		stays, err := emf.New(&fixed, source, emf.Config{Metrics: []string{"ErrorCount"}})
		if err != nil {
			t.Fatal(err)
		}
		for n, groups := range [][]string{nil, {"EventCount"}, {"KafkaMetrics"}, {"EventCount", "KafkaMetrics"}, {}} {
			m.MetricsConfig = &mapping.MetricsConfig{Metrics: groups}
			if groups == nil {
				m.MetricsConfig = nil
			}
			if err := source.Update(m); err != nil {
				t.Fatal(err)
			}
			b.Produce("t", esmtest.Values("a", "b")...)
			time.Sleep(time.Minute)
			for _, w := range []*emf.Writer{follows, stays} {
				if err := w.Write(); err != nil {
					t.Fatal(err)
				}
			}
			fields, other := first(t, &out), first(t, &fixed)
			polled, events := fields["PolledEventCount"]
			_, lag := fields["SumOffsetLag"]
			if events != (n == 1 || n == 3) || lag != (n == 2 || n == 3) || events && polled != 2.0 || fields["ProvisionedPollers"] != 1.0 {
				t.Errorf("with %q: %v", groups, fields)
			}
			if _, events := other["PolledEventCount"]; events {
				t.Errorf("with %q a Writer with groups of its own wrote %v", groups, other)
			}
		}
	})
}
