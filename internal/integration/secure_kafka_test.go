package integration

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/youmark/pkcs8"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/internal/leaktest"
)

// tlsVersions are those of Kafka's ssl.enabled.protocols; each has its own listeners.
var tlsVersions = []struct{ protocol, suffix string }{{"TLSv1.2", "12"}, {"TLSv1.3", "13"}}

// doors returns the listeners of one TLS version.
func doors(protocol, suffix string) []kafkatest.Door {
	with := func(more ...string) map[string]string {
		p := map[string]string{"ssl.enabled.protocols": protocol}
		for i := 0; i < len(more); i += 2 {
			p[more[i]] = more[i+1]
		}
		return p
	}
	name := func(n string) kafkatest.Listener { return kafkatest.Listener(n + suffix) }
	return []kafkatest.Door{
		{Name: name("SSL"), Protocol: "SSL", Properties: with("ssl.client.auth", "none")},
		{Name: name("MUTUAL"), Protocol: "SSL", Properties: with("ssl.client.auth", "required")},
		{Name: name("SASL"), Protocol: "SASL_SSL", Properties: with()},
		{Name: name("ONLY256"), Protocol: "SASL_SSL", Properties: with("sasl.enabled.mechanisms", "SCRAM-SHA-256")},
		{Name: name("MISNAMED"), Protocol: "SASL_SSL", Properties: with(), Certificate: func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = []string{"kafka.example"}, nil
		}},
		{Name: name("EXPIRED"), Protocol: "SASL_SSL", Properties: with(), Certificate: func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		}},
	}
}

// secureCluster is an Apache Kafka with every listener, and the secrets to reach it with.
type secureCluster struct {
	*kafkatest.Cluster
	secrets *auth.Static
	topic   string
}

// The users; grant says what each may do. Others authenticate with a certificate.
var secureUsers = []string{"alice", "no-topic", "describe-topic", "read-topic", "no-group", "describe-group", "read-group"}

func newSecureCluster(t *testing.T) *secureCluster {
	t.Helper()
	opts := []kafkatest.Option{kafkatest.ACLs()}
	for _, v := range tlsVersions {
		opts = append(opts, kafkatest.Open(doors(v.protocol, v.suffix)...))
	}
	password := leaktest.Password(t, "right")
	for _, u := range secureUsers {
		opts = append(opts, kafkatest.User(u, password))
	}
	c := &secureCluster{Cluster: kafkatest.Start(t, opts...), topic: "orders"}
	c.CreateTopic(t, c.topic, 1)
	c.Produce(t, &kgo.Record{Topic: c.topic, Value: []byte("one")})
	c.grant(t)
	secret := func(pairs ...string) string {
		fields := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			fields[pairs[i]] = pairs[i+1]
		}
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	certificate := func(p *kafkatest.PKI, name string) string {
		cert, key := p.Issue(t, name)
		return secret("certificate", string(cert), "privateKey", string(key))
	}
	other := kafkatest.NewPKI(t)
	encrypted := func(name string) string {
		cert, key := c.PKI().Issue(t, name)
		block, _ := pem.Decode(key)
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		der, err := pkcs8.MarshalPrivateKey(private, []byte(leaktest.Password(t, "key")), pkcs8.DefaultOpts)
		if err != nil {
			t.Fatal(err)
		}
		return secret("certificate", string(cert), "privateKeyPassword", leaktest.Password(t, "key"),
			"privateKey", string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})))
	}
	values := map[string]string{
		"ca": secret("certificate", string(c.PKI().CA())), "other-ca": secret("certificate", string(other.CA())),
		"wrong": secret("username", "alice", "password", leaktest.Password(t, "wrong")), "stranger": secret("username", "stranger", "password", password),
		"certificate": certificate(c.PKI(), "alice"), "encrypted": encrypted("alice"), "untrusted": certificate(other, "alice"), "no-topic-certificate": certificate(c.PKI(), "no-topic"),
	}
	for _, u := range secureUsers {
		values[u] = secret("username", u, "password", password)
	}
	c.secrets = auth.NewStatic(values)
	return c
}

