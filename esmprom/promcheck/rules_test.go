package promcheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmprom"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	every  = 30 * time.Second // a scrape
	length = 40 * time.Minute // of a situation
)

// sample is a sample that Prometheus would have scraped.
type sample struct {
	labels labels.Labels
	at     time.Time
	value  float64
}

// scrape reads a collector as a Prometheus server does.
func scrape(t *testing.T, registry *prometheus.Registry) (samples []sample) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			add := func(name string, v float64, more ...string) {
				all := append([]string{"__name__", name, "job", "esm"}, more...)
				for _, l := range m.GetLabel() {
					all = append(all, l.GetName(), l.GetValue())
				}
				samples = append(samples, sample{labels.FromStrings(all...), now, v})
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				add(f.GetName(), m.GetCounter().GetValue())
			case dto.MetricType_GAUGE:
				add(f.GetName(), m.GetGauge().GetValue())
			case dto.MetricType_HISTOGRAM:
				h := m.GetHistogram()
				for _, b := range h.GetBucket() {
					add(f.GetName()+"_bucket", float64(b.GetCumulativeCount()), "le", fmt.Sprint(b.GetUpperBound()))
				}
				add(f.GetName()+"_bucket", float64(h.GetSampleCount()), "le", "+Inf")
				add(f.GetName()+"_count", float64(h.GetSampleCount()))
				add(f.GetName()+"_sum", h.GetSampleSum())
			default:
				t.Fatalf("%s is a %v", f.GetName(), f.GetType())
			}
		}
	}
	return samples
}

// situation is what happens to a mapping, and the alerts that follow.
type situation struct {
	name    string
	want    []string
	mapping esm.Mapping
	handler esm.Handler
	options []esm.Option
	// each is called before the n-th scrape.
	each func(b *membroker.Broker, n int)
	// change changes the scraped Status in ways that the in-memory broker cannot.
	change func(*observe.Status)
}

// changed is a Source whose Status is changed.
type changed struct {
	*esm.Runner
	change func(*observe.Status)
}

func (c changed) Status() observe.Status {
	s := c.Runner.Status()
	if c.change != nil {
		c.change(&s)
	}
	return s
}

func (s *situation) run(t *testing.T) (samples []sample) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("t", 2)
		m := s.mapping
		m.FunctionName, m.Topics = "f", []string{"t"}
		r := esmtest.Start(nil, b, m, s.handler, append(s.options, esm.WithLogger(slog.New(slog.DiscardHandler)), esm.WithStopTimeout(0))...)
		<-r.Ready()
		registry, source := prometheus.NewPedanticRegistry(), changed{r.Runner(), s.change}
		registry.MustRegister(esmprom.New(source))
		for n := range int(length / every) {
			if s.each != nil {
				s.each(b, n)
			}
			time.Sleep(every)
			synctest.Wait()
			scraped := scrape(t, registry)
			if err := sameText(source, scraped); err != nil {
				t.Errorf("scrape %d: %v", n, err)
			}
			samples = append(samples, scraped...)
		}
		b.Heal()
		_ = r.Stop()
		time.Sleep(time.Hour) // until everything left behind has ended
	})
	return samples
}

func produce(b *membroker.Broker, _ int) { b.Produce("t", esmtest.Values("a", "b", "c")...) }

