package esm_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/youmark/pkcs8"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/leaktest"
)

// door is a listener of the in-process broker.
type door int

const (
	saslDoor door = iota
	mutualDoor
	tlsDoor
	plaintextDoor
	misnamedDoor
	expiredDoor
)

// knock is one way to connect to a door, and what a mapping must report when it is refused; without a cause it works.
type knock struct {
	name string
	door door
	kind auth.SourceAccessType
	// secret and ca are URIs, "" for none.
	secret, ca string
	// topic and group are the operations that the ACLs allow alice.
	topic, group []kmsg.ACLOperation

	text   string
	code   auth.Code
	cause  auth.Cause
	detail string // a part of it
}

// knocks returns the refusals that the in-process broker can produce; mTLS principals with ACLs and Java's alerts need
// Apache Kafka.
func knocks() []knock {
	const basic, scram256, scram512, mtls = auth.BasicAuth, auth.SASLSCRAM256Auth, auth.SASLSCRAM512Auth, auth.ClientCertificateTLSAuth
	const describe, read = kmsg.ACLOperationDescribe, kmsg.ACLOperationRead
	type ops = []kmsg.ACLOperation
	both := ops{describe, read}
	all := []knock{
		{name: "PLAIN with ACLs", kind: basic, secret: "login", ca: "ca"},
		{name: "SCRAM-256 with ACLs", kind: scram256, secret: "login", ca: "ca"},
		{name: "SCRAM-512 with ACLs", kind: scram512, secret: "login", ca: "ca"},
		{name: "CA alone", door: tlsDoor, ca: "ca"},
		{name: "encrypted key", door: mutualDoor, kind: mtls, secret: "encrypted", ca: "ca"},
	}
	refused := func(text string, code auth.Code, rows ...knock) {
		for _, k := range rows {
			k.text, k.code = text, code
			all = append(all, k)
		}
	}
	// Without a detail: kfake closes the connection without an answer, and clients then know no more.
	refused(auth.TextSASL, auth.CodeAuthnError,
		knock{name: "wrong password PLAIN", kind: basic, secret: "wrong", ca: "ca", cause: auth.CauseCredentials},
		knock{name: "wrong password SCRAM-256", kind: scram256, secret: "wrong", ca: "ca", cause: auth.CauseCredentials},
		knock{name: "wrong password SCRAM-512", kind: scram512, secret: "wrong", ca: "ca", cause: auth.CauseCredentials},
		knock{name: "unknown user", kind: scram512, secret: "stranger", ca: "ca", cause: auth.CauseCredentials})
	refused(auth.TextClusterAuthorize, auth.CodeAuthzError,
		knock{name: "topic without ACL", kind: scram512, secret: "login", ca: "ca", topic: ops{}, cause: auth.CauseTopicACL, detail: `User:alice lacks an ACL on the topic "orders"`},
		knock{name: "topic without Read", kind: scram512, secret: "login", ca: "ca", topic: ops{describe}, cause: auth.CauseTopicACL, detail: `User:alice lacks an ACL on the topic "orders"`},
		knock{name: "group without ACL", kind: basic, secret: "login", ca: "ca", group: ops{}, cause: auth.CauseGroupACL, detail: `User:alice lacks an ACL on the group "g"`},
		knock{name: "group without Read", kind: basic, secret: "login", ca: "ca", group: ops{describe}, cause: auth.CauseGroupACL, detail: `User:alice lacks an ACL on the group "g"`})
	refused(auth.TextLambdaAuthenticate, auth.CodeAuthnError,
		knock{name: "other CA", kind: scram512, secret: "login", ca: "other-ca", cause: auth.CauseServerCA, detail: `signed by "CN=test CA", which is not trusted`},
		knock{name: "other CA, certificate", door: mutualDoor, kind: mtls, secret: "mtls", ca: "other-ca", cause: auth.CauseServerCA, detail: "is not trusted"},
		knock{name: "no CA", kind: basic, secret: "login", cause: auth.CauseServerCA, detail: "is not trusted"},
		knock{name: "wrong name", door: misnamedDoor, kind: scram512, secret: "login", ca: "ca", cause: auth.CauseServerName, detail: `lacks the name "127.0.0.1" (it has kafka.example)`},
		knock{name: "expired", door: expiredDoor, kind: scram512, secret: "login", ca: "ca", cause: auth.CauseServerExpired, detail: "is valid from"})
	refused(auth.TextServerAuthenticate, auth.CodeAuthnError,
		knock{name: "untrusted certificate", door: mutualDoor, kind: mtls, secret: "untrusted", ca: "ca", cause: auth.CauseClientCertificateRejected, detail: "the client certificate"},
		knock{name: "no certificate", door: mutualDoor, ca: "ca", cause: auth.CauseClientCertificateMissing, detail: "asks for a client certificate"})
	refused(auth.TextConnection, "",
		knock{name: "plaintext listener, SCRAM", door: plaintextDoor, kind: scram512, secret: "login", ca: "ca", cause: auth.CausePlaintextListener, detail: "plaintext"},
		knock{name: "plaintext listener, certificate", door: plaintextDoor, kind: mtls, secret: "mtls", ca: "ca", cause: auth.CausePlaintextListener, detail: "plaintext"})
	refused(auth.TextConnection, "",
		knock{name: "TLS listener, no credentials", door: tlsDoor, cause: auth.CauseTLSListener, detail: "TLS"},
		knock{name: "mutual TLS listener, no credentials", door: mutualDoor, cause: auth.CauseTLSListener, detail: "TLS"})
	for i := range all {
		if all[i].topic == nil {
			all[i].topic = both
		}
		if all[i].group == nil {
			all[i].group = both
		}
	}
	return all
}

