package esm_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
)

// Status and the first line of the log name the client, its version and how records are read. The expected values are
// fixed here, so that a new version is reviewed before it is used.
func TestTheClientIsNamed(t *testing.T) {
	t.Parallel()
	queue := "Poll"
	if reading := describe(drivers["confluent"]).Reading; reading != "" {
		queue = reading // TestTheQueueIsRead checks where it must be the queue
	}
	for name, want := range map[string]struct{ client, version, reading string }{
		"confluent": {"librdkafka", `^2\.11\.1$`, queue},
		"franz":     {"franz-go", `^(1\.[0-9.]+)?$`, "Poll"}, // a test binary may not have module versions
	} {
		d, built := drivers[name]
		if !built {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			log := &firstLine{said: cancel}
			r, err := esm.New(esm.Mapping{
				FunctionName:           "f",
				SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"127.0.0.1:1"}}},
				Topics:                 []string{"t"},
			}, func(context.Context, esm.KafkaEvent) error { return nil }, esm.WithDriver(d), esm.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
			if err != nil {
				t.Fatal(err)
			}
			got := r.Status().Client
			if got.Name != want.client || got.Reading != want.reading || !regexp.MustCompile(want.version).MatchString(got.Version) {
				t.Errorf("Status says %+v, want %v", got, want)
			}
			if err := r.Run(ctx); err != nil {
				t.Fatal(err)
			}
			for _, attr := range []string{"driver=" + name, "client=" + got.Name, "version=" + got.Version, "reading=" + got.Reading} {
				if attr != "version=" && !bytes.Contains(log.line, []byte(attr)) {
					t.Errorf("the first line lacks %s: %s", attr, log.line)
				}
			}
		})
	}
}

func describe(d driver.Driver) driver.Description {
	if by, ok := d.(driver.Describer); ok {
		return by.Describe()
	}
	return driver.Description{}
}

// firstLine keeps the first line of the log and signals its arrival.
type firstLine struct {
	line []byte
	said func()
}

func (f *firstLine) Write(line []byte) (int, error) {
	if f.line == nil && bytes.Contains(line, []byte("event source mapping starts")) {
		f.line = bytes.Clone(line)
		f.said()
	}
	return len(line), nil
}

var _ io.Writer = (*firstLine)(nil)