// grant gives each user its ACLs: everything that it needs except what its name says. Groups start with their
// user's name.
func (c *secureCluster) grant(t *testing.T) {
	t.Helper()
	const describe, read = kadm.OpDescribe, kadm.OpRead
	both := []kadm.ACLOperation{describe, read}
	for _, u := range []struct {
		name         string
		topic, group []kadm.ACLOperation
	}{
		{"alice", both, both}, {"CN=alice", both, both},
		{"no-topic", nil, both}, {"CN=no-topic", nil, both}, {"describe-topic", []kadm.ACLOperation{describe}, both}, {"read-topic", []kadm.ACLOperation{read}, both},
		{"no-group", both, nil}, {"describe-group", both, []kadm.ACLOperation{describe}}, {"read-group", both, []kadm.ACLOperation{read}},
	} {
		for _, on := range []struct {
			operations []kadm.ACLOperation
			resource   func(*kadm.ACLBuilder) *kadm.ACLBuilder
		}{
			{u.topic, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Topics(c.topic) }},
			{u.group, func(b *kadm.ACLBuilder) *kadm.ACLBuilder { return b.Groups(u.name) }},
		} {
			if len(on.operations) > 0 {
				c.createACLs(t, on.resource(kadm.NewACLs().Allow("User:"+u.name).AllowHosts().Operations(on.operations...).
					ResourcePatternType(kadm.ACLPatternPrefixed)))
			}
			if slices.Equal(on.operations, []kadm.ACLOperation{read}) { // Read implies Describe, unless it is denied
				c.createACLs(t, on.resource(kadm.NewACLs().Deny("User:"+u.name).DenyHosts().Operations(describe).
					ResourcePatternType(kadm.ACLPatternPrefixed)))
			}
		}
	}
}

func (c *secureCluster) createACLs(t *testing.T, acls *kadm.ACLBuilder) {
	t.Helper()
	results, err := c.Admin().CreateACLs(t.Context(), acls)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// mapping returns the mapping that makes the attempt.
func (c *secureCluster) mapping(a attempt, suffix, group string) esm.Mapping {
	door := kafkatest.Listener(a.door)
	if door != kafkatest.Plaintext && door != kafkatest.SASLPlaintext {
		door += kafkatest.Listener(suffix)
	}
	m := esm.Mapping{
		FunctionName:                      "f",
		SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: c.BootstrapOf(door)}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: group},
		Topics:                            []string{c.topic},
		MaximumBatchingWindowInSeconds:    new(int),
	}
	if a.kind != "" {
		m.SourceAccessConfigurations = append(m.SourceAccessConfigurations, auth.SourceAccessConfiguration{Type: a.kind, URI: a.secret})
	}
	if a.ca != "" {
		m.SourceAccessConfigurations = append(m.SourceAccessConfigurations, auth.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: a.ca})
	}
	return m
}

// Each kind of credentials connects, and each refusal is reported, with both TLS versions and both drivers.
// The principals have no DescribeConfigs on the cluster.
func TestKafkaSecure(t *testing.T) {
	c := newSecureCluster(t)
	t.Run("cluster without DescribeConfigs", c.describeConfigs)
	// An attempt mostly waits, so more of them than there are processors run concurrently.
	slots := make(chan struct{}, 12)
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, v := range tlsVersions {
		for _, a := range attempts() {
			for name := range drivers {
				wait.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					t.Run(strings.Join([]string{a.name, name, v.protocol}, "/"), func(t *testing.T) {
						c.try(t, a, name, v.suffix)
					})
				})
			}
		}
	}
}