// serve changes the broker's own certificate.
func (a *authority) serve(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	pair, _, _ := a.issue(t, "broker")
	template := *pair.Leaf
	change(&template)
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, pair.Leaf.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: pair.PrivateKey}
}

// house is the in-process broker's CA, its certificates and the clients' secrets.
type house struct {
	pool    *x509.CertPool
	certs   map[door]tls.Certificate
	admin   tls.Certificate
	secrets auth.Secrets
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ca, other := newAuthority(t), newAuthority(t)
	h := &house{pool: x509.NewCertPool()}
	h.pool.AddCert(ca.cert)
	good := ca.serve(t, func(*x509.Certificate) {})
	h.certs = map[door]tls.Certificate{saslDoor: good, mutualDoor: good, tlsDoor: good,
		misnamedDoor: ca.serve(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"kafka.example"}, nil }),
		expiredDoor: ca.serve(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		})}
	h.admin, _, _ = ca.issue(t, "admin")
	login := func(user, password string) string {
		return asJSON(t, map[string]string{"username": user, "password": leaktest.Password(t, password)})
	}
	client := func(a *authority) string {
		_, cert, key := a.issue(t, "alice")
		return asJSON(t, map[string]string{"certificate": cert, "privateKey": key})
	}
	_, cert, key := ca.issue(t, "alice")
	block, _ := pem.Decode([]byte(key))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := pkcs8.MarshalPrivateKey(private, []byte(leaktest.Password(t, "key")), pkcs8.DefaultOpts)
	if err != nil {
		t.Fatal(err)
	}
	h.secrets = auth.NewStatic(map[string]string{
		"ca": asJSON(t, map[string]string{"certificate": ca.pem}), "other-ca": asJSON(t, map[string]string{"certificate": other.pem}),
		"login": login("alice", "alice"), "wrong": login("alice", "wrong"), "stranger": login("stranger", "alice"),
		"mtls": client(ca), "untrusted": client(other),
		"encrypted": asJSON(t, map[string]string{"certificate": cert, "privateKeyPassword": leaktest.Password(t, "key"),
			"privateKey": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}))}),
	})
	return h
}

// plaintextListener closes TLS connections, as Apache Kafka does, which takes a TLS hello for a request over
// socket.request.max.bytes. kfake would wait for the rest until the client times out.
type plaintextListener struct{ net.Listener }

type plaintextConn struct {
	net.Conn
	begun bool
}

func listenPlaintext(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return plaintextListener{l}, err
}

func (l plaintextListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plaintextConn{Conn: conn}, nil
}

