package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
)

// A record that keeps failing is brought back to its topic twice, and handled the third time. The topic of
// failures says each time how often it came back, and the record keeps its own headers.
func TestRedriveCount(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		k, topic := e.dead(t, 1), e.NewTopic(t, 1)
		e.Produce(t, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}}})
		m := e.failing(topic, k)
		m.MaximumRetryAttempts = new(0)
		var seen []string
		p := e.run(t, m, func(_ context.Context, event esm.KafkaEvent) error {
			r := &event.Records[topic+"-0"][0]
			seen = append(seen, headersOf(r))
			if destination.Redrives(r) == 2 {
				return nil
			}
			return errors.New("poison")
		})
		connection := driver.ProducerConfig{BootstrapServers: e.Bootstrap(), ClientID: "redrive"}
		producer, err := franz.Driver().(driver.ProducerDriver).OpenProducer(connection)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = producer.Close(context.Background()) }()
		for n, want := range []string{"", "1"} {
			e.committed(t, topic, map[int32]int64{0: int64(n) + 1}, p)
			if got := k.now(t); len(got) != n+1 || got[n].attributes[destination.AttributeRedrives] != want || got[n].attributes["trace"] != "1" {
				t.Fatalf("%+v", got)
			}
			source, err := redrive.FromTopic(t.Context(), redrive.TopicConfig{Connection: connection, Topic: strings.TrimPrefix(k.name, "kafka://")})
			if err != nil {
				t.Fatal(err)
			}
			report, err := redrive.Run(t.Context(), source, redrive.ToTopic(producer, "", false), redrive.Options{})
			if err := errors.Join(err, source.Close(t.Context())); err != nil || report.Records != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
		}
		e.committed(t, topic, map[int32]int64{0: 3}, p)
		p.endClean()
		if want := []string{"trace=1 ", "trace=1 esm-redrives=1 ", "trace=1 esm-redrives=2 "}; !slices.Equal(seen, want) || len(k.now(t)) != 2 {
			t.Errorf("seen %q, %d failures", seen, len(k.now(t)))
		}
	})
}

func headersOf(r *esm.KafkaRecord) string {
	var b strings.Builder
	for _, h := range r.Headers {
		b.WriteString(h.Key + "=" + string(h.Value) + " ")
	}
	return b.String()
}
