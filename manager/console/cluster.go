package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/manager"
)

// clusterTimeout bounds the requests to a cluster for one page.
const clusterTimeout = 15 * time.Second

// credentials reads a mapping's secrets.
func (c *console) credentials(ctx context.Context, m esm.Mapping) (*auth.Credentials, *auth.Report, error) {
	secrets := c.o.secrets
	if secrets == nil {
		secrets = auth.Prefixes{}
	}
	report, err := auth.Check(ctx, secrets, m.SourceAccessConfigurations)
	if err != nil {
		return nil, report, err
	}
	credentials, _, err := auth.Resolve(ctx, secrets, m.SourceAccessConfigurations)
	return credentials, report, err
}

// client returns a Kafka client for the mapping's cluster, outside any group.
func (c *console) client(ctx context.Context, m esm.Mapping, more ...kgo.Opt) (*kgo.Client, error) {
	credentials, _, err := c.credentials(ctx, m)
	if err != nil {
		return nil, err
	}
	opts, err := franz.ConnectOpts(driver.ProducerConfig{
		BootstrapServers: m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, ClientID: "esm-console", Credentials: credentials, Logger: c.o.logger,
	})
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, more...)...)
}

// testView is the result of a connection test.
type testView struct {
	OK             bool
	Steps          []string
	Warnings       []string
	Problem, Hints string
}

// testConnection reads the secrets that the form names and connects, without joining a group.
func (c *console) testConnection(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), clusterTimeout)
	defer cancel()
	c.part(w, "form", "tested", c.connect(ctx, r))
	return nil
}

func (c *console) connect(ctx context.Context, r *http.Request) (v testView) {
	read := &reader{v: r.PostForm, wrong: make(complaints)}
	// Only the fields that refer to something outside, so that no other field of the form keeps the Manager from
	// checking its allow-lists.
	m := esm.Mapping{FunctionName: "test", Topics: []string{"test"}, SourceAccessConfigurations: read.access()}
	if id := r.PostForm.Get("id"); id != "" {
		d, err := c.m.Get(id)
		if err != nil {
			return testView{Problem: "There is no such mapping any more."}
		}
		m.SelfManagedEventSource = d.Mapping.SelfManagedEventSource
	} else {
		m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = read.lines("servers")
	}
	if len(read.wrong) > 0 {
		return testView{Problem: firstOf(read.wrong)}
	}
	var refused []string
	for _, err := range joined(c.m.Validate(m)) {
		if !errors.Is(err, manager.ErrFunctionNotFound) {
			refused = append(refused, strings.TrimPrefix(err.Error(), "esm: "))
		}
	}
	if !c.o.plaintext && len(m.SourceAccessConfigurations) == 0 {
		refused = append(refused, "this service allows no connection without authentication")
	}
	if len(refused) > 0 {
		return testView{Problem: strings.Join(refused, "; ")}
	}
	credentials, report, err := c.credentials(ctx, m)
	for _, warning := range report.Warnings {
		v.Warnings = append(v.Warnings, warning.String())
	}
	if err != nil {
		return v.failed(err)
	}
	for line := range strings.Lines(report.String()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "warning:") {
			v.Steps = append(v.Steps, line)
		}
	}
	address, err := reach(ctx, m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers)
	if err == nil {
		err = auth.ProbeTLS(ctx, address, credentials, nil) // explains a failed handshake better than a client does
	}
	if err != nil {
		return v.failed(err)
	}
	probe, ok := franz.Driver().(driver.Prober)
	if !ok {
		return v.failed(errors.New("this driver cannot test a connection"))
	}
	began := time.Now()
	if err := probe.Probe(ctx, driver.Config{
		BootstrapServers: m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, ClientID: "esm-console", Credentials: credentials, Logger: c.o.logger,
	}); err != nil {
		return v.failed(err)
	}
	v.OK = true
	v.Steps = append(v.Steps, fmt.Sprintf("a broker answered after %d ms", time.Since(began).Milliseconds()))
	return v
}

// reach returns a server that accepts a connection. A client would keep trying unreachable ones until its time is up.
func reach(ctx context.Context, servers []string) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout/3)
	defer cancel()
	var dials sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, server := range servers {
		dials.Go(func() {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", server)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			_ = connection.Close()
			address = server
			cancel() // one is enough
		})
	}
	dials.Wait()
	if address != "" {
		return address, nil
	}
	return "", errors.Join(errs...)
}

// failed explains an error of a secret, a client or a broker.
func (v testView) failed(err error) testView {
	known := auth.Classify(err)
	v.Problem, v.Hints = known.Text, strings.TrimSpace(known.Detail+" "+known.Hint)
	if v.Problem == "" {
		v.Problem = err.Error()
	}
	return v
}

// positionsOf returns what a group has committed, and where a reset would move it.
func positionsOf(ctx context.Context, admin *kadm.Client, m esm.Mapping, to resetTo) ([]resetRow, error) {
	topics, err := topicsOf(ctx, admin, m)
	if err != nil {
		return nil, err
	}
	committed, err := admin.FetchOffsetsForTopics(ctx, m.GroupID(), topics...)
	if err != nil {
		return nil, err
	}
	start, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	end, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	target := start
	switch to.kind {
	case "latest":
		target = end
	case "time":
		if target, err = admin.ListOffsetsAfterMilli(ctx, to.at.UnixMilli(), topics...); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(start.Error(), end.Error(), target.Error()); err != nil {
		return nil, err
	}
	var rows []resetRow
	for _, o := range target.Offsets().Sorted() {
		row := resetRow{Topic: o.Topic, Partition: o.Partition, Now: -1, Then: o.At}
		if is, ok := committed.Lookup(o.Topic, o.Partition); ok && is.Err == nil {
			row.Now = is.At
		}
		if s, ok := start.Lookup(o.Topic, o.Partition); ok {
			row.Start = s.Offset
		}
		if e, ok := end.Lookup(o.Topic, o.Partition); ok {
			row.End = e.Offset
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// topicsOf returns the existing topics that a mapping reads.
func topicsOf(ctx context.Context, admin *kadm.Client, m esm.Mapping) ([]string, error) {
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range topics.Names() {
		if readsTopic(m, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the cluster has none of the mapping's topics, or does not show them to this user")
	}
	return out, nil
}