// Read refuses a connection that begins with a TLS handshake.
func (c *plaintextConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	begins := n > 0 && !c.begun
	c.begun = c.begun || begins
	if begins && b[0] == 0x16 {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}

// open starts a broker with the door of k, on one version of TLS, and produces a record.
func (h *house) open(t *testing.T, k knock, version uint16, password, admin string) []string {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "orders")}
	var client []kgo.Opt
	if k.door == plaintextDoor {
		opts = append(opts, kfake.ListenFn(listenPlaintext))
	} else {
		config := &tls.Config{Certificates: []tls.Certificate{h.certs[k.door]}, ClientCAs: h.pool, MinVersion: version, MaxVersion: version}
		if k.door == mutualDoor {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
		opts = append(opts, kfake.TLS(config))
		// This client's own checks are not tested: it can use every door.
		client = append(client, kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{h.admin}}))
	}
	if k.door == saslDoor || k.door == misnamedDoor || k.door == expiredDoor {
		var acls []kfake.ACL
		for _, op := range k.topic {
			acls = append(acls, kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "orders", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
		for _, op := range k.group {
			acls = append(acls, kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: "g", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
		opts = append(opts, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", admin), kfake.User("PLAIN", "alice", password, acls...),
			kfake.User("SCRAM-SHA-256", "alice", password), kfake.User("SCRAM-SHA-512", "alice", password))
		client = append(client, kgo.SASL(plain.Auth{User: "admin", Pass: admin}.AsMechanism()))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	producer, err := kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("one")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return cluster.ListenAddrs()
}

// Each kind of secret works where ACLs allow its user, and each refusal is named, on both versions of TLS.
func TestSecureRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	password, admin := leaktest.Password(t, "alice"), leaktest.Password(t, "admin")
	for name := range drivers {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, k := range knocks() {
				t.Run(strings.Join([]string{k.name, name, tls.VersionName(version)}, "/"), func(t *testing.T) {
					t.Parallel()
					h.knock(t, k, name, h.open(t, k, version, password, admin))
				})
			}
		}
	}
}

// knock runs a mapping until it reports what k expects.
func (h *house) knock(t *testing.T, k knock, driver string, servers []string) {
	t.Helper()
	m := esm.Mapping{
		FunctionName:                      "f",
		SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: servers}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "g"},
		Topics:                            []string{"orders"},
		MaximumBatchingWindowInSeconds:    new(int),
	}
	if k.kind != "" {
		m.SourceAccessConfigurations = append(m.SourceAccessConfigurations, auth.SourceAccessConfiguration{Type: k.kind, URI: k.secret})
	}
	if k.ca != "" {
		m.SourceAccessConfigurations = append(m.SourceAccessConfigurations, auth.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: k.ca})
	}
	watch := leaktest.New(t)
	got, changed := make(chan struct{}, 1), make(chan esm.ErrorInfo, 1000)
	runner, err := esm.New(m, func(context.Context, esm.KafkaEvent) error {
		select {
		case got <- struct{}{}:
		default:
		}
		return nil
	}, append(watch.Options(), esm.WithDriver(drivers[driver]), esm.WithSecrets(h.secrets), esm.WithHooks(esm.Hooks{Error: func(i esm.ErrorInfo) { changed <- i }}))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	var said []string
	for satisfied := false; !satisfied; {
		select {
		case <-got:
			if satisfied = true; k.cause != "" {
				t.Errorf("a record came")
			}
			continue
		case i := <-changed:
			said = append(said, string(i.Op)+" "+string(i.Diagnosis.Cause)+": "+i.Err.Error())
			if d := i.Diagnosis; d.Code != "" && d.Code != k.code || d.Known() && !d.Vague() && d.Cause != k.cause {
				t.Errorf("was taken for %q (%s): %v", d.Cause, d.Code, i.Err)
			}
		case <-ctx.Done():
			t.Errorf("want %q, last %q\n%s", k.cause, runner.Status().LastProcessingResult, strings.Join(said, "\n"))
			satisfied = true
			continue
		}
		s := runner.Status()
		watch.Say(s)
		d := s.Diagnosis
		if k.cause == "" || d.Cause != k.cause {
			continue
		}
		satisfied = true
		if s.LastProcessingResult != "PROBLEM: "+k.text || d.Text != k.text || d.Code != k.code || !strings.Contains(d.Detail, k.detail) || d.Hint == "" || d.Err == nil {
			t.Errorf("%s: %q, %q, %q, %q; want %+v", s.LastProcessingResult, d.Text, d.Code, d.Detail, d.Hint, k)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	watch.Say(runner.Status())
}