// describeConfigs provokes the refusal of a missing DescribeConfigs on the cluster. Mappings never do: they
// run without it.
func (c *secureCluster) describeConfigs(t *testing.T) {
	credentials, _, err := auth.Resolve(t.Context(), c.secrets, []auth.SourceAccessConfiguration{
		{Type: auth.SASLSCRAM512Auth, URI: "alice"}, {Type: auth.ServerRootCACertificate, URI: "ca"}})
	if err != nil {
		t.Fatal(err)
	}
	watch := leaktest.New(t)
	for _, v := range tlsVersions {
		for name, describe := range describers {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := describe(ctx, c.BootstrapOf(kafkatest.Listener("SASL"+v.suffix)), credentials)
			cancel()
			watch.Say(err)
			d := credentials.Classify(err, "", "")
			if d.Text != auth.TextClusterAuthorize || d.Code != auth.CodeAuthzError || d.Cause != auth.CauseClusterACL ||
				!strings.Contains(d.Detail, "User:alice lacks an ACL on the cluster") || !strings.Contains(d.Hint, "DescribeConfigs") {
				t.Errorf("%s, %s: %v is classified %+v", name, v.protocol, err, d)
			}
		}
	}
}

// talkative are drivers whose clients log everything they can, for the search for secrets.
var talkative = maps.Clone(drivers)

// try runs a mapping until it reports what is wanted.
func (c *secureCluster) try(t *testing.T, a attempt, driver, suffix string) {
	watch := leaktest.New(t)
	begun := time.Now()
	got, changed := make(chan struct{}, 1), make(chan esm.ErrorInfo, 1000)
	runner, err := esm.New(c.mapping(a, suffix, strings.Join([]string{a.user, strings.ReplaceAll(a.name, " ", "-"), driver, suffix}, "-")),
		func(context.Context, esm.KafkaEvent) error {
			select {
			case got <- struct{}{}:
			default:
			}
			return nil
		}, append(watch.Options(), esm.WithDriver(talkative[driver]), esm.WithSecrets(c.secrets), esm.WithHooks(esm.Hooks{Error: func(i esm.ErrorInfo) { changed <- i }}))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	var said []string
	for satisfied := false; !satisfied; {
		var i esm.ErrorInfo
		select {
		case <-got:
			if satisfied = true; a.want != (refusal{}) {
				t.Errorf("a record came")
			}
			continue
		case i = <-changed:
		case <-ctx.Done():
			t.Errorf("want %q, %q; last %q\n%s", a.want.cause, a.want.text, runner.Status().LastProcessingResult, strings.Join(said, "\n"))
			satisfied = true
			continue
		}
		said = append(said, time.Since(begun).Round(time.Millisecond).String()+" "+string(i.Op)+" "+string(i.Diagnosis.Cause)+": "+i.Err.Error())
		if d := i.Diagnosis; d.Code != "" && d.Code != a.want.code || d.Known() && !d.Vague() && d.Cause != a.want.cause {
			t.Errorf("was taken for %q (%s): %v", d.Cause, d.Code, i.Err)
		}
		s := runner.Status()
		watch.Say(s)
		if s.Diagnosis.Cause != a.want.cause || a.want.cause == "" {
			continue
		}
		satisfied = true
		d := s.Diagnosis
		if s.LastProcessingResult != "PROBLEM: "+a.want.text || d.Text != a.want.text || d.Code != a.want.code || !strings.Contains(d.Detail, a.want.detail) || d.Hint == "" || d.Err == nil {
			t.Errorf("%s: %q, %q, %q, %q; want %+v", s.LastProcessingResult, d.Text, d.Code, d.Detail, d.Hint, a.want)
		}
		if a.want.code != "" && s.State == esm.Creating && s.StateTransitionReason != string(a.want.code) {
			t.Errorf("StateTransitionReason %q, want %q", s.StateTransitionReason, a.want.code)
		}
	}
	if testing.Verbose() {
		t.Logf("%v\n%s", time.Since(begun).Round(time.Millisecond), strings.Join(said, "\n"))
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	watch.Say(runner.Status())
}