func situations() []situation {
	well := func(context.Context, esm.KafkaEvent) error { return nil }
	fails := func(context.Context, esm.KafkaEvent) error { return errors.New("no") }
	slow := 0
	return []situation{
		{name: "all is well", handler: well, each: produce},
		{name: "the broker is away", want: []string{"ESMConditionStands"}, handler: well, each: func(b *membroker.Broker, n int) {
			if n == 2 {
				b.Stop()
			}
		}},
		{name: "the handler fails", want: []string{"ESMFallsBehind", "ESMInvocationsFail", "ESMNotMoving", "ESMPartitionBlocked"}, handler: fails, each: produce},
		{name: "records are dropped", want: []string{"ESMDropsRecords", "ESMInvocationsFail"}, mapping: esm.Mapping{MaximumRetryAttempts: new(0)}, handler: fails, each: produce},
		{name: "the destination takes nothing", want: []string{"ESMConditionStands", "ESMDestinationFails", "ESMFallsBehind", "ESMNotMoving"}, mapping: esm.Mapping{MaximumRetryAttempts: new(0)}, handler: fails,
			options: []esm.Option{esm.WithDestination(destination.Func(func(context.Context, *destination.Failure) error { return errors.New("full") }))},
			each: func(b *membroker.Broker, n int) {
				if n < 2 {
					produce(b, n)
				}
			}},
		{name: "the circuit opens", want: []string{"ESMCircuitOpen", "ESMConditionStands", "ESMFallsBehind", "ESMInvocationsFail", "ESMNotMoving", "ESMPartitionBlocked"}, handler: fails,
			options: []esm.Option{esm.WithCircuitBreaker(esm.CircuitBreaker{Failures: 2, Cooldown: 5 * time.Minute})}, each: func(b *membroker.Broker, n int) {
				b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
			}},
		{name: "retention is ahead", want: []string{"ESMLosesOffsets"}, handler: well, each: func(b *membroker.Broker, n int) {
			produce(b, n)
			if n == 70 {
				time.Sleep(time.Second)
				b.SetCommitted("", "t", 0, 0, "")
				b.Stop()
				b.Start()
			}
			if n >= 70 && n%2 == 0 {
				b.Truncate("t", 0, max(b.End("t", 0)-2, 0))
			}
		}},
		{name: "a handler hangs", want: []string{"ESMFallsBehind", "ESMNotMoving", "ESMSlowInvocation"}, handler: func(ctx context.Context, e esm.KafkaEvent) error {
			if slow++; slow == 30 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, each: produce},
		{name: "the group has no peace", want: []string{"ESMRebalancesOften"}, handler: well, each: func(b *membroker.Broker, n int) {
			produce(b, n)
			b.Revoke()
		}},
		{name: "credentials", want: []string{"ESMCertificateEnds", "ESMCredentialsRefused"}, handler: well, each: produce, change: func(s *observe.Status) {
			s.Credentials.Expires, s.Credentials.Err = time.Now().Add(72*time.Hour), errors.New("refused")
		}},
	}
}

// server is Prometheus' storage and engine.
type server struct {
	db     *tsdb.DB
	engine *promql.Engine
	end    time.Time
}

func serve(t *testing.T, samples []sample) *server {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = 0
	db, err := tsdb.Open(t.TempDir(), nil, nil, options, tsdb.NewDBStats())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	appender := db.Appender(context.Background())
	for _, s := range samples {
		if _, err := appender.Append(0, s.labels, s.at.UnixMilli(), s.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, EnableAtModifier: true})
	t.Cleanup(func() { _ = engine.Close() })
	return &server{db, engine, samples[len(samples)-1].at}
}

// ask evaluates a query at a time.
func (s *server) ask(t *testing.T, query string, at time.Time) promql.Vector {
	t.Helper()
	q, err := s.engine.NewInstantQuery(context.Background(), s.db, nil, query, at)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	r := q.Exec(context.Background())
	v, err := r.Vector()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return append(promql.Vector(nil), v...)
}

// fires reports whether a rule's alert is firing at the end, and its summary rendered.
func (s *server) fires(t *testing.T, r *rulefmt.Rule) (summary string, fires bool) {
	t.Helper()
	var last promql.Vector
	for at := s.end.Add(-time.Duration(r.For)); !at.After(s.end); at = at.Add(time.Minute) {
		if last = s.ask(t, r.Expr, at); len(last) == 0 {
			return "", false
		}
	}
	data := template.AlertTemplateData(last[0].Metric.Map(), nil, "", promql.Sample{F: last[0].F})
	defs := "{{$labels := .Labels}}{{$value := .Value}}"
	e := template.NewTemplateExpander(context.Background(), defs+r.Annotations["summary"], "summary", data, model.TimeFromUnixNano(s.end.UnixNano()),
		func(context.Context, string, time.Time) (promql.Vector, error) { return nil, nil }, &url.URL{}, nil)
	summary, err := e.Expand()
	if err != nil {
		t.Errorf("%s: %v", r.Alert, err)
	}
	return summary, true
}

// plural finds "1 records".
var plural = regexp.MustCompile(`\b1 [a-z]+s\b`)

// In each situation exactly its own alerts fire, with a readable text; each of the dashboard's panels shows something
// in one of them.
func TestRulesAndDashboard(t *testing.T) {
	groups, errs := rulefmt.ParseFile("../rules.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	shown := targets(t)
	fired := make(map[string]bool)
	for _, c := range situations() {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.run(t))
			var got []string
			for _, g := range groups.Groups {
				for i := range g.Rules {
					r := &g.Rules[i]
					if summary, fires := s.fires(t, r); fires {
						got = append(got, r.Alert)
						fired[r.Alert] = true
						if strings.Contains(summary, "{{") || strings.Contains(summary, "no value") || !strings.HasPrefix(summary, "f: ") || plural.MatchString(summary) {
							t.Errorf("%s says %q", r.Alert, summary)
						}
					}
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("alerts %v, want %v", got, c.want)
			}
			for _, q := range shown {
				q.show(t, s)
			}
			s.variables(t)
		})
	}
	for _, g := range groups.Groups {
		for i := range g.Rules {
			if !fired[g.Rules[i].Alert] {
				t.Errorf("%s never fired", g.Rules[i].Alert)
			}
		}
	}
	for _, q := range shown {
		if !q.shown {
			t.Errorf("%s: the query shows nothing in any situation: %s", q.panel, q.Expr)
		}
	}
}
