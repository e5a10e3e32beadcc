package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// tlsServer accepts connections until the test ends and sends nothing, like a broker.
func tlsServer(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				conn := tls.Server(raw, config)
				_, _ = conn.Read(make([]byte, 1)) // until the client closes
				_ = raw.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wait.Wait()
	})
	return listener.Addr().String()
}

// What Kafka's listeners answer to a client that speaks another protocol.
func TestProbeTLSAsksKafka(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	broker := issue(ca, "broker", asServer)
	encrypted := kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair(broker)}})
	start := func(opts ...kfake.Opt) string {
		cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		return cluster.ListenAddrs()[0]
	}
	trusting := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}
	login := &Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismPlain, Username: "a", Password: NewSecret("b"), RootCAs: []byte(ca.pem())}
	sasl := start(kfake.EnableSASL(), encrypted)
	for name, c := range map[string]struct {
		address     string
		credentials *Credentials
		cause       Cause
		text        string
		detail      string
	}{
		"TLS":                          {start(encrypted), trusting, "", "", ""},
		"SASL":                         {sasl, login, "", "", ""},
		"plaintext, and TLS is spoken": {start(), trusting, CausePlaintextListener, TextConnection, "plaintext"},
		"plaintext with SASL":          {start(kfake.EnableSASL()), login, CausePlaintextListener, TextConnection, "plaintext"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // SASL takes the whole of probeLinger
			err := ProbeTLS(t.Context(), c.address, c.credentials, nil)
			d := facts{Credentials: c.credentials}.classify(err)
			if d.Cause != c.cause || d.Text != c.text || !strings.Contains(d.Detail, c.detail) {
				t.Errorf("%v is classified %q, %q, %q", err, d.Cause, d.Text, d.Detail)
			}
		})
	}
}

// What Kafka, and servers that are not brokers, answer to the SASL handshake.
func TestProbeTLSAsksForSASL(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	config := &tls.Config{Certificates: []tls.Certificate{pair(issue(ca, "broker", asServer))}}
	trusting := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}
	mutual := mtlsCredentials(issue(ca, "alice", asClient), ca)
	const names = "\x00\x00\x00\x02\x00\x05PLAIN\x00\x0dSCRAM-SHA-512"
	for name, c := range map[string]struct {
		answer      string
		credentials *Credentials
		text        string
		detail      string
	}{
		"SASL":                  {"\x00\x00\x00\x20esm?\x00\x00" + names, trusting, TextSASL, `with one of "PLAIN", "SCRAM-SHA-512"`},
		"SASL without PLAIN":    {"\x00\x00\x00\x19esm?\x00\x21\x00\x00\x00\x01\x00\x0dSCRAM-SHA-512", trusting, TextSASL, `with one of "SCRAM-SHA-512"`},
		"no certificate":        {"\x00\x00\x00\x20esm?\x00\x00" + names, mutual, TextServerAuthenticate, "SASL, not a client certificate"},
		"no SASL":               {"\x00\x00\x00\x0aesm?\x00\x22\x00\x00\x00\x00", trusting, "", ""},
		"no names":              {"\x00\x00\x00\x0aesm?\x00\x21\x00\x00\x00\x00", trusting, "", ""},
		"HTTP":                  {"HTTP/1.1 400 Bad Request\r\n\r\n", trusting, "", ""},
		"short":                 {"\x00\x00\x00\x06esm?\x00\x00", trusting, "", ""},
		"cut":                   {"\x00\x00\x00\xffesm?\x00\x00", trusting, "", ""},
		"a name beyond its end": {"\x00\x00\x00\x0eesm?\x00\x21\x00\x00\x00\x01\x00\xffAB", trusting, "", ""},
		"huge":                  {"\xff\xff\xff\xffesm?\x00\x22", trusting, "", ""},
		"nothing":               {"", trusting, "", ""},
	} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		wait.Go(func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 100))
			_, _ = conn.Write([]byte(c.answer))
			_ = conn.Close()
		})
		err = ProbeTLS(t.Context(), listener.Addr().String(), c.credentials, nil)
		d := facts{Credentials: c.credentials}.classify(err)
		if d.Text != c.text || !strings.Contains(d.Detail, c.detail) || c.text != "" && d.Cause != CauseSASLMissing {
			t.Errorf("%s: %v is classified %q, %q, %q", name, err, d.Cause, d.Text, d.Detail)
		}
		_ = listener.Close()
		wait.Wait()
	}
}

func TestProbeTLS(t *testing.T) {
	ca, other := issue(nil, "ca", asCA), issue(nil, "other", asCA)
	broker, client := issue(ca, "broker", asServer), issue(ca, "alice", asClient)
	misnamed := issue(ca, "misnamed", nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	trusting := &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}
	open := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(broker)}})
	mutual := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(broker)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	wrong := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{pair(misnamed)}})
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	for name, c := range map[string]struct {
		address     string
		credentials *Credentials
		cause       Cause
		fails       bool
	}{
		"works":         {open, trusting, "", false},
		"mutual works":  {mutual, mtlsCredentials(client, ca), "", false},
		"TLS listener":  {open, nil, CauseTLSListener, true},
		"mutual TLS":    {mutual, &Credentials{}, CauseTLSListener, true},
		"CA":            {open, &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(other.pem())}, CauseServerCA, true},
		"name":          {wrong, trusting, CauseServerName, true},
		"none":          {mutual, trusting, CauseClientCertificateMissing, true},
		"refused":       {dead.Addr().String(), trusting, CauseRefused, true},
		"no port":       {"localhost", trusting, "", true},
		"bad protocol":  {open, &Credentials{Protocol: "SASL_PLAINTEXT"}, CauseConfiguration, true},
		"other client":  {mutual, mtlsCredentials(issue(other, "mallory", asClient), ca), CauseClientCertificateRejected, true},
		"SASL over TLS": {open, &Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismPlain, Username: "a", Password: NewSecret("b"), RootCAs: []byte(ca.pem())}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a successful probe takes all of probeLinger
			err := ProbeTLS(t.Context(), c.address, c.credentials, nil)
			if d := (facts{Credentials: c.credentials}).classify(err); (err != nil) != c.fails || d.Cause != c.cause {
				t.Errorf("%v is classified %q", err, d.Cause)
			}
		})
	}
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := ProbeTLS(ctx, open, trusting, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) && Classify(err).Cause != CauseTimeout {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := ProbeTLS(ctx, open, trusting, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			cancel()
			return conn, err
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
